"""Explaining: what each pool says to one replica, and changes that admit it when made alone."""

from collections import Counter
from dataclasses import astuple, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model.brakes import Hold
from scheduler.model.deferral import DeferralReason, PoolVerdict
from scheduler.model.explanation import Change, ChangeKind, WhyWaiting
from scheduler.model.ids import PoolId, ReplicaId
from scheduler.model.job import Constraints, Market
from scheduler.model.plan import Plan, Snapshot, WorkLimits
from scheduler.planner_process.planning_run import best_plan
from scheduler.planning.admitting_changes import growths, single_changes
from scheduler.planning.explanation import REPLANS_MAX, term_parts, why_waiting
from scheduler.planning.worth import Work, term_usd_micros_per_hour
from tests.builders import (
    DOLLAR,
    NOW_MS,
    PRINCIPAL,
    a_cohort,
    a_job,
    a_pin,
    a_pool,
    a_queue,
    a_quota,
    a_rented_pool,
    a_run,
    a_slice_pool,
    a_snapshot,
    a_usage,
    a_waiting_replica,
    an_alternative,
    with_queues,
)
from tests.unit.planning.worlds import Draw, a_world

LIMITS = WorkLimits(deterministic_time=0.5)


def replanned(snapshot: Snapshot) -> Plan:
    return best_plan(snapshot, limits=LIMITS)


def explained(snapshot: Snapshot, replica_id: str = "job-0") -> WhyWaiting:
    return why_waiting(snapshot, ReplicaId(replica_id), replanned)


def kinds(found: WhyWaiting) -> list[ChangeKind]:
    return [change.kind for change in found.changes]


def test_a_full_pool_needs_a_node_more() -> None:
    pool, busy = a_pool(), a_job("busy")

    found = explained(a_snapshot(jobs=[a_job()], pools=[pool], runs=[a_run(busy, pool)]))

    (answer,) = found.pools
    assert (answer.verdict, answer.accelerators_needed, answer.accelerators_free) == (PoolVerdict.FULL, 8, 0)
    assert found.changes == (Change(kind=ChangeKind.MORE_ACCELERATORS, pool_id=PoolId("pool"), amount=8),)


def test_room_that_others_take_first_must_be_there_for_them_too() -> None:
    rivals = [a_job(f"rival-{number}", priority_class="frontier") for number in range(4)]

    found = explained(a_snapshot(jobs=[a_job(), *rivals], pools=[a_pool()]))

    assert found.deferral is not None
    assert found.deferral.reason is DeferralReason.OUTBID
    assert found.changes == (Change(kind=ChangeKind.MORE_ACCELERATORS, pool_id=PoolId("pool"), amount=4 * 8),)


def test_a_rented_pool_that_is_too_dear_is_worth_it_from_a_price_on() -> None:
    dear = a_rented_pool(price_usd_micros_per_accelerator_hour=50 * DOLLAR)

    found = explained(a_snapshot(jobs=[a_job()], pools=[dear]))

    assert found.pools[0].cost_usd_micros_per_useful_hour == 50 * DOLLAR
    assert found.worth_usd_micros_per_useful_hour == 10 * DOLLAR
    assert found.changes == (
        Change(kind=ChangeKind.LOWER_PRICE, pool_id=PoolId("rented"), amount=10 * DOLLAR - 1),
    )


def test_the_constraint_that_keeps_it_out_is_named() -> None:
    job = a_job(constraints=Constraints(markets=(Market.SPOT,), denied_pools=(PoolId("other"),)))

    found = explained(a_snapshot(jobs=[job], pools=[a_pool()]))

    assert found.pools[0].verdict is PoolVerdict.EXCLUDED_BY_CONSTRAINTS
    assert found.changes == (Change(kind=ChangeKind.DROP_CONSTRAINT, field="markets"),)


def test_the_quota_that_binds_is_raised_by_what_is_short() -> None:
    snapshot = with_queues(
        a_snapshot(jobs=[a_job()], pools=[a_pool(nodes=4)]),
        a_queue("research", a_quota(6), cohort="cohort"),
        a_cohort(),
        usage=[a_usage("research", 4)],
    )

    found = explained(snapshot)

    (change,) = found.changes
    assert (change.kind, change.resource, change.amount) == (ChangeKind.RAISE_QUOTA, "h100", 6)
    assert "" in (change.queue, change.cohort)


