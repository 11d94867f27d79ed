"""The auditor: what must be true of every world, checked with arithmetic of its own."""
