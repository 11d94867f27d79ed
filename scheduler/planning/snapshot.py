"""The snapshot that a plan rests on, taken from the live state."""

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import replace

from scheduler.model.ids import AcceleratorName, PriorityClassName, QueueName
from scheduler.model.plan import (
    PlannedCohort,
    PlannedPool,
    PlannedQueue,
    Snapshot,
    Usage,
    WaitingReplica,
)
from scheduler.model.pool import Pool
from scheduler.model.priority import PriorityClass
from scheduler.model.quarantine import awaited, is_of_earlier_history
from scheduler.model.records import Key, Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.state import State

HELD_BACK_MS = 60_000  # told to people; it is looked at again at each plan


def snapshot_of(
    state: State, *, now_ms: int, priority_classes: Mapping[PriorityClassName, PriorityClass]
) -> Snapshot:
    """Pools by id and waiting replicas by id, so that the same state always gives the same snapshot."""
    waiting = sorted(
        (
            each
            for record in state.records(Kind.REPLICA)
            if isinstance(record.entity, Replica)
            and (each := waiting_replica(state, record.entity)) is not None
        ),
        key=lambda each: each.replica.id,
    )
    unknown = {each.job.spec.priority_class for each in waiting} - priority_classes.keys()
    assert not unknown, f"priority classes {sorted(unknown)} are not among {sorted(priority_classes)}"
    if awaited(state):
        waiting = [_held_back(state, each, now_ms=now_ms) for each in waiting]
    return Snapshot(
        revision=state.revision,
        now_ms=now_ms,
        pools=tuple(planned_pool(state, pool) for pool in state.pools()),
        waiting=tuple(waiting),
        priority_classes=priority_classes,
        guidance=state.guidance(),
        freezes=tuple(state.freezes()),
        queues=tuple(
            PlannedQueue(queue=queue, planning_version=state.planning_version(Key(Kind.QUEUE, queue.name)))
            for queue in state.queues()
        ),
        cohorts=tuple(
            PlannedCohort(
                cohort=cohort, planning_version=state.planning_version(Key(Kind.COHORT, cohort.name))
            )
            for cohort in state.cohorts()
        ),
        usage=usage_of(state),
    )


def usage_of(state: State) -> tuple[Usage, ...]:
    """What live runs use, by queue and accelerator."""
    slices = usage_in_slices(state)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            found: tuple[Usage, ...] = end.value
            return found


def usage_in_slices(state: State) -> Generator[None, None, tuple[Usage, ...]]:
    """As `usage_of`, yielding after each pool; the state may move on meanwhile."""
    accelerators, charged = Counter[tuple[QueueName, AcceleratorName]](), Counter[tuple[str, str]]()
    useful = Counter[tuple[str, str]]()
    for pool in state.pools():
        for run in state.live_runs(pool.id):
            job = state.job(run.job_id)
            assert job is not None, run
            line = (job.spec.queue, run.placement.accelerator)
            accelerators[line] += run.placement.accelerators
            charged[line] += run.placement.charged_usd_micros_per_hour
            useful[line] += job.spec.alternatives[run.placement.alternative_index].gang_speed_permille
        yield
    return tuple(
        Usage(
            queue=line[0],
            accelerator=line[1],
            accelerators=accelerators[line],
            charged_usd_micros_per_hour=charged[line],
            useful_permille=useful[line],
        )
        for line in sorted(accelerators)
    )


def _held_back(state: State, waiting: WaitingReplica, *, now_ms: int) -> WaitingReplica:
    """As if it backed off, if it may have a run that the store has lost."""
    if not is_of_earlier_history(state, waiting.job):
        return waiting
    not_before_ms = max(waiting.replica.not_before_ms, now_ms + HELD_BACK_MS)
    return replace(waiting, replica=replace(waiting.replica, not_before_ms=not_before_ms))


def waiting_replica(state: State, replica: Replica) -> WaitingReplica | None:
    """The replica with its versions if it wants a place."""
    job = state.job(replica.job_id) if replica.state is ReplicaState.WAITING else None
    if job is None or job.is_finished or job.is_cancelling:
        return None
    return WaitingReplica(
        replica=replica,
        job=job,
        replica_version=state.version(Key(Kind.REPLICA, replica.id)),
        job_planning_version=state.planning_version(Key(Kind.JOB, job.id)),
    )


def planned_pool(state: State, pool: Pool) -> PlannedPool:
    return PlannedPool(
        pool=pool,
        planning_version=state.planning_version(Key(Kind.POOL, pool.id)),
        live_runs=tuple(state.live_runs(pool.id)),
    )
