"""The moves, as pure functions: records in, a transaction out. Whoever carries it out learns of conflicts."""
