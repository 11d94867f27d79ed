"""Safety and liveness over many seeded worlds of the real service, control and planning."""

from collections import Counter
from dataclasses import replace

import pytest

from scheduler.simulation.command import failure
from scheduler.simulation.simulation import simulate
from scheduler.simulation.world import Faults, Trouble, world_of
from scheduler.simulation.worlds import Kind, live_through

ROUGH, CALM = Kind(with_faults=True), Kind(with_faults=False)
SEEDS_PER_TEST = 10
ROUGH_SEEDS = 170  # a second of CPU each; `simulate --faults` runs any range
CALM_SEEDS = 20
LOST_TAIL_SEEDS = 20
LOST_TAILS = Faults(
    chaos_every_ms=15_000, chaos=(Trouble.STORE_LOSES_A_TAIL, Trouble.LAUNCHER_CRASHES), crash_permille=2
)

JUMP_SEEDS = 4
JUMPS = Faults(mishaps_every_ms=10_000)


@pytest.mark.parametrize("first", range(0, ROUGH_SEEDS, SEEDS_PER_TEST))
def test_every_promise_is_kept_through_faults(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        report = live_through(seed, ROUGH, keeps_lines=False)

        assert report.violation is None, failure(report, ROUGH)


@pytest.mark.parametrize("first", range(0, CALM_SEEDS, SEEDS_PER_TEST))
def test_without_faults_no_run_fails_and_no_lease_expires(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        report = live_through(seed, CALM, keeps_lines=False)

        assert report.violation is None, failure(report, CALM)
        assert "leases expired" not in report.counts, report.counts
        assert "runs ended infrastructure" not in report.counts, report.counts


@pytest.mark.parametrize("first", range(0, LOST_TAIL_SEEDS, SEEDS_PER_TEST))
def test_every_other_promise_is_kept_when_the_store_loses_its_newest_writes(first: int) -> None:
    adopted = 0
    for seed in range(first, first + SEEDS_PER_TEST):
        result = simulate(replace(world_of(seed, with_faults=True), faults=LOST_TAILS))

        assert result.violation is None, f"seed {seed}: {result.violation}\n{result.trace.tail()}"
        adopted += result.counts.get("runs adopted", 0)
    assert adopted, "nothing was lost that could be adopted: the trouble does not do what it should"


def test_wrong_prices_and_blind_launchers_stop_nothing_and_place_nothing_at_a_price_that_waits() -> None:
    counts: Counter[str] = Counter()
    for seed in range(JUMP_SEEDS):
        result = simulate(replace(world_of(seed, with_faults=True), faults=JUMPS))

        assert result.violation is None, f"seed {seed}: {result.violation}\n{result.trace.tail()}"
        counts.update(result.counts)
    happened = (
        "prices that wait",
        "prices confirmed",
        "runs placed while a price waits",
        "capacities that fell",
    )
    assert all(counts[what] for what in happened), counts
