"""Preemption with quotas and shares: what is stopped gives its quota back, and no more is taken."""

from dataclasses import replace

from scheduler.model.deferral import DeferralReason
from scheduler.model.ids import QueueName
from scheduler.model.job import Job
from scheduler.model.plan import Snapshot, Usage
from scheduler.model.queue import COST, Cohort, Queue
from tests.builders import (
    DOLLAR,
    a_cohort,
    a_pool,
    a_queue,
    a_quota,
    a_rented_pool,
    a_usage,
    with_queues,
)
from tests.unit.planning.test_preempting import Live, a_crowd, batch, frontier, planned, stopped


def of(queue: str, job: Job) -> Job:
    return replace(job, spec=replace(job.spec, queue=QueueName(queue)))


def a_full_pool(*holders: Queue | Cohort, victim: str, usage: tuple[Usage, ...]) -> Snapshot:
    """A pool of one node that a batch run of the victim's queue holds, and a frontier job of queue a."""
    live = [Live(of(victim, batch("low")))]
    return with_queues(
        a_crowd([of("a", frontier())], [a_pool()], live),
        *holders,
        usage=usage,
    )


def test_a_queue_whose_quota_is_used_up_preempts_its_own() -> None:
    world = a_full_pool(a_queue("a", a_quota(8)), victim="a", usage=(a_usage("a", 8),))

    assert stopped(planned(world)) == ["low-0"]


def test_what_another_queue_gives_back_is_not_its_own() -> None:
    world = a_full_pool(
        a_queue("a", a_quota(8)),
        a_queue("b", a_quota(8)),
        victim="b",
        usage=(a_usage("a", 8), a_usage("b", 8)),
    )
    plan = planned(world)

    assert plan.steps == ()
    [(_, deferral)] = plan.deferrals
    assert deferral.reason is DeferralReason.OVER_QUOTA
    assert deferral.quota is not None
    assert deferral.quota.available == 0


def test_what_another_queue_of_the_cohort_gives_back_may_be_borrowed() -> None:
    world = a_full_pool(
        a_queue("a", a_quota(8), cohort="c"),
        a_queue("b", a_quota(8), cohort="c"),
        a_cohort("c"),
        victim="b",
        usage=(a_usage("a", 8), a_usage("b", 8)),
    )
    assert stopped(planned(world)) == ["low-0"]


def test_who_uses_more_than_the_quota_does_not_go_on_so_by_preempting() -> None:
    world = a_full_pool(a_queue("a", a_quota(8)), victim="a", usage=(a_usage("a", 24),))

    assert planned(world).steps == ()


def test_a_quota_of_cost_passes_on_too() -> None:
    live = [Live(of("a", batch("low")))]
    price = {"price_usd_micros_per_accelerator_hour": 2 * DOLLAR}
    world = a_crowd([of("a", frontier())], [a_pool(**price)], live)
    charged = world.pools[0].live_runs[0].placement.charged_usd_micros_per_hour
    queue = a_queue("a", a_quota(charged // 1_000, COST))

    plan = planned(with_queues(world, queue, usage=(a_usage("a", 8, charged=charged),)))

    assert stopped(plan) == ["low-0"]


def test_two_do_not_share_what_one_victim_gives_back() -> None:
    """Room for both, quota for one."""
    jobs = [of("a", frontier("one", "h100:8")), of("a", frontier("two", "h100:8"))]
    live = [Live(of("a", batch("mine")), node=0, minutes=1), Live(of("b", batch("other")), node=1)]
    world = a_crowd(jobs, [a_pool(nodes=2)], live)

    plan = planned(with_queues(world, a_queue("a", a_quota(8)), usage=(a_usage("a", 8), a_usage("b", 8))))

    assert stopped(plan) == ["mine-0"]
    assert len(plan.places) == 1


def test_free_room_that_is_not_worth_its_toll_is_not_taken_by_the_repair() -> None:
    """Queue a uses far more than its share; the rented pool costs more than what is left of V (3/4)."""
    jobs = [of("a", frontier("late", "h100:8")), of("b", batch("low", "h100:1"))]
    dear = a_rented_pool("dear", price_usd_micros_per_accelerator_hour=80 * DOLLAR, limit_accelerators=8)
    world = a_crowd(jobs, [dear, a_pool("own", "h100", devices_per_node=1)], [])

    plan = planned(with_queues(world, usage=(a_usage("a", 1_000),)))

    assert [place.replica_id for place in plan.places] == ["low-0"]
