"""The demo: a lab's day in a minute, through the public client, with real processes."""
