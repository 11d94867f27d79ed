"""What-if: hypotheses make another snapshot, whose plan is as good as any, and plans are compared."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model.deferral import DeferralReason
from scheduler.model.disruption import DISRUPTION_DEFAULT
from scheduler.model.ids import History, PoolId, QueueName
from scheduler.model.job import Job
from scheduler.model.plan import Plan, Snapshot, WorkLimits
from scheduler.model.state import State
from scheduler.model.whatif import Hypotheses, SupposedPool, SupposedQuotas, WhatIf
from scheduler.planner_process.planning_run import what_if
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.verify import violations
from scheduler.planning.whatif import Planned, difference, hypothetical_id, supposed
from tests import builders
from tests.builders import (
    DOLLAR,
    NOW_MS,
    PRIORITY_CLASSES,
    a_cohort,
    a_live_replica,
    a_pool,
    a_queue,
    a_quota,
    a_rented_pool,
    a_replica,
    a_run,
    a_snapshot,
    a_spec,
    a_state,
    with_queues,
)
from tests.unit.planning.worlds import Draw, a_world, some_job, some_pool

LIMITS = WorkLimits(deterministic_time=0.5)


def a_job(job_id: str, *alternatives: str, **fields: Any) -> Job:
    """A job of the history of `a_state`."""
    return replace(builders.a_job(job_id, *alternatives, **fields), history=History("history"))


def asked(state: State, hypotheses: Hypotheses) -> WhatIf:
    return what_if(
        state,
        hypotheses,
        now_ms=NOW_MS,
        limits=LIMITS,
        priority_classes=PRIORITY_CLASSES,
        disruption=DISRUPTION_DEFAULT,
    )


def a_supposed(pool_id: str, **fields: Any) -> SupposedPool:
    pool = a_pool(pool_id, **fields)
    return SupposedPool(id=pool.id, spec=pool.spec)


def a_full_state() -> State:
    """Two jobs, of which one runs on the only pool and one waits."""
    pool, running, waiting = a_pool(), a_job("running"), a_job("waiting")
    run = a_run(running, pool)
    return a_state(pool, running, a_live_replica(running, run), run, waiting, a_replica(waiting))


def test_nothing_supposed_changes_nothing() -> None:
    answer = asked(a_full_state(), Hypotheses())

    assert answer.before == answer.after
    assert (answer.jobs, answer.changes, answer.changes_left_out) == ((), (), 0)
    assert (answer.before.placed, answer.before.waiting) == (0, 1)
    assert answer.before.charged_usd_micros_per_hour == 8 * 2 * DOLLAR
    assert answer.before.paid_usd_micros_per_hour == 8 * 2 * DOLLAR
    assert answer.before.gap_permille == 0


def test_a_hypothetical_job_takes_what_is_free_or_says_why_it_waits() -> None:
    state = a_state(a_pool(nodes=2))

    answer = asked(state, Hypotheses(jobs=(a_spec("h100:8"), a_spec("h100:8", replicas=2))))

    (first,), second = answer.jobs
    fates = [each.fate for each in (first, *second)]
    assert [fate.placement.pool_id for fate in fates if fate.placement] == ["pool", "pool"]
    (deferral,) = [fate.deferral for fate in fates if fate.deferral]
    assert (deferral.reason, deferral.accelerators_needed) == (DeferralReason.OUTBID, 8)
    assert (answer.after.placed, answer.after.waiting) == (2, 1)
    assert answer.after.objective_usd_micros_per_hour > answer.before.objective_usd_micros_per_hour == 0
    assert answer.changes == ()


def test_a_job_of_more_worth_takes_the_room_of_one_that_waits() -> None:
    job = a_job("waiting", priority_class="batch")
    state = a_state(a_pool(), job, a_replica(job))

    answer = asked(state, Hypotheses(jobs=(a_spec("h100:8", priority_class="frontier"),)))

    (change,) = answer.changes
    assert (change.job_id, change.replica_id) == ("waiting", "waiting-0")
    assert change.before.placement is not None
    assert change.after.deferral is not None
    assert change.after.deferral.reason is DeferralReason.OUTBID


def test_a_job_of_more_worth_preempts_one_that_runs() -> None:
    pool, running = a_pool(), a_job("running", priority_class="batch")
    run = a_run(running, pool)
    state = a_state(pool, running, a_live_replica(running, run), run)

    answer = asked(state, Hypotheses(jobs=(a_spec("h100:8", priority_class="frontier"),)))

    ((urgent,),) = answer.jobs
    assert urgent.fate.placement is not None
    (change,) = answer.changes
    assert change.before.placement == run.placement
    assert change.after.preempted_by == urgent.replica_id
    assert answer.after.charged_usd_micros_per_hour == answer.before.charged_usd_micros_per_hour


def test_a_new_pool_takes_what_waits_and_costs_what_it_costs() -> None:
    answer = asked(a_full_state(), Hypotheses(pools=(a_supposed("new", nodes=2),)))

    (change,) = answer.changes
    assert change.replica_id == "waiting-0"
    assert change.after.placement is not None
    assert change.after.placement.pool_id == "new"
    assert answer.after.paid_usd_micros_per_hour - answer.before.paid_usd_micros_per_hour == 16 * 2 * DOLLAR
    assert answer.after.charged_usd_micros_per_hour == 2 * answer.before.charged_usd_micros_per_hour


def test_a_pool_that_is_changed_keeps_what_runs_there() -> None:
    larger = asked(a_full_state(), Hypotheses(pools=(a_supposed("pool", nodes=2),)))
    smaller = asked(a_full_state(), Hypotheses(pools=(a_supposed("pool", devices_per_node=4),)))

    assert [change.replica_id for change in larger.changes] == ["waiting-0"]
    assert smaller.changes == ()
    assert smaller.after.charged_usd_micros_per_hour == smaller.before.charged_usd_micros_per_hour


def test_a_rented_pool_is_rented_at_another_price_or_to_another_limit() -> None:
    pool, job = a_rented_pool(limit_accelerators=8), a_job("waiting", replicas=2)
    state = a_state(pool, job, a_replica(job), a_replica(job, 1))
    dear = replace(pool.spec, price_usd_micros_per_accelerator_hour=900 * DOLLAR)

    answer = asked(state, Hypotheses(pools=(SupposedPool(id=pool.id, spec=dear),)))

    (change,) = answer.changes
    assert change.after.deferral is not None
    assert change.after.deferral.reason is DeferralReason.NOT_WORTH_THE_PRICE
    assert (answer.before.paid_usd_micros_per_hour, answer.after.paid_usd_micros_per_hour) == (16 * DOLLAR, 0)


def test_what_ran_on_a_lost_pool_is_placed_elsewhere_or_waits() -> None:
    pool, other, job = a_pool(), a_pool("other"), a_job("running", "h100:8", replicas=2)
    runs = [a_run(job, pool, index=index) for index in (0, 1)]
    state = a_state(pool, other, job, *runs, *(a_live_replica(job, run) for run in runs))

    answer = asked(state, Hypotheses(removed_pools=(pool.id,)))

    befores = [change.before.placement for change in answer.changes]
    afters = [change.after.placement for change in answer.changes]
    assert [each.pool_id for each in befores if each] == ["pool", "pool"]
    assert sorted(each.pool_id if each else "" for each in afters) == ["", "other"]
    assert (answer.after.placed, answer.after.waiting) == (1, 1)


def test_a_job_that_is_left_out_leaves_its_room_to_others() -> None:
    answer = asked(a_full_state(), Hypotheses(left_out_jobs=(a_job("running").id,)))

    (change,) = answer.changes
    assert change.replica_id == "waiting-0"
    assert change.after.placement is not None
    assert answer.after.charged_usd_micros_per_hour == answer.before.charged_usd_micros_per_hour


def test_a_queue_with_other_quotas_keeps_its_cohort() -> None:
    job = a_job("waiting")
    state = a_state(
        a_pool(), job, a_replica(job), a_queue("research", a_quota(0), cohort="cohort"), a_cohort("cohort")
    )
    more = SupposedQuotas(queue=QueueName("research"), quotas=(a_quota(8),))

    answer = asked(state, Hypotheses(quotas=(more,)))

    (change,) = answer.changes
    assert change.before.deferral is not None
    assert change.before.deferral.reason is DeferralReason.OVER_QUOTA
    assert change.after.placement is not None
    planned = supposed(with_queues(a_snapshot(), a_queue(cohort="cohort")), Hypotheses(quotas=(more,)))
    assert planned.queues[0].queue == a_queue("research", a_quota(8), cohort="cohort")
    added = supposed(a_snapshot(), Hypotheses(quotas=(more,)))
    assert added.queues[0].queue == a_queue("research", a_quota(8))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_what_is_supposed_of_any_world_is_planned_without_a_new_violation(seed: int) -> None:
    draw = Draw(seed)
    snapshot = a_world(draw, replicas_max=6)
    hypotheses = some_hypotheses(draw, snapshot)

    there = supposed(snapshot, hypotheses)
    before, after = (Planned(snapshot=each, plan=best(each)) for each in (snapshot, there))
    answer = difference(before, after, hypotheses)

    assert violations(there, after.plan) == []
    assert len(answer.jobs) == len(hypotheses.jobs)
    hypothetical = {hypothetical_id(number) for number in range(len(hypotheses.jobs))}
    assert {each.job.id for each in there.waiting} - {
        each.job.id for each in snapshot.waiting
    } == hypothetical
    assert supposed(snapshot, Hypotheses()) == snapshot


def best(snapshot: Snapshot) -> Plan:
    return improve(snapshot, floor_plan(snapshot), limits=LIMITS)


def some_hypotheses(draw: Draw, snapshot: Snapshot) -> Hypotheses:
    """Some jobs and pools more, a pool less or with another spec, a job less."""
    pools = [each.pool for each in snapshot.pools]
    jobs = tuple(some_job(draw, 100 + number).spec for number in range(draw.between(0, 3)))
    added = [some_pool(draw, 100 + number) for number in range(draw.between(0, 2))]
    changed = [some_pool(draw, 200)] if draw.is_one_in(2) else []
    of_same_model = [
        SupposedPool(id=pool.id, spec=other.spec)
        for pool in pools[:1]
        for other in changed
        if pool.spec.accelerator == other.spec.accelerator
    ]
    lost = [pool.id for pool in pools[1:] if draw.is_one_in(3) and not _is_used(snapshot, pool.id)]
    left_out = sorted({each.job.id for each in snapshot.waiting})[: draw.between(0, 1)]
    return Hypotheses(
        jobs=jobs,
        pools=(*(SupposedPool(id=pool.id, spec=pool.spec) for pool in added), *of_same_model),
        removed_pools=tuple(lost),
        left_out_jobs=tuple(left_out),
    )


def _is_used(snapshot: Snapshot, pool_id: PoolId) -> bool:
    return any(each.live_runs for each in snapshot.pools if each.pool.id == pool_id)
