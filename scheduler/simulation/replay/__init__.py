"""A trace of jobs through the real service in virtual time, without faults, and what came of it."""
