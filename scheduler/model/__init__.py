"""The nouns, their invariants and the moves they may make. Standard library only, no clock, no I/O."""
