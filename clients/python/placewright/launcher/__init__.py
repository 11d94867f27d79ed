"""The launcher runtime, and the launchers that come with the client."""
