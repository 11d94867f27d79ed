"""What operators see: every metric series, the log format, health over HTTP."""
