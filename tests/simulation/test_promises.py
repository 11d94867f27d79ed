"""Safety and liveness over many seeded worlds of the real service, control and planning."""

import pytest

from scheduler.simulation.command import failure
from scheduler.simulation.worlds import Kind, live_through

ROUGH, CALM = Kind(with_faults=True), Kind(with_faults=False)
SEEDS_PER_TEST = 10
ROUGH_SEEDS = 480
CALM_SEEDS = 20


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
