"""What holds of any plan on any snapshot."""

from dataclasses import replace

from hypothesis import given, settings

from scheduler.model.plan import Snapshot, SolverStatus, WorkLimits
from scheduler.planning.planner import floor_plan, improve, plans
from scheduler.planning.verify import violations
from tests.builders import DOLLAR, a_job, a_pool, a_rented_pool, a_snapshot
from tests.unit.planning.worlds import best_value, snapshots

LIMITS = WorkLimits(deterministic_time=1.0)


@given(snapshots())
@settings(max_examples=150, deadline=None)
def test_any_plan_is_whole_fits_and_repeats(snapshot: Snapshot) -> None:
    floor = floor_plan(snapshot)
    plan = improve(snapshot, floor, limits=LIMITS)

    assert violations(snapshot, floor) == []
    assert violations(snapshot, plan) == []
    assert floor_plan(snapshot) == floor
    assert improve(snapshot, floor, limits=LIMITS) == plan
    assert list(plans(snapshot, limits=LIMITS)) == [floor, plan]


@given(snapshots(replicas_max=5))
@settings(max_examples=250, deadline=None)
def test_a_small_plan_is_the_best_there_is(snapshot: Snapshot) -> None:
    plan = improve(snapshot, floor_plan(snapshot), limits=LIMITS)

    assert plan.quality.objective_usd_micros_per_hour == best_value(snapshot)
    assert plan.quality.status is SolverStatus.OPTIMAL
    assert plan.quality.gap == 0


@given(snapshots())
@settings(max_examples=100, deadline=None)
def test_a_plan_lies_between_its_floor_and_its_bound(snapshot: Snapshot) -> None:
    quality = improve(snapshot, floor_plan(snapshot), limits=LIMITS).quality

    assert quality.bound_usd_micros_per_hour is not None
    assert (
        quality.floor_usd_micros_per_hour
        <= quality.objective_usd_micros_per_hour
        <= quality.bound_usd_micros_per_hour
    )
    for each in quality.per_class.values():
        assert each.bound_usd_micros_per_hour is not None
        assert each.value_usd_micros_per_hour <= each.bound_usd_micros_per_hour
        assert each.bound_usd_micros_per_hour <= each.demand_usd_micros_per_hour


@given(snapshots())
@settings(max_examples=50, deadline=None)
def test_the_order_of_what_waits_and_of_pools_does_not_matter(snapshot: Snapshot) -> None:
    shuffled = replace(snapshot, waiting=tuple(reversed(snapshot.waiting)))

    plan = improve(snapshot, floor_plan(snapshot), limits=LIMITS)

    assert improve(shuffled, floor_plan(shuffled), limits=LIMITS) == plan


@given(snapshots(replicas_max=5))
@settings(max_examples=40, deadline=None)
def test_guidance_comes_to_rest_when_nothing_changes(snapshot: Snapshot) -> None:
    history = []
    for _ in range(80):
        plan = improve(snapshot, floor_plan(snapshot), limits=LIMITS)
        history.append(plan.guidance)
        if len(history) > 1 and history[-1] == history[-2]:
            break
        snapshot = replace(snapshot, guidance=plan.guidance)

    assert history[-1] == history[-2]


def test_what_fits_alone_on_an_open_worthwhile_pool_is_placed() -> None:
    for gang in ("h100:1", "h100:8", "h100:48", "h100:64"):
        for pool in (a_pool(nodes=8), a_rented_pool(price_usd_micros_per_accelerator_hour=DOLLAR)):
            snapshot = a_snapshot(jobs=[a_job("alone", gang)], pools=[pool])

            plan = improve(snapshot, floor_plan(snapshot), limits=LIMITS)

            assert [place.replica_id for place in plan.places] == ["alone-0"]
            assert [place.replica_id for place in floor_plan(snapshot).places] == ["alone-0"]


def test_guidance_prices_a_full_pool_by_what_waits_for_it() -> None:
    snapshot = a_snapshot(jobs=[a_job("first"), a_job("second")], pools=[a_pool("small")])

    plan = improve(snapshot, floor_plan(snapshot), limits=LIMITS)

    assert plan.shadow_prices == (("small", 10 * DOLLAR),)
    assert plan.guidance.shadow_prices == (("small", 10 * DOLLAR // 4),)


def test_no_work_at_all_still_gives_at_least_the_floor() -> None:
    snapshot = a_snapshot(jobs=[a_job(f"job-{n}", "h100:4") for n in range(3)], pools=[a_pool()])

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits(deterministic_time=0.0))

    assert len(plan.places) == 2
