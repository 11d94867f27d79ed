"""A day: what happens in a few busy minutes, with lulls of hours in between in which long work goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

DAY_MS = 24 * 3_600_000
LULLS_MAX = 3
FIRST_LULL_PERMILLE_MIN = 200  # of the busy time: there is something to look at by then


@dataclass(frozen=True, slots=True, kw_only=True)
class Lull:
    """A time in which people do nothing new and no trouble begins."""

    from_ms: int
    to_ms: int


def lulls_of(draw: Random, busy_ms: int, *, spare_ms: int) -> tuple[Lull, ...]:
    """They begin at any busy instant, and share the time that is to spare."""
    number = draw.randint(1, LULLS_MAX)
    begins = sorted(draw.randint(busy_ms * FIRST_LULL_PERMILLE_MIN // 1000, busy_ms) for _ in range(number))
    cuts = [0, *sorted(draw.randint(0, spare_ms) for _ in begins[1:]), spare_ms]
    return tuple(
        Lull(from_ms=begin_ms + cuts[i], to_ms=begin_ms + cuts[i + 1]) for i, begin_ms in enumerate(begins)
    )


def time_of_day(busy_ms: int, lulls: Sequence[Lull]) -> int:
    """When it is that so much busy time has gone by."""
    at_ms = busy_ms
    for lull in lulls:
        if at_ms >= lull.from_ms:
            at_ms += lull.to_ms - lull.from_ms
    return at_ms
