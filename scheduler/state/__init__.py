"""Where every fact is kept: Redis or Valkey, and the twin of both in plain memory."""
