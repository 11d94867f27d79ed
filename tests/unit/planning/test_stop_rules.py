"""`violations` finds what breaks each rule about stops and waits."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scheduler.model.brakes import Freeze, FreezeScope
from scheduler.model.deferral import Deferral, DeferralReason
from scheduler.model.disruption import DisruptionBudget
from scheduler.model.ids import ReplicaId, RunId
from scheduler.model.limits import VICTIMS_PER_STEP_MAX
from scheduler.model.plan import Plan, RunningReplica, Snapshot
from scheduler.model.pool import CapacityFall, PendingPrice
from scheduler.model.run import NodeShare, RunState
from scheduler.planning.planner import floor_plan
from scheduler.planning.verify import Rule, violations
from tests.builders import NOW_MS, PRINCIPAL, a_pin, a_pool, a_run
from tests.unit.planning.test_preempting import Live, a_crowd, batch, frontier

Mutation = Callable[[Snapshot, Plan], tuple[Snapshot, Plan]]


def world() -> Snapshot:
    """Two nodes: on one a run that makes room for the one that waits, on the other one that need not."""
    live = [Live(batch("low"), node=0, minutes=5), Live(batch("other"), node=1, minutes=90)]
    return a_crowd([frontier()], [a_pool(nodes=2)], live)


def step_with(**fields: Any) -> Mutation:
    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        return snapshot, replace(plan, steps=(replace(plan.steps[0], **fields),))

    return mutated


def stop_with(**fields: Any) -> Mutation:
    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        stop = replace(plan.steps[0].stops[0], **fields)
        return step_with(stops=(stop,))(snapshot, plan)

    return mutated


def place_with(**fields: Any) -> Mutation:
    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        place = replace(plan.steps[0].places[0], **fields)
        return step_with(places=(place,))(snapshot, plan)

    return mutated


def victim_with(change: Callable[[RunningReplica], RunningReplica]) -> Mutation:
    """The same plan where the victim is otherwise."""

    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        running = tuple(change(each) if each.job.id == "low" else each for each in snapshot.running)
        return replace(snapshot, running=running), plan

    return mutated


def spec_with(**fields: Any) -> Mutation:
    return victim_with(
        lambda each: replace(each, job=replace(each.job, spec=replace(each.job.spec, **fields)))
    )


def snapshot_with(**fields: Any) -> Mutation:
    return lambda snapshot, plan: (replace(snapshot, **fields), plan)


def stopped_twice(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    return step_with(stops=plan.steps[0].stops * 2)(snapshot, plan)


def stopped_over_and_over(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    return step_with(stops=plan.steps[0].stops * (VICTIMS_PER_STEP_MAX + 1))(snapshot, plan)


def without_grounds(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    return step_with(preconditions=plan.steps[0].preconditions[:-7])(snapshot, plan)


def of_the_same_class(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    return spec_with(priority_class="frontier")(snapshot, plan)


def nobody_placed(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    deferral = (ReplicaId("frontier-0"), Deferral(reason=DeferralReason.NO_CAPACITY))
    return snapshot, replace(plan, steps=(), deferrals=(deferral,))


def beside_one_that_waits_for_less(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    """An earlier placement waits on the node, for a run that is stopping, not for the new victim."""
    [planned] = snapshot.pools
    going = a_run(
        batch("going", "h100:1"), planned.pool, state=RunState.STOPPING, nodes=(NodeShare(node=0, tasks=1),)
    )
    early = a_run(
        frontier("early", "h100:1"),
        planned.pool,
        state=RunState.PLACED,
        after_runs=(going.id,),
        nodes=(NodeShare(node=0, tasks=1),),
    )
    return replace(snapshot, pools=(replace(planned, live_runs=(*planned.live_runs, going, early)),)), plan


def pinned(each: RunningReplica) -> RunningReplica:
    return replace(each, replica=replace(each.replica, pin=a_pin(each.run.pool_id)))


def pool_with(**fields: Any) -> Mutation:
    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        [planned] = snapshot.pools
        return replace(snapshot, pools=(replace(planned, pool=replace(planned.pool, **fields)),)), plan

    return mutated


WAITING_PRICE = PendingPrice(usd_micros_per_accelerator_hour=0, principal=PRINCIPAL, asked_at_ms=NOW_MS)
FALL = CapacityFall(principal=PRINCIPAL, fallen_at_ms=NOW_MS)
FROZEN = Freeze(
    scope=FreezeScope.QUEUE, target="research", reason="", principal=PRINCIPAL, frozen_at_ms=NOW_MS
)

BROKEN: list[tuple[Rule, str, Mutation]] = [
    (Rule.STOPPED_ONCE, "low-0-1", stopped_twice),
    (Rule.STOP_ALLOWED, "nobody", stop_with(run_id=RunId("nobody"))),
    (Rule.STOP_ALLOWED, "low-0-1", spec_with(preemptible=False)),
    (Rule.STOP_ALLOWED, "low-0-1", spec_with(min_runtime_ms=3_600_000)),
    (Rule.STOP_ALLOWED, "low-0-1", snapshot_with(freezes=(FROZEN,))),
    (Rule.STOP_ALLOWED, "low-0-1", victim_with(pinned)),
    (Rule.STOP_ALLOWED, "low-0-1", pool_with(pending_price=WAITING_PRICE)),
    (Rule.STOP_ALLOWED, "low-0-1", pool_with(capacity_fall=FALL, confirmed_accelerators=64)),
    (Rule.STOP_ALLOWED, "low-0-1", snapshot_with(disruption=DisruptionBudget(preemptions_per_hour_max=0))),
    (Rule.STOP_WORTHIER, "low-0-1", of_the_same_class),
    (Rule.STOP_NEEDED, "other-0-1", stop_with(run_id=RunId("other-0-1"), replica_id=ReplicaId("other-0"))),
    (Rule.STOP_NEEDED, "low-0-1", stop_with(by=ReplicaId("nobody-0"))),
    (Rule.PRECONDITIONS, "low-0-1", without_grounds),
    (Rule.WAITS_FOR_ENDS, "frontier-0", place_with(after_runs=(RunId("low-0-1"), RunId("nobody")))),
    (Rule.WAITS_FOR_ENDS, "frontier-0", place_with(after_runs=(RunId("low-0-1"), RunId("other-0-1")))),
    (Rule.WAITS_ALIKE, "early-0", beside_one_that_waits_for_less),
    (Rule.NODE_CAPACITY, "pool/0", place_with(after_runs=())),
    (Rule.WAITS_FOR_ENDS, "frontier-0", step_with(stops=())),
    (Rule.STEP_SIZE, "frontier-0", stopped_over_and_over),
    (Rule.DISRUPTION_BUDGET, "fleet", snapshot_with(disruption=DisruptionBudget(fleet_stops_per_hour_max=0))),
    (Rule.WORTHIER_FIRST, "frontier-0", nobody_placed),
]


def test_the_plan_before_it_is_broken_breaks_nothing() -> None:
    snapshot = world()

    assert violations(snapshot, floor_plan(snapshot)) == []


@pytest.mark.parametrize(
    ("rule", "subject", "mutate"),
    BROKEN,
    ids=[f"{number}-{rule}-{subject}" for number, (rule, subject, _) in enumerate(BROKEN)],
)
def test_a_broken_rule_is_found(rule: Rule, subject: str, mutate: Mutation) -> None:
    snapshot = world()
    changed, plan = mutate(snapshot, floor_plan(snapshot))

    found = {(violation.rule, violation.subject) for violation in violations(changed, plan)}

    assert (rule, subject) in found


def test_every_rule_about_stops_has_a_case() -> None:
    about_stops = set(list(Rule)[list(Rule).index(Rule.STOPPED_ONCE) :])

    assert {rule for rule, _, _ in BROKEN} >= about_stops
