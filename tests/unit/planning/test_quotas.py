"""Quotas: what a queue may use, borrow and must leave; the numbers a waiting replica is told."""

import pytest

from scheduler.model.deferral import Deferral, DeferralReason, PoolVerdict
from scheduler.model.ids import QueueName
from scheduler.model.plan import Plan, Snapshot, Usage, WorkLimits
from scheduler.model.queue import COST, Cohort, Queue
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.quota_rules import excesses, used_now
from scheduler.planning.verify import violations
from tests.builders import (
    DOLLAR,
    a_cohort,
    a_job,
    a_pool,
    a_queue,
    a_quota,
    a_rented_pool,
    a_snapshot,
    a_usage,
    with_queues,
)


def a_world(
    *holders: Queue | Cohort, wants: dict[str, int], usage: tuple[Usage, ...] = (), nodes: int = 100
) -> Snapshot:
    """So many jobs of 8 h100 per queue, and room for all of them."""
    jobs = [
        a_job(f"{queue}-{number}", "h100:8", queue=QueueName(queue))
        for queue, count in wants.items()
        for number in range(count)
    ]
    return with_queues(a_snapshot(jobs=jobs, pools=[a_pool("pool", nodes=nodes)]), *holders, usage=usage)


def planned(snapshot: Snapshot) -> Plan:
    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits(deterministic_time=0.5))
    assert violations(snapshot, plan) == []
    return plan


def placed(snapshot: Snapshot) -> dict[str, int]:
    """Jobs placed, by queue."""
    queues = {each.replica.id: each.job.spec.queue for each in snapshot.waiting}
    found: dict[str, int] = dict.fromkeys(sorted(set(queues.values())), 0)
    for place in planned(snapshot).places:
        found[queues[place.replica_id]] += 1
    return found


def told(snapshot: Snapshot) -> Deferral:
    """Why the last one waits."""
    return planned(snapshot).deferrals[-1][1]


def test_a_queue_without_a_record_has_no_end() -> None:
    assert placed(a_world(a_queue("other", a_quota(8)), wants={"research": 5})) == {"research": 5}


def test_a_queue_alone_has_its_nominal_quota() -> None:
    assert placed(a_world(a_queue("research", a_quota(20)), wants={"research": 5})) == {"research": 2}


def test_what_runs_counts() -> None:
    world = a_world(a_queue("research", a_quota(20)), wants={"research": 5}, usage=(a_usage("research", 10),))
    assert placed(world) == {"research": 1}


def test_an_accelerator_that_no_quota_names_has_no_end() -> None:
    assert placed(a_world(a_queue("research", a_quota(0, "a100")), wants={"research": 5})) == {"research": 5}


def test_members_of_a_cohort_borrow_what_others_leave() -> None:
    queues = (a_queue("a", a_quota(16), cohort="c"), a_queue("b", a_quota(16), cohort="c"))
    assert placed(a_world(*queues, a_cohort("c"), wants={"a": 9})) == {"a": 4}
    assert sum(placed(a_world(*queues, a_cohort("c"), wants={"a": 9, "b": 9})).values()) == 4


def test_a_member_without_a_quota_may_borrow_only() -> None:
    world = a_world(
        a_queue("a", cohort="c"), a_queue("b", a_quota(16), cohort="c"), a_cohort("c"), wants={"a": 9}
    )
    assert placed(world) == {"a": 2}


def test_no_more_is_borrowed_than_the_borrowing_limit() -> None:
    world = a_world(
        a_queue("a", a_quota(16, borrowing_limit=8), cohort="c"),
        a_queue("b", a_quota(80), cohort="c"),
        a_cohort("c"),
        wants={"a": 9},
    )
    assert placed(world) == {"a": 3}


def test_no_more_is_lent_than_the_lending_limit() -> None:
    world = a_world(
        a_queue("a", a_quota(16), cohort="c"),
        a_queue("b", a_quota(80, lending_limit=24), cohort="c"),
        a_cohort("c"),
        wants={"a": 9},
    )
    assert placed(world) == {"a": 5}


def test_what_a_member_keeps_to_itself_stays_its_own_while_others_use_all_that_is_lent() -> None:
    world = a_world(
        a_queue("a", a_quota(16), cohort="c"),
        a_queue("b", a_quota(80, lending_limit=24), cohort="c"),
        a_cohort("c"),
        wants={"a": 9, "b": 20},
        usage=(a_usage("a", 40),),
    )
    assert placed(world) == {"a": 0, "b": 7}


