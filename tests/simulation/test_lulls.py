"""A leap comes to the same as living through the time, but for what only keeps things as they are."""

from dataclasses import replace

import pytest

from scheduler.simulation.day import DAY_MS, Lull
from scheduler.simulation.lulls import Lulls
from scheduler.simulation.simulation import Parts, Result, simulate
from scheduler.simulation.world import MINUTE_MS, World, world_of

LULL = Lull(from_ms=8 * MINUTE_MS, to_ms=50 * MINUTE_MS)
UPKEEP = ("leaps", "leaps without rest", "revisions")


class Sleepless(Lulls):
    """Lives through every second of a lull."""

    def _leap(self, left_ms: int) -> None:
        pass


def an_hour_of(seed: int) -> World:
    return replace(world_of(seed, with_faults=False, hours=1), lulls=(LULL,))


def what_happened(result: Result) -> dict[str, int]:
    return {what: count for what, count in result.counts.items() if what not in UPKEEP}


@pytest.mark.parametrize("seed", [2, 3])
def test_a_leap_leaves_out_nothing_but_upkeep(seed: int) -> None:
    leaping = simulate(an_hour_of(seed))

    sleepless = simulate(an_hour_of(seed), parts=Parts(lulls=Sleepless))

    assert (leaping.violation, sleepless.violation) == (None, None)
    assert what_happened(leaping) == what_happened(sleepless)
    assert leaping.counts["leaps"] > 0
    assert leaping.counts["revisions"] < sleepless.counts["revisions"]
    assert leaping.virtual_ms == sleepless.virtual_ms


def test_a_seed_is_a_day_and_is_busy_in_little_of_it() -> None:
    world = world_of(5, with_faults=True)

    result = simulate(world)

    assert result.violation is None
    assert result.virtual_ms >= DAY_MS
    assert sum(lull.to_ms - lull.from_ms for lull in world.lulls) > DAY_MS * 9 // 10
