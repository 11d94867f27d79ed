"""What callers see: a job with its replicas and runs, a pool with its usage, derived from the state."""

from dataclasses import dataclass

from scheduler.model.ids import JobId, PoolId, Revision
from scheduler.model.job import Job, JobPhase
from scheduler.model.occupancy import accelerators_asked_for, accelerators_of, occupancy_of
from scheduler.model.pool import Pool
from scheduler.model.records import Key, Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run
from scheduler.model.state import State

NO_REPLICAS = dict.fromkeys(ReplicaState, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaView:
    """A replica with its newest run."""

    replica: Replica
    run: Run | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as callers see it.

    Attributes:
        revision: the newest write to the job, its replicas or its newest runs.
        replicas: by index; empty where there are more than were asked for.
        replicas_left_out: there are replicas that are not shown.
    """

    job: Job
    phase: JobPhase
    counts: dict[ReplicaState, int]
    version: Revision
    revision: Revision
    replicas: tuple[ReplicaView, ...]
    replicas_left_out: bool


def job_view(state: State, job_id: JobId, *, replicas_max: int) -> JobView | None:
    job = state.job(job_id)
    if job is None:
        return None
    replicas = state.replicas_of(job)
    version = state.version(Key(Kind.JOB, job_id))
    return JobView(
        job=job,
        phase=phase_of(job, replicas),
        counts=_counts(job, replicas),
        version=version,
        revision=_newest(state, version, replicas),
        replicas=tuple(replica_view(state, r) for r in replicas) if len(replicas) <= replicas_max else (),
        replicas_left_out=len(replicas) > replicas_max,
    )


def phase_of(job: Job, replicas: list[Replica]) -> JobPhase:
    """The outcome of a finished job; else ACTIVE while a replica has a place or all wait for the outcome."""
    if job.outcome is not None:
        return job.outcome
    states = {replica.state for replica in replicas}
    if states & {ReplicaState.PLACED, ReplicaState.RUNNING} or states == {ReplicaState.DONE}:
        return JobPhase.ACTIVE
    return JobPhase.PENDING


def _counts(job: Job, replicas: list[Replica]) -> dict[ReplicaState, int]:
    """Replicas per state; one that has not been made yet waits."""
    counts = dict(NO_REPLICAS)
    for replica in replicas:
        counts[replica.state] += 1
    if not job.is_finished:
        counts[ReplicaState.WAITING] += job.spec.replicas - len(replicas)
    return counts


def _newest(state: State, job_version: Revision, replicas: list[Replica]) -> Revision:
    newest = job_version
    for replica in replicas:
        newest = max(newest, state.version(Key(Kind.REPLICA, replica.id)))
        run = None if replica.last_run is None else state.record(Key(Kind.RUN, replica.last_run))
        if run is not None:
            newest = max(newest, run.version)
    return newest


def replica_view(state: State, replica: Replica) -> ReplicaView:
    run = None if replica.last_run is None else state.run(replica.last_run)
    return ReplicaView(replica=replica, run=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """A pool as callers see it, in accelerators.

    Attributes:
        accelerators: that may be used, after limits and unavailable nodes.
        accelerators_used: placements that wait for others to end are not counted beside them.
        believed_free: beyond those that run; None where capacity is known.
    """

    pool: Pool
    version: Revision
    accelerators: int
    accelerators_used: int
    runs: int
    believed_free: int | None


def pool_view(state: State, pool_id: PoolId, *, now_ms: int) -> PoolView | None:
    pool = state.pool(pool_id)
    if pool is None:
        return None
    runs = state.live_runs(pool_id)
    return PoolView(
        pool=pool,
        version=state.version(Key(Kind.POOL, pool_id)),
        accelerators=usable_accelerators(pool),
        accelerators_used=accelerators_used(runs),
        runs=len(runs),
        believed_free=believed_free(pool, runs, now_ms=now_ms),
    )


def accelerators_used(live_runs: list[Run]) -> int:
    occupancy = occupancy_of(live_runs)
    return accelerators_of((*occupancy.others, *occupancy.awaited))


def usable_accelerators(pool: Pool) -> int:
    """Accelerators of the available nodes or slices, at most the limit."""
    spec = pool.spec
    units = [*spec.node_devices()] or [group.accelerators_per_slice for group in spec.slices()]
    down = set(pool.status.unavailable_nodes)
    available = sum(size for number, size in enumerate(units) if number not in down)
    if spec.limit_accelerators is None:
        return available
    return min(available, spec.limit_accelerators) if units else spec.limit_accelerators


def believed_free(pool: Pool, live_runs: list[Run], *, now_ms: int) -> int | None:
    """Accelerators that may be asked for now: what is believed less what is being started."""
    if pool.availability is None or pool.spec.limit_accelerators is None:
        return None
    believed = pool.availability.believed_free(now_ms=now_ms, limit=pool.spec.limit_accelerators)
    return max(0, believed - accelerators_asked_for(live_runs))
