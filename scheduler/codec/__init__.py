"""Model values to bytes and back, for the store and the planner process. Decides nothing."""
