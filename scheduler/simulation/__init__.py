"""Whole virtual hours of the real service, control and planning, with faults and an auditor; seeded, exact."""
