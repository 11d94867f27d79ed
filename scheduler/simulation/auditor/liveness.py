"""What must have come about after a calm time. Each fault counts only if it stays."""

from collections.abc import Iterator, Mapping, Sequence

from scheduler.model.ids import JobId, Revision
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.records import Key, Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run, RunState
from scheduler.simulation.auditor import brakes, quotas
from scheduler.simulation.auditor.capacity import rooms_of
from scheduler.simulation.auditor.promises import PromisesAuditor, WatchLog
from scheduler.simulation.auditor.records import RecordsAuditor


def faults_after_calm(
    records: RecordsAuditor, promises: PromisesAuditor, watches: Mapping[str, WatchLog], *, now_ms: int
) -> Iterator[str]:
    """Promises that were not kept in time."""
    yield from promises.faults()
    yield from _pool_faults(records)
    yield from _run_faults(records)
    yield from quotas.tree_faults(records.records)
    yield from waiting_faults(records, now_ms=now_ms)
    for name, log in watches.items():
        yield from _watch_faults(name, log, records)


def _pool_faults(records: RecordsAuditor) -> Iterator[str]:
    """Every pool has its launcher, or goes away when nothing lives on it."""
    for record in records.entities(Kind.POOL):
        pool = record.entity
        assert isinstance(pool, Pool), pool
        if not pool.deleting and not pool.status.ready:
            yield f"pool {pool.id} does not become ready"
        if pool.deleting and not any(records.run(r).pool_id == pool.id for r in records.live.values()):
            yield f"pool {pool.id} is deleted, empty and still there"


def _run_faults(records: RecordsAuditor) -> Iterator[str]:
    """A live run runs, and what runs has tasks."""
    for run in _runs(records):
        if run.is_live and run.state is not RunState.RUNNING:
            yield f"run {run.id} is {run.state}, and nothing comes of it"
        if run.state is RunState.RUNNING and run.id not in records.alive_tasks:
            yield f"run {run.id} is said to run and has no tasks"
    for run_id in records.alive_tasks:
        if Key(Kind.RUN, run_id) not in records.records or not records.run(run_id).is_live:
            yield f"tasks of {run_id} live although it has ended or is unknown"


def _runs(records: RecordsAuditor) -> list[Run]:
    return [r.entity for r in records.entities(Kind.RUN) if isinstance(r.entity, Run)]


def waiting_faults(records: RecordsAuditor, *, now_ms: int) -> Iterator[str]:
    """Nothing waits that could run now, on a pool that costs nothing more."""
    pools = [r.entity for r in records.entities(Kind.POOL) if isinstance(r.entity, Pool)]
    for record in records.entities(Kind.REPLICA):
        replica = record.entity
        if not isinstance(replica, Replica) or replica.state is not ReplicaState.WAITING:
            continue
        job = records.records[Key(Kind.JOB, replica.job_id)].entity
        assert isinstance(job, Job), job
        if replica.not_before_ms <= now_ms and job.outcome is None:
            yield from _places(replica, job, pools, records=records)


def _places(replica: Replica, job: Job, pools: Sequence[Pool], *, records: RecordsAuditor) -> Iterator[str]:
    runs = [records.run(run_id) for run_id in records.live.values()]
    for pool in pools:
        if any(brakes.forbidding(replica, job, pool.id, records.records)):
            continue
        rooms = rooms_of(job, pool, [run for run in runs if run.pool_id == pool.id])
        for way in rooms if quotas.leave_room(job, pool, records.records, runs) else ():
            yield f"replica {replica.id} waits although {pool.id} has room for {way}"


def _watch_faults(name: str, log: WatchLog, records: RecordsAuditor) -> Iterator[str]:
    """A watcher knows the newest state of every job, and of nothing else."""
    for record in records.entities(Kind.JOB):
        job = record.entity
        assert isinstance(job, Job), job
        known, newest = log.known.get(job.id), newest_revision(job, records)
        if known is None or known[0] != newest:
            yield f"{name} knows {job.id} as {known}, not at revision {newest}"
    for job_id in log.known:
        if Key(Kind.JOB, JobId(job_id)) not in records.records:
            yield f"{name} knows {job_id}, which is gone"


def newest_revision(job: Job, records: RecordsAuditor) -> Revision:
    """The newest write to the job, its replicas or their newest runs."""
    newest = records.records[Key(Kind.JOB, job.id)].version
    for index in range(job.spec.replicas):
        record = records.records.get(Key(Kind.REPLICA, f"{job.id}-{index}"))
        if record is None or not isinstance(record.entity, Replica):
            continue
        newest = max(newest, record.version)
        if record.entity.last_run is not None:
            newest = max(newest, records.records[Key(Kind.RUN, record.entity.last_run)].version)
    return newest
