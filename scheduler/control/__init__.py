"""What the leader does on its own clock: lead, settle, judge leases, plan, commit."""
