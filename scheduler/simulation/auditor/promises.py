"""What callers were told, and whether it stays true: acknowledged jobs and cancels, watches, an end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from scheduler.model.ids import JobId, Revision
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.records import Key, Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run, RunState
from scheduler.model.view import JobView
from scheduler.simulation.auditor import capacity
from scheduler.simulation.auditor.records import RecordsAuditor

CLASS_WORTH = {"frontier": 100_000_000, "standard": 10_000_000, "batch": 1_000_000}


@dataclass(slots=True)
class WatchLog:
    """What one watcher has been told, across its streams.

    Attributes:
        known: the newest revision and phase of each job that is in view.
    """

    known: dict[JobId, tuple[Revision, str]] = field(default_factory=dict)


class PromisesAuditor:
    """Remembers what was acknowledged."""

    def __init__(self, records: RecordsAuditor, violated: Callable[[str], object]) -> None:
        self._records, self._violated = records, violated
        self._jobs: dict[str, JobId] = {}
        self._cancels: dict[JobId, None] = {}

    def job_acknowledged(self, request_id: str, job_id: JobId) -> None:
        earlier = self._jobs.setdefault(request_id, job_id)
        if earlier != job_id:
            self._violated(f"request {request_id} made job {earlier} and job {job_id}")
        if Key(Kind.JOB, job_id) not in self._records.records:
            self._violated(f"job {job_id} was acknowledged and is not there")

    def cancel_acknowledged(self, job_id: JobId) -> None:
        self._cancels[job_id] = None
        job = self._job(job_id)
        if job is not None and job.outcome is None and job.cancel_requested_at_ms is None:
            self._violated(f"the cancel of {job_id} was acknowledged and is not noted")

    def watched(self, log: WatchLog, view: JobView) -> None:
        """A job as a watcher was told of it."""
        known = log.known.get(view.job.id)
        if known is not None and view.revision < known[0]:
            self._violated(f"a watcher saw {view.job.id} go from revision {known[0]} to {view.revision}")
        log.known[view.job.id] = (view.revision, view.phase)

    def _job(self, job_id: JobId) -> Job | None:
        record = self._records.records.get(Key(Kind.JOB, job_id))
        if record is None:
            self._violated(f"job {job_id} was acknowledged and is gone")
            return None
        assert isinstance(record.entity, Job)
        return record.entity

    # --- at the end of a calm time ---

    def finally_kept(self, *, now_ms: int) -> None:
        """Everything that must have come to its end by now has."""
        for job_id in self._jobs.values():
            self._job(job_id)
        for job_id in self._cancels:
            job = self._job(job_id)
            if job is not None and job.outcome is None:
                self._violated(f"job {job_id} was cancelled and has not finished")
        for record in self._records.entities(Kind.RUN):
            run = record.entity
            if isinstance(run, Run) and run.is_live and run.state is not RunState.RUNNING:
                self._violated(f"run {run.id} is still {run.state} after all has been calm")
        for record in self._records.entities(Kind.REPLICA):
            if isinstance(record.entity, Replica) and record.entity.state is ReplicaState.WAITING:
                self._waits_rightly(record.entity, now_ms=now_ms)

    def _waits_rightly(self, replica: Replica, *, now_ms: int) -> None:
        job = self._job(replica.job_id)
        if job is None or replica.not_before_ms > now_ms:
            return
        for record in self._records.entities(Kind.POOL):
            assert isinstance(record.entity, Pool)
            for place in places_of(job, record.entity, self._records):
                self._violated(f"replica {replica.id} waits although {record.entity.id} has room: {place}")
                return

    def watch_ended(self, name: str, log: WatchLog) -> None:
        """The watcher has seen the newest state of every job."""
        for record in self._records.entities(Kind.JOB):
            job = record.entity
            assert isinstance(job, Job)
            known = log.known.get(job.id)
            newest = newest_revision(job, self._records)
            if known is None or known[0] != newest:
                self._violated(f"{name} knows {job.id} as {known}, not at revision {newest}")


def newest_revision(job: Job, records: RecordsAuditor) -> Revision:
    """The newest write to the job, its replicas or its newest runs."""
    newest = records.records[Key(Kind.JOB, job.id)].version
    for index in range(job.spec.replicas):
        record = records.records.get(Key(Kind.REPLICA, f"{job.id}-{index}"))
        if record is None or not isinstance(record.entity, Replica):
            continue
        newest = max(newest, record.version)
        if record.entity.last_run is not None:
            newest = max(newest, records.records[Key(Kind.RUN, record.entity.last_run)].version)
    return newest


def places_of(job: Job, pool: Pool, records: RecordsAuditor) -> Iterator[str]:
    """Ways in which one more replica fits what is free and is clearly worth it, tasks counted one by one."""
    spec = pool.spec
    live = [records.run(run_id) for run_id in records.live.values()]
    live = [run for run in live if run.pool_id == pool.id]
    if pool.cordon is not None or pool.deleting or not pool.status.ready or spec.is_rented:
        return
    if list(capacity._constraint_faults(job, pool)):
        return
    for way in job.spec.alternatives:
        if way.accelerator != spec.accelerator:
            continue
        if way.slice_topology is not None:
            topologies = [group.topology for group in spec.slice_groups for _ in range(group.slices)]
            used = {share.node for run in live for share in run.placement.nodes} | set(pool.status.unavailable_nodes)
            if any(t == way.slice_topology and n not in used for n, t in enumerate(topologies)):
                yield way.slice_topology
            continue
        block = 1 << (way.devices_per_task - 1).bit_length()
        room = 0
        for node, size in enumerate(s for g in spec.node_groups for s in [g.devices_per_node] * g.nodes):
            used_devices = sum(rounded_devices_on(run, node) for run in live)
            if node not in pool.status.unavailable_nodes:
                room += max(0, size - used_devices) // block
        if room >= way.tasks:
            yield f"{way.tasks} x {way.devices_per_task}"


def rounded_devices_on(run: Run, node: int) -> int:
    block = 1 << (run.placement.devices_per_task - 1).bit_length()
    return sum(share.tasks * block for share in run.placement.nodes if share.node == node)