def test_the_quota_of_a_cohort_is_for_all_its_members() -> None:
    world = a_world(a_queue("a", cohort="c"), a_cohort("c", a_quota(24)), wants={"a": 9})
    assert placed(world) == {"a": 3}


def test_cohorts_borrow_from_cohorts_within_their_limits() -> None:
    holders = (
        a_queue("a", a_quota(8), cohort="inner"),
        a_queue("b", a_quota(80), cohort="other"),
        a_cohort("inner", a_quota(0, borrowing_limit=16), parent="outer"),
        a_cohort("other", parent="outer"),
        a_cohort("outer"),
    )
    assert placed(a_world(*holders, wants={"a": 9})) == {"a": 3}


def test_a_quota_of_cost_weighs_unlike_accelerators_by_their_price() -> None:
    jobs = [a_job(f"job-{number}", "h100:8", priority_class="frontier") for number in range(4)]
    pools = [
        a_rented_pool("dear", price_usd_micros_per_accelerator_hour=4 * DOLLAR, limit_accelerators=16),
        a_rented_pool("cheap", price_usd_micros_per_accelerator_hour=2 * DOLLAR, limit_accelerators=16),
    ]
    queue = a_queue("research", a_quota(64_000, COST))  # two cheap ones and one dear one

    plan = planned(with_queues(a_snapshot(jobs=jobs, pools=pools), queue))

    assert sorted(place.placement.pool_id for place in plan.places) == ["cheap", "cheap", "dear"]


def test_worthier_jobs_get_the_quota() -> None:
    jobs = [
        a_job("low", "h100:8", priority_class="batch"),
        a_job("high", "h100:8", priority_class="frontier"),
    ]
    snapshot = with_queues(a_snapshot(jobs=jobs, pools=[a_pool(nodes=4)]), a_queue("research", a_quota(8)))

    assert [place.replica_id for place in planned(snapshot).places] == ["high-0"]


def test_a_replica_over_its_quota_is_told_whose_and_how_much() -> None:
    world = a_world(
        a_queue("a", a_quota(16), cohort="c"),
        a_queue("b", a_quota(4), cohort="c"),
        a_cohort("c"),
        wants={"a": 1},
        usage=(a_usage("a", 14),),
    )
    deferral = told(world)

    assert deferral.reason is DeferralReason.OVER_QUOTA
    assert deferral.verdicts == ((PoolVerdict.OVER_QUOTA, 1),)
    assert deferral.quota is not None
    assert (deferral.quota.cohort, deferral.quota.queue, deferral.quota.resource) == ("c", "", "h100")
    assert (deferral.quota.needed, deferral.quota.available, deferral.quota.limit) == (8, 6, 20)


def test_the_borrowing_limit_that_binds_is_the_queues_own() -> None:
    world = a_world(
        a_queue("a", a_quota(16, borrowing_limit=0), cohort="c"),
        a_queue("b", a_quota(80), cohort="c"),
        a_cohort("c"),
        wants={"a": 3},
    )
    deferral = told(world)

    assert deferral.reason is DeferralReason.OVER_QUOTA  # of what the others of the plan have left
    assert deferral.quota is not None
    assert (deferral.quota.queue, deferral.quota.available, deferral.quota.limit) == ("a", 0, 16)


def test_a_full_pool_is_told_before_a_quota_that_would_do() -> None:
    world = a_world(a_queue("research", a_quota(80)), wants={"research": 2}, nodes=1)
    assert told(world).reason is DeferralReason.OUTBID


def test_what_uses_too_much_already_keeps_nobody_else_out() -> None:
    """A quota was lowered under running work: who has quota of its own that it does not lend may use it."""
    world = a_world(
        a_queue("a", a_quota(8), cohort="c"),
        a_queue("b", a_quota(16, lending_limit=0), cohort="c"),
        a_cohort("c"),
        wants={"a": 1, "b": 2},
        usage=(a_usage("a", 80),),
    )
    assert excesses(world, used_now(world)) == {"cohort c/h100": 72}
    assert placed(world) == {"a": 0, "b": 2}


@pytest.mark.parametrize("cohort", ["gone", None])
def test_a_cohort_that_nobody_made_lends_nothing(cohort: str | None) -> None:
    world = a_world(a_queue("a", a_quota(8), cohort=cohort), wants={"a": 3})
    assert placed(world) == {"a": 1}


def test_an_imported_ring_of_cohorts_limits_nobody_and_holds_no_plan_up() -> None:
    ring = (a_cohort("a", a_quota(0), parent="b"), a_cohort("b", parent="a"))
    world = a_world(a_queue("research", cohort="a"), *ring, wants={"research": 2})

    assert placed(world) == {"research": 2}
