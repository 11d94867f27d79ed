"""What callers may ask: jobs, fleet, launchers, watches. Checks, writes intent, reads the mirror."""
