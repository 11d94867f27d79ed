"""ULIDs: ids that sort by the time and order in which they were made."""

from collections.abc import Callable

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
RANDOM_BYTES = 10
RANDOM_BITS = 80
LENGTH = 26
PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
PAIR_SHIFTS = tuple(10 * place for place in reversed(range(LENGTH // 2)))


class Ulids:
    """Makes ULIDs that only grow, also within a millisecond and when the clock is set back.

    48 bits of milliseconds, 80 random bits, in lower-case Crockford base 32 (github.com/ulid/spec).
    """

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._last = 0

    def next(self, now_ms: int) -> str:
        if now_ms > self._last >> RANDOM_BITS:
            self._last = (now_ms << RANDOM_BITS) | int.from_bytes(self._random_bytes(RANDOM_BYTES), "big")
        else:
            self._last += 1
        last = self._last
        return "".join([PAIRS[(last >> shift) & 1023] for shift in PAIR_SHIFTS])
