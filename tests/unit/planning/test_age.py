"""Age: what has waited long goes before what is worth a little more, and no further."""

from dataclasses import replace

import pytest

from scheduler.model.job import Job
from scheduler.model.plan import Plan, Snapshot, WorkLimits
from scheduler.planning.age import AGE_FIRST_MS, AGE_STEPS_MAX, age_step
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.verify import violations
from tests.builders import DOLLAR, HOUR_MS, NOW_MS, a_job, a_pool, a_rented_pool, a_snapshot, an_alternative

MINUTE_MS = 60_000


def waiting_for(waited_ms: int, job_id: str = "old", *, speed_permille: int = 1_000, **spec: str) -> Job:
    job = a_job(job_id, an_alternative("h100:8", speed_permille=speed_permille), **spec)
    return replace(job, submitted_at_ms=NOW_MS - waited_ms)


def a_rival(speed_permille: int, **spec: str) -> Job:
    return waiting_for(0, "young", speed_permille=speed_permille, **spec)


def planned(snapshot: Snapshot) -> Plan:
    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits(deterministic_time=0.5))
    assert violations(snapshot, plan) == []
    return plan


def placed(*jobs: Job) -> list[str]:
    """Who gets the one place there is."""
    return [place.replica_id for place in planned(a_snapshot(jobs=jobs, pools=[a_pool()])).places]


@pytest.mark.parametrize(
    ("waited_ms", "step"),
    [
        (-1, 0), (0, 0), (AGE_FIRST_MS - 1, 0), (AGE_FIRST_MS, 1), (30 * MINUTE_MS - 1, 1),
        (30 * MINUTE_MS, 2), (HOUR_MS, 3), (16 * HOUR_MS - 1, 6), (16 * HOUR_MS, 7),
        (10_000 * HOUR_MS, AGE_STEPS_MAX),
    ],
)  # fmt: skip
def test_each_doubling_of_the_wait_is_a_step_up_to_a_bound(waited_ms: int, step: int) -> None:
    assert age_step(waited_ms) == step


def test_what_has_waited_long_goes_before_what_gains_a_little_more() -> None:
    assert placed(waiting_for(0), a_rival(1_200)) == ["young-0"]
    assert placed(waiting_for(16 * HOUR_MS), a_rival(1_200)) == ["old-0"]


def test_however_long_it_has_waited_what_gains_much_more_goes_first() -> None:
    assert placed(waiting_for(10_000 * HOUR_MS), a_rival(1_500)) == ["young-0"]


def test_no_age_reverses_priority_classes() -> None:
    assert placed(waiting_for(10_000 * HOUR_MS), a_rival(200, priority_class="frontier")) == ["young-0"]


def test_age_rents_nothing_that_is_not_worth_its_price() -> None:
    pool = a_rented_pool(limit_accelerators=8, price_usd_micros_per_accelerator_hour=11 * DOLLAR)
    assert planned(a_snapshot(jobs=[waiting_for(16 * HOUR_MS)], pools=[pool])).places == ()


def test_the_objective_has_the_bonus_and_the_placements_own_term_has_not() -> None:
    """Seven steps of a twentieth of $10, on 8 accelerators."""
    young = planned(a_snapshot(jobs=[waiting_for(0)], pools=[a_pool()]))
    old = planned(a_snapshot(jobs=[waiting_for(16 * HOUR_MS)], pools=[a_pool()]))

    terms = [plan.places[0].placement.term_usd_micros_per_hour for plan in (young, old)]
    assert terms[0] == terms[1]
    assert old.quality.objective_usd_micros_per_hour == terms[1] + 28 * DOLLAR
    assert old.quality.bound_usd_micros_per_hour == terms[1] + 28 * DOLLAR


def test_time_changes_a_plan_only_where_it_crosses_a_step() -> None:
    jobs = [waiting_for(AGE_FIRST_MS - 2), a_rival(1_040)]
    world = a_snapshot(jobs=jobs, pools=[a_pool()])

    winners = [
        planned(replace(world, now_ms=NOW_MS + later_ms)).places[0].replica_id for later_ms in (0, 1, 2)
    ]

    assert winners == ["young-0", "young-0", "old-0"]