def test_brakes_are_named() -> None:
    hold = Hold(reason="why", principal=PRINCIPAL, held_at_ms=NOW_MS)
    held = a_snapshot(jobs=[replace(a_job(), hold=hold)], pools=[a_pool()])
    pinned = a_snapshot(waiting=[a_waiting_replica(a_job(), pin=a_pin("other"))], pools=[a_pool()])
    resting = a_snapshot(waiting=[a_waiting_replica(a_job(), not_before_ms=NOW_MS + 1)], pools=[a_pool()])

    assert kinds(explained(held)) == [ChangeKind.RELEASE_JOB]
    assert kinds(explained(pinned)) == [ChangeKind.UNPIN]
    assert kinds(explained(resting)) == [ChangeKind.BACK_OFF_ENDS]
    assert kinds(explained(a_snapshot(jobs=[a_job()], pools=[a_pool(cordoned=True)]))) == [
        ChangeKind.UNCORDON_POOL
    ]
    assert kinds(explained(a_snapshot(jobs=[a_job()], pools=[a_pool(ready=False)]))) == [
        ChangeKind.ATTACH_LAUNCHER
    ]


def test_slices_are_added_whole() -> None:
    job = a_job("job", "tpu-v5p:4x4x8")

    found = explained(a_snapshot(jobs=[job], pools=[a_slice_pool(slices={"4x4x4": 1})]))

    assert found.pools[0].verdict is PoolVerdict.TOO_BIG
    assert found.changes == (Change(kind=ChangeKind.MORE_ACCELERATORS, pool_id=PoolId("slices"), amount=128),)


def test_what_the_next_plan_places_needs_no_change() -> None:
    found = explained(a_snapshot(jobs=[a_job()], pools=[a_pool()]))

    assert found.placement is not None
    assert (found.deferral, found.changes, found.changes_tried) == (None, (), 0)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_a_named_change_made_alone_and_replanned_admits_the_replica(seed: int) -> None:
    snapshot = a_world(Draw(seed), replicas_max=5)
    deferred = [replica_id for replica_id, _ in replanned(snapshot).deferrals]
    for replica_id in deferred[:1]:
        found = why_waiting(snapshot, replica_id, replanned)

        assert found.changes_tried <= REPLANS_MAX
        assert [answer.pool_id for answer in found.pools] == [each.pool.id for each in snapshot.pools]
        assert found.deferral is not None
        if found.deferral.verdicts:
            counted = Counter(answer.verdict for answer in found.pools)
            assert dict(found.deferral.verdicts) == counted
        for change in found.changes:
            places = replanned(made_alone(snapshot, found, change)).places
            assert replica_id in {place.replica_id for place in places}


def made_alone(snapshot: Snapshot, found: WhyWaiting, change: Change) -> Snapshot:
    """The snapshot after the change, and nothing else."""
    waiting = next(each for each in snapshot.waiting if each.replica.id == found.replica_id)
    singles = {each.change: each.snapshot for each in single_changes(snapshot, waiting, found.pools)}
    if change in singles:
        return singles[change]
    assert found.deferral is not None
    (growth,) = [
        each
        for each in growths(snapshot, waiting, found.pools, found.deferral)
        if each.change == replace(change, amount=0)
    ]
    made = growth.grown(snapshot, waiting, change.amount // growth.unit)
    assert made.change == change
    return made.snapshot


@given(
    st.integers(1, 10**9),
    st.integers(0, 10**9),
    st.integers(1, 64_000),
    st.booleans(),
    st.integers(0, 10**9),
    st.integers(0, 10**8),
)
def test_the_parts_of_a_term_are_its_sum(
    worth: int, urgency: int, speed: int, is_finite: bool, price: int, shadow_price: int
) -> None:
    way = an_alternative("h100:8", speed_permille=speed)
    fastest = 2 * way.gang_speed_permille if is_finite else None
    work = Work(worth=worth, urgency=urgency, fastest_permille=fastest)

    parts = term_parts(work, way, price=price, shadow_price=shadow_price)

    term = term_usd_micros_per_hour(work, way, price=price, shadow_price=shadow_price)
    assert sum(astuple(parts)) == term
    assert max(parts.price_usd_micros_per_hour, parts.urgency_usd_micros_per_hour) <= 0
    assert parts.shadow_usd_micros_per_hour <= 0
    worth_of_work = worth * (fastest or way.gang_speed_permille) // 1_000
    assert abs(parts.work_usd_micros_per_hour - worth_of_work) <= 3
