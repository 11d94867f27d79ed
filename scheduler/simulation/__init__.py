"""Worlds in virtual time that drive the real service, control and planning, with faults and an auditor."""
