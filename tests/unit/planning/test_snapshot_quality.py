"""The benchmark measures what it says."""

import io

from rich.console import Console

from scheduler.bench.instances import Instance, snapshot_for
from scheduler.bench.snapshot_quality import WHOLE, run
from scheduler.model.plan import WorkLimits


def test_the_same_instance_is_the_same_snapshot() -> None:
    instance = Instance(jobs=30, pools=5, contention=2.0, is_merging=True, seed=4)

    assert snapshot_for(instance) == snapshot_for(instance)


def test_no_greedy_beats_the_plan_and_no_plan_its_bound() -> None:
    screen = io.StringIO()

    results = run(
        sizes=[(60, 6)],
        contentions=[2.0],
        seeds=[1],
        limits=WorkLimits(deterministic_time=0.5),
        console=Console(file=screen, width=200),
    )

    for result in results:
        whole = result.rows[0]
        assert whole.part == WHOLE
        assert max(whole.greedies.values()) <= whole.value <= whole.bound
        assert all(row.value <= row.bound for row in result.rows)
    assert "60x6 distinct 2x" in screen.getvalue()
