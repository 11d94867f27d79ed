"""The live state in memory, fed by the event stream, and writes that are computed from it."""
