"""Composition: counts become a plan of steps, deferrals and quality."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scheduler.model.brakes import freeze_ids
from scheduler.model.guidance import Guidance
from scheduler.model.ids import PoolId, QueueName, Revision
from scheduler.model.plan import (
    Place,
    Plan,
    PlanMethod,
    PlanQuality,
    RunningReplica,
    Snapshot,
    Step,
    Stop,
    WaitingReplica,
)
from scheduler.model.queue import CohortName
from scheduler.model.records import Key, Kind
from scheduler.model.run import Placement
from scheduler.model.transaction import Check, IsAbsent, IsAt, IsPlannedAt
from scheduler.planning.deferrals import accelerators_left, deferrals_of
from scheduler.planning.greedy import left_after
from scheduler.planning.nodes import assigned, gang_of
from scheduler.planning.preemption import Repaired, Slot, Stopped, repaired
from scheduler.planning.problem import Integers, Problem, candidates_by_pool, way_of
from scheduler.planning.worth import charged_usd_micros_per_hour


class Choice(NamedTuple):
    """A replica and the slot that it got."""

    waiting: WaitingReplica
    slot: Slot


class Grounds(NamedTuple):
    """What all steps rest on: planning versions by pool, and that the quotas of a queue are as they were."""

    pools: Mapping[PoolId, Revision]
    quotas: Mapping[QueueName, tuple[Check, ...]]


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
    """The plan that takes each column that often, repaired between priority classes."""
    found = repaired(problem, slots_of(problem, taken))
    accelerators = accelerators_left(problem, left_after(problem.columns, taken, left=problem.left))
    for pool, free in found.free.items():
        accelerators[pool] = free
    return Plan(
        revision=problem.snapshot.revision,
        method=method,
        steps=steps_of(problem, found),
        deferrals=deferrals_of(problem, found, accelerators),
        quality=quality,
        shadow_prices=shadow_prices,
        guidance=guidance,
    )


def slots_of(problem: Problem, taken: Integers) -> list[Slot]:
    """Every placement with its nodes, by pool."""
    slots: list[Slot] = []
    for pool, indices in candidates_by_pool(problem, taken):
        room = problem.rooms[pool]
        gangs = [gang_of(way_of(problem, index), room) for index in indices]
        slots.extend(Slot(*each) for each in zip(indices, assigned(room, gangs), strict=True))
    return slots


def steps_of(problem: Problem, found: Repaired) -> tuple[Step, ...]:
    """One step per placement and what must go with it, most worth first."""
    choices = choices_of(problem, found.slots)
    parts: dict[object, tuple[list[Choice], list[Stopped]]] = {}
    for position, choice in enumerate(choices):
        parts.setdefault(choice.slot.step or position, ([], []))[0].append(choice)
    for stopped in found.stops:
        parts[stopped.step][1].append(stopped)
    queues = {choice.waiting.job.spec.queue for choice in choices}
    grounds = Grounds(
        pools={planned.pool.id: planned.planning_version for planned in problem.pools},
        quotas={queue: tuple(quota_grounds(problem.snapshot, queue)) for queue in queues},
    )
    steps = [step_of(problem, part, choices, grounds) for part in parts.values()]
    return tuple(sorted(steps, key=lambda step: (-most_term(step), step.places[0].replica_id)))


def most_term(step: Step) -> int:
    return max(place.placement.term_usd_micros_per_hour for place in step.places)


def step_of(
    problem: Problem,
    part: tuple[list[Choice], list[Stopped]],
    choices: Sequence[Choice],
    grounds: Grounds,
) -> Step:
    """Places and stops that hold together."""
    placed = [(choice.waiting, placement_of(problem, choice.slot), choice.slot) for choice in part[0]]
    placed.sort(key=lambda each: (-each[1].term_usd_micros_per_hour, each[0].replica.id))
    stopped = sorted(part[1], key=lambda each: each.running.run.id)
    checks = [
        *(
            check
            for waiting, placement, _ in placed
            for check in grounds_of_place(waiting, placement, grounds)
        ),
        *(check for each in stopped for check in grounds_of_stop(each.running)),
    ]
    return Step(
        places=tuple(
            Place(replica_id=waiting.replica.id, placement=placement, after_runs=slot.after_runs)
            for waiting, placement, slot in placed
        ),
        preconditions=tuple(dict.fromkeys(checks)),
        stops=tuple(
            Stop(
                run_id=each.running.run.id,
                replica_id=each.running.replica.id,
                by=choices[each.slot].waiting.replica.id,
            )
            for each in stopped
        ),
    )


def grounds_of_place(waiting: WaitingReplica, placement: Placement, grounds: Grounds) -> Iterator[Check]:
    yield IsAt(Key(Kind.REPLICA, waiting.replica.id), waiting.replica_version)
    yield IsPlannedAt(Key(Kind.JOB, waiting.job.id), waiting.job_planning_version)
    yield IsPlannedAt(Key(Kind.POOL, placement.pool_id), grounds.pools[placement.pool_id])
    for id_ in freeze_ids(placement.pool_id, waiting.job.spec.queue):
        yield IsAbsent(Key(Kind.FREEZE, id_))
    yield from grounds.quotas[waiting.job.spec.queue]


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


def grounds_of_stop(running: RunningReplica) -> Iterator[Check]:
    yield IsAt(Key(Kind.RUN, running.run.id), running.run_version)
    yield IsAt(Key(Kind.REPLICA, running.replica.id), running.replica_version)
    yield IsPlannedAt(Key(Kind.JOB, running.job.id), running.job_planning_version)
    for id_ in freeze_ids(running.run.pool_id, running.job.spec.queue):
        yield IsAbsent(Key(Kind.FREEZE, id_))


def choices_of(problem: Problem, slots: Sequence[Slot]) -> list[Choice]:
    """In the order of the slots; of a bundle, the longest waiting get the best."""
    candidates = problem.survey.candidates
    queues = [iter(bundle.replicas) for bundle in problem.bundles]
    order = sorted(
        range(len(slots)),
        key=lambda each: (-candidates[slots[each].candidate].term, slots[each].candidate, each),
    )
    waiting = {each: next(queues[candidates[slots[each].candidate].bundle]) for each in order}
    return [Choice(waiting[position], slot) for position, slot in enumerate(slots)]


def placement_of(problem: Problem, slot: Slot) -> Placement:
    candidate = problem.survey.candidates[slot.candidate]
    pool, way = problem.pools[candidate.pool].pool, way_of(problem, slot.candidate)
    runner_up = runner_up_of(problem, candidate.bundle, candidate.pool)
    return Placement(
        pool_id=pool.id,
        alternative_index=candidate.alternative,
        accelerator=way.accelerator,
        slice_topology=way.slice_topology,
        role=way.task_groups[0].role,
        tasks=way.tasks,
        devices_per_task=way.devices_per_task,
        nodes=slot.nodes,
        market=pool.spec.market,
        charged_usd_micros_per_hour=charged_usd_micros_per_hour(way, pool.spec),
        term_usd_micros_per_hour=candidate.term,
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
    survey = problem.survey.candidates
    best = survey[max(others.tolist(), key=lambda each: (survey[each].term, -each))]
    return RunnerUp(problem.pools[best.pool].pool.id, best.term)
