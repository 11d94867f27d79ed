"""Who makes room for whom, and what keeps a run where it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from scheduler.model.brakes import Freeze, FreezeScope, Hold
from scheduler.model.deferral import DeferralReason
from scheduler.model.disruption import DisruptionBudget
from scheduler.model.ids import ReplicaId
from scheduler.model.job import Job
from scheduler.model.plan import Plan, RecentStop, RunningReplica, Snapshot, WorkLimits
from scheduler.model.pool import Pool
from scheduler.model.replica import Preemption
from scheduler.model.run import EndReason, NodeShare, Run, RunState
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.verify import violations
from tests.builders import (
    HOUR_MS,
    NOW_MS,
    PRINCIPAL,
    VERSION,
    a_job,
    a_pool,
    a_rented_pool,
    a_replica,
    a_run,
    a_slice_pool,
    a_snapshot,
    a_waiting_replica,
)

MINUTE_MS = 60_000


@dataclass(frozen=True)
class Live:
    """A run on a pool, from node `node` on, that has run for `minutes`."""

    job: Job
    pool: str = "pool"
    node: int = 0
    minutes: int | None = 10
    fields: Mapping[str, Any] = field(default_factory=dict)
    replica: Mapping[str, Any] = field(default_factory=dict)


def batch(job_id: str, gang: str = "h100:8", **fields: Any) -> Job:
    return a_job(job_id, gang, priority_class="batch", **fields)


def frontier(job_id: str = "frontier", gang: str = "h100:8", **fields: Any) -> Job:
    return a_job(job_id, gang, priority_class="frontier", **fields)


def a_crowd(jobs: list[Job], pools: list[Pool], live: list[Live], **fields: Any) -> Snapshot:
    """Jobs that wait, beside runs of which some may be stopped."""
    by_id = {str(pool.id): pool for pool in pools}
    runs = [run_of(each, by_id[each.pool]) for each in live]
    waiting = [a_waiting_replica(job, index) for job in jobs for index in range(job.spec.replicas)]
    snapshot = a_snapshot(waiting=waiting, pools=pools, runs=runs)
    running = [running_of(each, run) for each, run in zip(live, runs, strict=True)]
    return replace(snapshot, running=tuple(sorted(running, key=lambda each: each.run.id)), **fields)


def run_of(live: Live, pool: Pool) -> Run:
    way = live.job.spec.alternatives[0]
    began_ms = None if live.minutes is None else NOW_MS - live.minutes * MINUTE_MS
    per_node = 1 if pool.spec.slice_groups else 8 // way.devices_per_task
    shares = [
        NodeShare(node=live.node + number, tasks=way.tasks if pool.spec.slice_groups else per_node)
        for number in range(max(1, way.tasks // per_node))
    ]
    if way.tasks < per_node:
        shares = [NodeShare(node=live.node, tasks=way.tasks)]
    return a_run(live.job, pool, running_at_ms=began_ms, nodes=tuple(shares), **live.fields)


def running_of(live: Live, run: Run) -> RunningReplica:
    return RunningReplica(
        run=run,
        replica=a_replica(live.job, **live.replica),
        job=live.job,
        run_version=VERSION,
        replica_version=VERSION,
        job_planning_version=VERSION,
    )


def planned(snapshot: Snapshot) -> Plan:
    """The plan, the same whether improved or not, and verified."""
    floor = floor_plan(snapshot)
    improved = improve(snapshot, floor, limits=WorkLimits(deterministic_time=0.1))
    assert violations(snapshot, floor) == []
    assert violations(snapshot, improved) == []
    assert improved.steps == floor.steps
    return floor


def stopped(plan: Plan) -> list[str]:
    return sorted(stop.replica_id for stop in plan.stops)


def test_a_worthier_replica_gets_the_place_of_a_less_worthy_run_in_one_step() -> None:
    plan = planned(a_crowd([frontier()], [a_pool()], [Live(batch("low"))]))

    [step] = plan.steps
    assert [(stop.run_id, stop.by) for stop in step.stops] == [("low-0-1", "frontier-0")]
    assert step.places[0].after_runs == ("low-0-1",)
    assert plan.deferrals == ()


def test_a_class_does_not_preempt_its_own() -> None:
    plan = planned(a_crowd([batch("new")], [a_pool()], [Live(batch("low"))]))

    assert plan.steps == ()


def test_free_room_is_used_before_anybody_is_stopped() -> None:
    plan = planned(a_crowd([frontier()], [a_pool(nodes=2)], [Live(batch("low"))]))

    assert stopped(plan) == []
    assert len(plan.places) == 1


def test_the_least_worth_is_stopped_first_then_what_has_run_shortest() -> None:
    live = [
        Live(a_job("standard"), node=0, minutes=1),
        Live(batch("long"), node=1, minutes=90),
        Live(batch("short"), node=2, minutes=5),
    ]

    assert stopped(planned(a_crowd([frontier()], [a_pool(nodes=3)], live))) == ["short-0"]


def test_what_is_not_needed_is_taken_back() -> None:
    small = [Live(batch(f"low-{n}", "h100:1"), node=n, minutes=n + 1) for n in range(3)]
    whole = Live(batch("whole"), node=3, minutes=100)

    plan = planned(a_crowd([frontier()], [a_pool(nodes=4)], [*small, whole]))

    assert stopped(plan) == ["low-0-0"]


def test_more_than_three_times_its_size_is_not_removed_for_a_replica() -> None:
    for nodes, stops in ((3, ["low-0"]), (4, [])):
        low = Live(batch("low", f"h100:{nodes * 8}"))
        plan = planned(a_crowd([frontier()], [a_pool(nodes=nodes)], [low]))

        assert stopped(plan) == stops


def test_the_pool_with_the_least_loss_is_taken() -> None:
    pools = [a_pool("a-pool"), a_pool("b-pool")]
    live = [Live(batch("long"), "a-pool", minutes=200), Live(batch("short"), "b-pool", minutes=2)]

    assert stopped(planned(a_crowd([frontier()], pools, live))) == ["short-0"]


PROTECTED = {
    "not_preemptible": Live(batch("low", preemptible=False)),
    "min_runtime": Live(batch("low", min_runtime_ms=11 * MINUTE_MS)),
    "out_of_reach": Live(
        batch("low"), fields={"state": RunState.UNREACHABLE, "before_unreachable": RunState.RUNNING}
    ),
    "preempted_often": Live(
        batch("low"), replica={"preemptions": (Preemption(NOW_MS - MINUTE_MS, a_pool().id),) * 3}
    ),
}


@pytest.mark.parametrize("live", PROTECTED.values(), ids=PROTECTED.keys())
def test_a_protected_run_is_not_stopped(live: Live) -> None:
    plan = planned(a_crowd([frontier()], [a_pool()], [live]))

    assert plan.steps == ()
    assert plan.deferrals[0][1].reason is DeferralReason.NO_CAPACITY


def test_a_run_whose_protection_is_over_is_stopped() -> None:
    old = (Preemption(NOW_MS - HOUR_MS, a_pool().id),) * 3
    live = Live(batch("low", min_runtime_ms=10 * MINUTE_MS), replica={"preemptions": old})

    assert stopped(planned(a_crowd([frontier()], [a_pool()], [live]))) == ["low-0"]


@pytest.mark.parametrize(
    ("scope", "target"),
    [(FreezeScope.CELL, ""), (FreezeScope.POOL, "pool"), (FreezeScope.QUEUE, "other")],
)
def test_a_freeze_stops_nothing_in_its_scope(scope: FreezeScope, target: str) -> None:
    freeze = Freeze(scope=scope, target=target, reason="", principal=PRINCIPAL, frozen_at_ms=NOW_MS)
    live = [Live(batch("low", queue="other"))]

    assert planned(a_crowd([frontier()], [a_pool()], live, freezes=(freeze,))).steps == ()


def test_a_held_job_keeps_its_run() -> None:
    held = replace(batch("low"), hold=Hold(reason="", principal=PRINCIPAL, held_at_ms=NOW_MS))

    assert planned(a_crowd([frontier()], [a_pool()], [Live(held)])).steps == ()


def test_an_offer_that_nobody_claimed_is_withdrawn_like_any_victim() -> None:
    live = Live(batch("low"), minutes=None, fields={"state": RunState.PLACED})

    assert stopped(planned(a_crowd([frontier()], [a_pool()], [live]))) == ["low-0"]


def test_what_is_stopping_anyhow_is_waited_for_before_another_is_stopped() -> None:
    ending = {
        "state": RunState.STOPPING,
        "stop_reason": EndReason.CANCELLED,
        "stop_requested_at_ms": NOW_MS,
    }
    live = [Live(batch("gone"), node=0, fields=ending), Live(batch("stays"), node=1)]

    plan = planned(a_crowd([frontier()], [a_pool(nodes=2)], live))

    assert stopped(plan) == []
    assert plan.places[0].after_runs == ("gone-0-1",)


def test_what_has_not_ended_within_its_grace_is_not_waited_for() -> None:
    hanging = {
        "state": RunState.STOPPING,
        "stop_reason": EndReason.CANCELLED,
        "stop_requested_at_ms": NOW_MS - 30_001,
    }
    live = [Live(batch("hangs"), node=0, fields=hanging), Live(batch("low"), node=1)]

    assert stopped(planned(a_crowd([frontier()], [a_pool(nodes=2)], live))) == ["low-0"]


def test_two_that_share_a_victim_are_one_step() -> None:
    jobs = [frontier("one", "h100:4"), frontier("two", "h100:4")]

    plan = planned(a_crowd(jobs, [a_pool()], [Live(batch("low"))]))

    [step] = plan.steps
    assert {place.replica_id for place in step.places} == {"one-0", "two-0"}
    assert len(step.stops) == 1


def test_what_a_victim_leaves_over_is_not_given_out_before_it_has_ended() -> None:
    jobs = [frontier("half", "h100:4"), batch("other", "h100:4")]

    plan = planned(a_crowd(jobs, [a_pool()], [Live(batch("low"))]))

    assert [place.replica_id for place in plan.places] == ["half-0"]


def test_slices_and_rented_pools_are_preempted_too() -> None:
    slices = a_slice_pool("slices", slices={"2x2x1": 1})
    rented = a_rented_pool("rented", limit_accelerators=8)
    tpu, gpu = "tpu-v5p:2x2x1", "h100:8"
    for pool, gang in ((slices, tpu), (rented, gpu)):
        live = Live(batch("low", gang), pool.id)

        assert stopped(planned(a_crowd([frontier("high", gang)], [pool], [live]))) == ["low-0"]


def test_the_disruption_budget_holds_stops_back_and_says_so() -> None:
    live = [Live(batch(f"low-{n}"), node=n) for n in range(3)]
    jobs = [frontier(f"high-{n}") for n in range(3)]
    pools = [a_pool(nodes=3)]
    for budget in (
        DisruptionBudget(fleet_stops_per_cycle_max=1),
        DisruptionBudget(pool_stops_per_cycle_max=1),
        DisruptionBudget(queue_stops_per_cycle_max=1),
        DisruptionBudget(fleet_stops_per_hour_max=2),
        DisruptionBudget(pool_stops_per_hour_max=2),
        DisruptionBudget(queue_stops_per_hour_max=2),
    ):
        recent = (RecentStop(NOW_MS - MINUTE_MS, pools[0].id, jobs[0].spec.queue),)
        plan = planned(a_crowd(jobs, pools, live, disruption=budget, recent_stops=recent))

        assert len(plan.stops) == 1
        assert {deferral.reason for _, deferral in plan.deferrals} == {DeferralReason.DISRUPTION_BUDGET}


def test_a_step_that_would_need_too_many_victims_is_not_taken() -> None:
    low = [Live(batch(f"low-{n}", "h100:1"), node=n // 8) for n in range(64)]
    for gang, stops in (("h100:56", 56), ("h100:64", 0)):
        plan = planned(a_crowd([frontier("high", gang)], [a_pool(nodes=8)], low))

        assert len(plan.stops) == stops


def test_a_new_placement_gives_way_to_a_worthier_one() -> None:
    """Whatever a search chose: here the floor's density order prefers the small one."""
    snapshot = a_snapshot(
        jobs=[a_job("small", "h100:1", priority_class="standard"), frontier("big", "h100:8")],
        pools=[a_pool()],
    )

    plan = floor_plan(snapshot)

    assert [place.replica_id for place in plan.places] == [ReplicaId("big-0")]
