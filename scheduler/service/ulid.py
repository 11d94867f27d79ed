"""ULIDs: ids that sort by the time they were made."""

from collections.abc import Callable

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
RANDOM_BYTES = 10
LENGTH = 26


def ulid(now_ms: int, random_bytes: Callable[[int], bytes]) -> str:
    """48 bits of milliseconds, 80 random bits, in lower-case Crockford base 32 (github.com/ulid/spec)."""
    number = (now_ms << 80) | int.from_bytes(random_bytes(RANDOM_BYTES), "big")
    return "".join(ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(LENGTH)))
