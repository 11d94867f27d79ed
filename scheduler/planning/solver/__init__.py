"""The only place that knows OR-Tools: GLOP for prices, CP-SAT for whole numbers."""
