"""The planner behind its port: in a process of its own, or in this one."""
