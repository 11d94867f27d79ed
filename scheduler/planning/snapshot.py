"""The snapshot that a plan rests on, taken from the live state."""

from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import replace

from scheduler.model.disruption import DISRUPTION_DEFAULT, WINDOW_MS, DisruptionBudget
from scheduler.model.ids import AcceleratorName, PriorityClassName, QueueName, RunId
from scheduler.model.occupancy import awaited_by
from scheduler.model.plan import (
    PlannedCohort,
    PlannedPool,
    PlannedQueue,
    RecentStop,
    RunningReplica,
    Snapshot,
    Usage,
    WaitingReplica,
)
from scheduler.model.pool import Pool
from scheduler.model.priority import PriorityClass
from scheduler.model.quarantine import awaited, is_of_earlier_history, may_be_claimed_unknown
from scheduler.model.records import Key, Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run, RunState
from scheduler.model.state import State

HELD_BACK_MS = 60_000  # told to people; it is looked at again at each plan


def snapshot_of(
    state: State,
    *,
    now_ms: int,
    priority_classes: Mapping[PriorityClassName, PriorityClass],
    disruption: DisruptionBudget = DISRUPTION_DEFAULT,
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
        running=running_replicas(state, waiting, priority_classes),
        recent_stops=recent_stops(state, now_ms=now_ms),
        disruption=disruption,
    )


def usage_of(state: State, *, without: Collection[RunId] = ()) -> tuple[Usage, ...]:
    """What live runs use, by queue and accelerator; of what one waits for, the one that waits counts.

    `without`: runs that are taken not to be there.
    """
    slices = usage_in_slices(state, without=without)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            found: tuple[Usage, ...] = end.value
            return found


def usage_in_slices(
    state: State, *, without: Collection[RunId] = ()
) -> Generator[None, None, tuple[Usage, ...]]:
    """As `usage_of`, yielding after each pool; the state may move on meanwhile."""
    accelerators, charged = Counter[tuple[QueueName, AcceleratorName]](), Counter[tuple[str, str]]()
    useful = Counter[tuple[str, str]]()
    there = (run for run in state.all_live_runs() if run.id not in without)
    uncounted = {each.id for run in there for each in awaited_by(state, run)}.union(without)
    for pool in state.pools():
        for run in state.live_runs(pool.id):
            if run.id in uncounted:
                continue
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


def running_replicas(
    state: State,
    waiting: Sequence[WaitingReplica],
    priority_classes: Mapping[PriorityClassName, PriorityClass],
) -> tuple[RunningReplica, ...]:
    """Live runs that end, or are of classes below the worthiest that waits; no offers with claims lost."""
    worth = {name: each.worth_usd_micros for name, each in priority_classes.items()}
    most = max((worth[each.job.spec.priority_class] for each in waiting), default=0)
    lower = {name for name, each in worth.items() if each < most}
    if not lower:
        return ()
    runs = sorted(state.all_live_runs(), key=lambda run: run.id)
    found = (running_replica(state, run, lower) for run in runs)
    return tuple(each for each in found if each is not None)


def running_replica(state: State, run: Run, classes: Collection[PriorityClassName]) -> RunningReplica | None:
    """The run with its versions if it is being stopped, or of one of the classes."""
    replica, job = state.replica(run.replica_id), state.job(run.job_id)
    assert replica is not None, run
    assert job is not None, run
    if run.state is not RunState.STOPPING and job.spec.priority_class not in classes:
        return None
    if may_be_claimed_unknown(state, run):
        return None
    return RunningReplica(
        run=run,
        replica=replica,
        job=job,
        run_version=state.version(Key(Kind.RUN, run.id)),
        replica_version=state.version(Key(Kind.REPLICA, replica.id)),
        job_planning_version=state.planning_version(Key(Kind.JOB, job.id)),
    )


def recent_stops(state: State, *, now_ms: int) -> tuple[RecentStop, ...]:
    """Preemptions of the last hour, in an order of their own."""
    found = []
    for record in state.records(Kind.REPLICA):
        assert isinstance(record.entity, Replica), record
        for each in record.entity.preemptions:
            job = state.job(record.entity.job_id)
            if now_ms - each.at_ms < WINDOW_MS and job is not None:
                found.append(RecentStop(each.at_ms, each.pool_id, job.spec.queue))
    return tuple(sorted(found, key=lambda each: (each.at_ms, each.pool_id, each.queue)))


def planned_pool(state: State, pool: Pool) -> PlannedPool:
    return PlannedPool(
        pool=pool,
        planning_version=state.planning_version(Key(Kind.POOL, pool.id)),
        live_runs=tuple(state.live_runs(pool.id)),
    )
