"""`violations` finds what breaks each rule, and nothing in what breaks none."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from scheduler.model.brakes import Freeze, FreezeScope, Hold
from scheduler.model.ids import PoolId, ReplicaId, Revision
from scheduler.model.job import Constraints, Job, Market
from scheduler.model.plan import Place, Plan, PlannedQueue, Snapshot, Step
from scheduler.model.pool import Pool, PoolStatus
from scheduler.model.queue import Quota
from scheduler.model.run import NodeShare, RunState
from scheduler.planning.planner import floor_plan
from scheduler.planning.verify import Rule, violations
from tests.builders import (
    DOLLAR,
    NOW_MS,
    PRINCIPAL,
    a_job,
    a_pin,
    a_pool,
    a_queue,
    a_quota,
    a_rented_pool,
    a_run,
    a_slice_pool,
    a_snapshot,
)

Mutation = Callable[[Snapshot, Plan], tuple[Snapshot, Plan]]


def world() -> Snapshot:
    """Something on nodes, something rented and two slices, each with room to spare."""
    return a_snapshot(
        jobs=[
            a_job("nodes", "h100:16"),
            a_job("rented", "a100:8"),
            a_job("slice", "tpu-v5p:2x2x1", replicas=2),
        ],
        pools=[
            a_pool("h", nodes=4),
            a_rented_pool("r", "a100", price_usd_micros_per_accelerator_hour=DOLLAR),
            a_slice_pool("s", slices={"2x2x1": 2, "2x2x2": 2}),
        ],
    )


def placing(replica_id: str, **fields: Any) -> Mutation:
    """The plan with other fields in one placement."""

    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        return snapshot, with_steps(plan, lambda step: changed(step, replica_id, fields))

    return mutated


def changed(step: Step, replica_id: str, fields: dict[str, Any]) -> Step:
    [place] = step.places
    if place.replica_id != replica_id:
        return step
    return replace(step, places=(replace(place, placement=replace(place.placement, **fields)),))


def with_steps(plan: Plan, change: Callable[[Step], Step]) -> Plan:
    return replace(plan, steps=tuple(change(step) for step in plan.steps))


def pool_with(pool_id: str, change: Callable[[Pool], Pool]) -> Mutation:
    """The same plan on a snapshot where one pool is otherwise."""

    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        pools = tuple(
            replace(planned, pool=change(planned.pool)) if planned.pool.id == pool_id else planned
            for planned in snapshot.pools
        )
        return replace(snapshot, pools=pools), plan

    return mutated


def spec_with(pool_id: str, **fields: Any) -> Mutation:
    return pool_with(pool_id, lambda pool: replace(pool, spec=replace(pool.spec, **fields)))


def job_with(job_id: str, **fields: Any) -> Mutation:
    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        def other(job: Job) -> Job:
            return replace(job, spec=replace(job.spec, **fields)) if job.id == job_id else job

        waiting = tuple(replace(each, job=other(each.job)) for each in snapshot.waiting)
        return replace(snapshot, waiting=waiting), plan

    return mutated


def running_beside(pool_id: str, job: Job, **fields: Any) -> Mutation:
    """The same plan where a run already lives on the pool."""

    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        pools = tuple(
            replace(planned, live_runs=(a_run(job, planned.pool, **fields),))
            if planned.pool.id == pool_id
            else planned
            for planned in snapshot.pools
        )
        return replace(snapshot, pools=pools), plan

    return mutated


def placed_again(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    return snapshot, replace(plan, steps=(*plan.steps, plan.steps[0]))


def placed_for_nobody(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    [place] = plan.steps[0].places
    stray = Place(replica_id=ReplicaId("stray-0"), placement=place.placement)
    return snapshot, replace(plan, steps=(*plan.steps, replace(plan.steps[0], places=(stray,))))


def forgotten(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    return snapshot, replace(plan, steps=plan.steps[1:])


def unchecked(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    return snapshot, with_steps(plan, lambda step: replace(step, preconditions=step.preconditions[1:]))


def of_another_revision(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    return snapshot, replace(plan, revision=Revision(7))


def backing_off(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    waiting = tuple(
        replace(each, replica=replace(each.replica, not_before_ms=NOW_MS + 1)) for each in snapshot.waiting
    )
    return replace(snapshot, waiting=waiting), plan


def nodes(*numbers: int, tasks: int = 1) -> tuple[NodeShare, ...]:
    return tuple(NodeShare(node=number, tasks=tasks) for number in numbers)


def with_quota(*quotas: Quota) -> Mutation:
    """The same plan on a snapshot where the queue has a record."""

    def mutated(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
        queue = PlannedQueue(queue=a_queue("research", *quotas), planning_version=Revision(1))
        return replace(snapshot, queues=(queue,)), plan

    return mutated


@dataclass(frozen=True, kw_only=True)
class Case:
    id: str
    mutation: Mutation
    rules: set[Rule]


def holding(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    hold = Hold(reason="a test", principal=PRINCIPAL, held_at_ms=NOW_MS)
    waiting = tuple(replace(each, job=replace(each.job, hold=hold)) for each in snapshot.waiting)
    return replace(snapshot, waiting=waiting), plan


def freezing(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    freeze = Freeze(scope=FreezeScope.CELL, reason="a test", principal=PRINCIPAL, frozen_at_ms=NOW_MS)
    return replace(snapshot, freezes=(freeze,)), plan


def pinning_elsewhere(snapshot: Snapshot, plan: Plan) -> tuple[Snapshot, Plan]:
    waiting = tuple(
        replace(each, replica=replace(each.replica, pin=a_pin("another"))) for each in snapshot.waiting
    )
    return replace(snapshot, waiting=waiting), plan


CASES = [
    Case(id="placed_twice", mutation=placed_again, rules={Rule.PLACED_ONCE, Rule.NODE_CAPACITY}),
    Case(id="not_waiting", mutation=placed_for_nobody, rules={Rule.WAS_WAITING, Rule.NODE_CAPACITY}),
    Case(id="neither_placed_nor_deferred", mutation=forgotten, rules={Rule.ACCOUNTED_FOR}),
    Case(id="of_another_revision", mutation=of_another_revision, rules={Rule.OF_THE_SNAPSHOT}),
    Case(id="ground_is_not_checked", mutation=unchecked, rules={Rule.PRECONDITIONS}),
    Case(id="backs_off", mutation=backing_off, rules={Rule.BACK_OFF}),
    Case(id="held", mutation=holding, rules={Rule.HELD}),
    Case(id="frozen", mutation=freezing, rules={Rule.FROZEN}),
    Case(id="pinned", mutation=pinning_elsewhere, rules={Rule.PINNED}),
    Case(id="unknown_pool", mutation=placing("nodes-0", pool_id=PoolId("x")), rules={Rule.KNOWN_POOL}),
    Case(
        id="cordoned",
        mutation=pool_with("h", lambda pool: replace(pool, cordon=a_pool(cordoned=True).cordon)),
        rules={Rule.POOL_OPEN},
    ),
    Case(
        id="deleting",
        mutation=pool_with("h", lambda pool: replace(pool, deleting=True)),
        rules={Rule.POOL_OPEN},
    ),
    Case(
        id="not_ready",
        mutation=pool_with("h", lambda pool: replace(pool, status=PoolStatus())),
        rules={Rule.POOL_OPEN},
    ),
    Case(
        id="no_such_alternative",
        mutation=placing("nodes-0", alternative_index=1),
        rules={Rule.ALTERNATIVE},
    ),
    Case(id="other_accelerator", mutation=spec_with("h", accelerator="a100"), rules={Rule.ALTERNATIVE}),
    Case(id="other_market", mutation=placing("nodes-0", market=Market.SPOT), rules={Rule.ALTERNATIVE}),
    Case(
        id="denied_pool",
        mutation=job_with("nodes", constraints=Constraints(denied_pools=(PoolId("h"),))),
        rules={Rule.CONSTRAINTS},
    ),
    Case(
        id="wrong_residency",
        mutation=job_with("nodes", constraints=Constraints(residency=("eu",))),
        rules={Rule.CONSTRAINTS},
    ),
    Case(id="task_is_missing", mutation=placing("nodes-0", nodes=nodes(0)), rules={Rule.GANG_WHOLE}),
    Case(
        id="node_named_twice",
        mutation=placing("rented-0", nodes=nodes(0, 0)),
        rules={Rule.GANG_WHOLE, Rule.NODE_CAPACITY},
    ),
    Case(id="smaller_gang", mutation=placing("nodes-0", tasks=1), rules={Rule.GANG_WHOLE}),
    Case(id="other_charge", mutation=placing("nodes-0", charged_usd_micros_per_hour=1), rules={Rule.NUMBERS}),
    Case(id="other_term", mutation=placing("nodes-0", term_usd_micros_per_hour=1), rules={Rule.NUMBERS}),
    Case(
        id="not_worth_its_price",
        mutation=spec_with("r", price_usd_micros_per_accelerator_hour=99 * DOLLAR),
        rules={Rule.NUMBERS},
    ),
    Case(
        id="no_such_node",
        mutation=placing("nodes-0", nodes=nodes(0, 9)),
        rules={Rule.NODE_THERE, Rule.NODE_CAPACITY},
    ),
    Case(
        id="unavailable_node",
        mutation=pool_with(
            "h", lambda pool: replace(pool, status=PoolStatus(ready=True, unavailable_nodes=(1,)))
        ),
        rules={Rule.NODE_THERE},
    ),
    Case(
        id="cordoned_node",
        mutation=pool_with(
            "h", lambda pool: replace(pool, node_cordons=a_pool(cordoned_nodes=(1,)).node_cordons)
        ),
        rules={Rule.NODE_CORDONED},
    ),
    Case(
        id="two_tasks_on_a_full_node",
        mutation=placing("nodes-0", nodes=nodes(0, tasks=2)),
        rules={Rule.NODE_CAPACITY},
    ),
    Case(
        id="beside_what_runs_in_blocks",
        mutation=running_beside("h", a_job("busy", "h100:1")),
        rules={Rule.NODE_CAPACITY},
    ),
    Case(id="one_slice_for_two", mutation=placing("slice-0", nodes=nodes(1)), rules={Rule.SLICE_USED_ONCE}),
    Case(
        id="slice_in_use",
        mutation=running_beside("s", a_job("busy", "tpu-v5p:2x2x1")),
        rules={Rule.SLICE_USED_ONCE},
    ),
    Case(
        id="slice_of_another_topology",
        mutation=placing("slice-0", nodes=nodes(2)),
        rules={Rule.SLICE_TOPOLOGY},
    ),
    Case(
        id="over_the_limit",
        mutation=spec_with("r", limit_accelerators=7),
        rules={Rule.LIMIT, Rule.BELIEVED_FREE},
    ),
    Case(
        id="over_what_is_believed",
        mutation=pool_with(
            "r", lambda pool: replace(pool, availability=a_rented_pool(believed=4).availability)
        ),
        rules={Rule.BELIEVED_FREE},
    ),
    Case(
        id="over_what_is_believed_beside_what_starts",
        mutation=running_beside("r", a_job("busy", "a100:64"), state=RunState.STARTING, nodes=()),
        rules={Rule.LIMIT, Rule.BELIEVED_FREE},
    ),
    Case(id="over_a_quota", mutation=with_quota(a_quota(4, "a100")), rules={Rule.QUOTA, Rule.PRECONDITIONS}),
    Case(id="of_a_queue_that_was_made_since", mutation=with_quota(), rules={Rule.PRECONDITIONS}),
]


def test_a_good_plan_breaks_nothing() -> None:
    snapshot = world()

    plan = floor_plan(snapshot)

    assert len(plan.places) == 4
    assert violations(snapshot, plan) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_violations(case: Case) -> None:
    snapshot, plan = case.mutation(world(), floor_plan(world()))

    found = violations(snapshot, plan)

    assert {violation.rule for violation in found} == case.rules


def test_every_rule_is_planted() -> None:
    about_stops = set(list(Rule)[list(Rule).index(Rule.STOPPED_ONCE) :])  # in test_stop_rules
    assert {rule for case in CASES for rule in case.rules} == set(Rule) - about_stops


def test_what_running_work_violates_already_is_no_reason_to_refuse() -> None:
    """The pool shrank under a run and its quota was lowered: a job elsewhere may still be placed."""
    pool = a_rented_pool("r", nodes=1, limit_accelerators=8)
    run = a_run(a_job("busy", "h100:16"), pool, nodes=nodes(0, 1))
    snapshot = a_snapshot(jobs=[a_job("job")], pools=[pool, a_pool("free")], runs=[run])

    plan = floor_plan(snapshot)

    assert [place.placement.pool_id for place in plan.places] == ["free"]
    assert violations(snapshot, plan) == []


def test_the_amount_is_told_before_and_after() -> None:
    snapshot, plan = placing("nodes-0", nodes=nodes(0, tasks=2))(world(), floor_plan(world()))

    [violation] = violations(snapshot, plan)

    assert (violation.subject, violation.before, violation.after) == ("h/0", 0, 8)
