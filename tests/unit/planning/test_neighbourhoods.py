"""Instances too large to be searched whole: neighbourhoods better what the dive left, within every rule."""

import pytest

from scheduler.bench.instances import Instance, snapshot_for
from scheduler.model.plan import PlanMethod, WorkLimits
from scheduler.planning.improvement import WHOLE_COLUMNS_MAX
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.verify import violations

LIMITS = WorkLimits(deterministic_time=0.2)


@pytest.mark.parametrize("is_merging", [True, False], ids=["merging", "distinct"])
def test_a_large_plan_is_whole_fits_repeats_and_beats_its_floor(is_merging: bool) -> None:
    snapshot = snapshot_for(Instance(jobs=400, pools=24, contention=2.0, is_merging=is_merging, seed=5))
    floor = floor_plan(snapshot)

    plan = improve(snapshot, floor, limits=LIMITS)

    assert plan.method is PlanMethod.IMPROVED
    assert plan.quality.columns > WHOLE_COLUMNS_MAX
    assert plan.quality.work > 0
    assert violations(snapshot, plan) == []
    quality = plan.quality
    assert quality.floor_usd_micros_per_hour < quality.objective_usd_micros_per_hour
    assert quality.bound_usd_micros_per_hour is not None
    assert quality.objective_usd_micros_per_hour <= quality.bound_usd_micros_per_hour
    assert improve(snapshot, floor, limits=LIMITS) == plan


def test_more_work_never_makes_a_plan_worse() -> None:
    snapshot = snapshot_for(Instance(jobs=400, pools=24, contention=3.0, is_merging=True, seed=6))
    floor = floor_plan(snapshot)

    values = [
        improve(
            snapshot, floor, limits=WorkLimits(deterministic_time=work)
        ).quality.objective_usd_micros_per_hour
        for work in (0.01, 0.2, 0.6)
    ]

    assert values == sorted(values)
