"""Composition: counts become a plan of steps, deferrals and quality."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from scheduler.model.brakes import freeze_ids
from scheduler.model.guidance import Guidance
from scheduler.model.ids import PoolId, QueueName
from scheduler.model.plan import Place, Plan, PlanMethod, PlanQuality, Snapshot, Step, WaitingReplica
from scheduler.model.queue import CohortName
from scheduler.model.records import Key, Kind
from scheduler.model.run import NodeShare, Placement
from scheduler.model.transaction import Check, IsAbsent, IsAt, IsPlannedAt
from scheduler.planning.explanation import deferrals_of
from scheduler.planning.nodes import assigned, gang_of
from scheduler.planning.problem import Integers, Problem
from scheduler.planning.worth import charged_usd_micros_per_hour


class Choice(NamedTuple):
    """A replica and the column that it got."""

    waiting: WaitingReplica
    bundle: int
    column: int


class RunnerUp(NamedTuple):
    """The best column of a bundle on another pool."""

    pool_id: PoolId | None
    term: int


def plan_of(
    problem: Problem,
    taken: Integers,
    *,
    method: PlanMethod,
    quality: PlanQuality,
    shadow_prices: tuple[tuple[PoolId, int], ...],
    guidance: Guidance,
) -> Plan:
    """The plan that takes each column that often."""
    return Plan(
        revision=problem.snapshot.revision,
        method=method,
        steps=steps_of(problem, taken),
        deferrals=deferrals_of(problem, taken),
        quality=quality,
        shadow_prices=shadow_prices,
        guidance=guidance,
    )


def steps_of(problem: Problem, taken: Integers) -> tuple[Step, ...]:
    """One step per placement, most worth first."""
    places = [
        (choice.waiting, placement)
        for pool, choices in choices_by_pool(problem, taken)
        for choice, placement in placements_in(problem, pool, choices)
    ]
    places.sort(key=lambda each: (-each[1].term_usd_micros_per_hour, each[0].replica.id))
    queues = {waiting.job.spec.queue for waiting, _ in places}
    of_quotas = {queue: tuple(quota_grounds(problem.snapshot, queue)) for queue in queues}
    versions = {planned.pool.id: planned.planning_version for planned in problem.pools}
    return tuple(
        Step(
            places=(Place(replica_id=waiting.replica.id, placement=placement),),
            preconditions=(
                IsAt(Key(Kind.REPLICA, waiting.replica.id), waiting.replica_version),
                IsPlannedAt(Key(Kind.JOB, waiting.job.id), waiting.job_planning_version),
                IsPlannedAt(Key(Kind.POOL, placement.pool_id), versions[placement.pool_id]),
                *(
                    IsAbsent(Key(Kind.FREEZE, id_))
                    for id_ in freeze_ids(placement.pool_id, waiting.job.spec.queue)
                ),
                *of_quotas[waiting.job.spec.queue],
            ),
        )
        for waiting, placement in places
    )


def quota_grounds(snapshot: Snapshot, queue: QueueName) -> Iterator[Check]:
    """That the queue, and every cohort above it, have the quotas that they were planned with."""
    queues = {planned.queue.name: planned for planned in snapshot.queues}
    cohorts = {planned.cohort.name: planned for planned in snapshot.cohorts}
    if queue not in queues:
        yield IsAbsent(Key(Kind.QUEUE, queue))
        return
    yield IsPlannedAt(Key(Kind.QUEUE, queue), queues[queue].planning_version)
    name, seen = queues[queue].queue.cohort, set[CohortName]()
    while name is not None and name not in seen:  # a ring is refused when it is made, but may be imported
        if name not in cohorts:
            yield IsAbsent(Key(Kind.COHORT, name))
            return
        seen.add(name)
        yield IsPlannedAt(Key(Kind.COHORT, name), cohorts[name].planning_version)
        name = cohorts[name].cohort.parent


def choices_by_pool(problem: Problem, taken: Integers) -> Iterator[tuple[int, list[Choice]]]:
    """By pool; of a bundle, the longest waiting get the best columns."""
    columns, placed = problem.columns, np.flatnonzero(taken)
    order = placed[np.lexsort((placed, -columns.term[placed], columns.bundle[placed]))]
    queues = {number: iter(problem.bundles[number].replicas) for number in columns.bundle[placed].tolist()}
    by_pool: dict[int, list[Choice]] = {}
    for column in order.tolist():
        bundle, pool = int(columns.bundle[column]), int(columns.pool[column])
        for waiting in islice(queues[bundle], int(taken[column])):
            by_pool.setdefault(pool, []).append(Choice(waiting, bundle, column))
    yield from sorted(by_pool.items())


def placements_in(problem: Problem, pool: int, choices: list[Choice]) -> Iterator[tuple[Choice, Placement]]:
    room, columns = problem.rooms[pool], problem.columns
    ways = [problem.bundles[each.bundle].spec.alternatives for each in choices]
    chosen = [int(columns.alternative[each.column]) for each in choices]
    gangs = [gang_of(way[index], room) for way, index in zip(ways, chosen, strict=True)]
    for choice, nodes in zip(choices, assigned(room, gangs), strict=True):
        yield choice, placement_of(problem, choice, nodes)


def placement_of(problem: Problem, choice: Choice, nodes: tuple[NodeShare, ...]) -> Placement:
    columns = problem.columns
    pool = problem.pools[int(columns.pool[choice.column])].pool
    index = int(columns.alternative[choice.column])
    way = problem.bundles[choice.bundle].spec.alternatives[index]
    runner_up = runner_up_of(problem, choice.bundle, int(columns.pool[choice.column]))
    return Placement(
        pool_id=pool.id,
        alternative_index=index,
        accelerator=way.accelerator,
        slice_topology=way.slice_topology,
        role=way.task_groups[0].role,
        tasks=way.tasks,
        devices_per_task=way.devices_per_task,
        nodes=nodes,
        market=pool.spec.market,
        charged_usd_micros_per_hour=charged_usd_micros_per_hour(way, pool.spec),
        term_usd_micros_per_hour=int(columns.term[choice.column]),
        runner_up_pool_id=runner_up.pool_id,
        runner_up_term_usd_micros_per_hour=runner_up.term,
    )


def runner_up_of(problem: Problem, bundle: int, pool: int) -> RunnerUp:
    """The best term on another open pool, whether or not there is room; a tie goes to the lowest id."""
    candidates = problem.candidates
    first, last = np.searchsorted(candidates.bundle, (bundle, bundle + 1))
    others = first + np.flatnonzero(candidates.pool[first:last] != pool)
    if not len(others):
        return RunnerUp(None, 0)
    best = others[np.argmax(candidates.term[others])]
    return RunnerUp(problem.pools[int(candidates.pool[best])].pool.id, int(candidates.term[best]))
