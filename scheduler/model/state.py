"""The live state at one revision: a mirror's content, fed commit by commit."""

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar, cast

from scheduler.model.brakes import Freeze
from scheduler.model.guidance import GUIDANCE_ID, Guidance
from scheduler.model.ids import (
    History,
    JobId,
    LauncherId,
    PoolId,
    QueueName,
    ReplicaId,
    Revision,
    RunId,
    replica_id_of,
)
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.queue import Cohort, CohortName, Queue
from scheduler.model.records import UNMIRRORED, Entity, Key, Kind, Record, key_of
from scheduler.model.replica import Replica
from scheduler.model.run import Run
from scheduler.model.session import LauncherSession
from scheduler.model.transaction import Commit

E = TypeVar("E", bound=Entity)


class State:
    """All mirrored records at one revision.

    Applying a commit twice, or one that is older than the state or than the record at hand, changes nothing.
    """

    def __init__(self, history: History, revision: Revision = Revision(0)) -> None:
        self.history = history
        self.revision = revision
        self._records: dict[Kind, dict[str, Record]] = {k: {} for k in Kind if k not in UNMIRRORED}
        self._live_runs: dict[PoolId, dict[RunId, Run]] = {}
        self._unfinished: dict[JobId, Job] = {}
        self._unfinished_in: Counter[QueueName] = Counter()

    def apply(self, commit: Commit) -> None:
        if commit.revision < self.revision:  # it may hold records that have been removed since
            return
        for record in commit.records:
            self.put(record)
        for key in commit.removed:
            self._remove(key, commit.revision)
        self.revision = commit.revision

    def put(self, record: Record) -> None:
        """Take a record over unless the one at hand is newer."""
        key = key_of(record.entity)
        held = self._records[key.kind].get(key.id)
        if held is not None and held.version >= record.version:
            return
        self._records[key.kind][key.id] = record
        if isinstance(record.entity, Run):
            self._index_run(record.entity)
        elif isinstance(record.entity, Job):
            self._index_job(record.entity)

    def _index_job(self, job: Job) -> None:
        self._forget_job(job.id)
        if not job.is_finished:
            self._unfinished[job.id] = job
            self._unfinished_in[job.spec.queue] += 1

    def _forget_job(self, job_id: JobId) -> None:
        job = self._unfinished.pop(job_id, None)
        if job is not None:
            self._unfinished_in[job.spec.queue] -= 1

    def _index_run(self, run: Run) -> None:
        live = self._live_runs.setdefault(run.pool_id, {})
        if run.is_live:
            live[run.id] = run
        else:
            live.pop(run.id, None)

    def _remove(self, key: Key, revision: Revision) -> None:
        held = self._records[key.kind].get(key.id)
        if held is None or held.version > revision:
            return
        del self._records[key.kind][key.id]
        if isinstance(held.entity, Run):
            self._live_runs.get(held.entity.pool_id, {}).pop(held.entity.id, None)
        elif isinstance(held.entity, Job):
            self._forget_job(held.entity.id)

    def record(self, key: Key) -> Record | None:
        return self._records[key.kind].get(key.id)

    def records(self, kind: Kind) -> Iterator[Record]:
        """Records of a kind, in no order that a decision may rest on."""
        return iter(tuple(self._records[kind].values()))

    def ids(self, kind: Kind) -> list[str]:
        """Ids of a kind, ascending."""
        return sorted(self._records[kind])

    def count(self, kind: Kind) -> int:
        return len(self._records[kind])

    def job(self, job_id: JobId) -> Job | None:
        return self._entity(Job, Kind.JOB, job_id)

    def unfinished_jobs(self) -> list[Job]:
        """Jobs that are not finished, by id."""
        return [self._unfinished[job_id] for job_id in sorted(self._unfinished)]

    @property
    def unfinished_count(self) -> int:
        """How many jobs are not finished."""
        return len(self._unfinished)

    def unfinished_count_in(self, queue: QueueName) -> int:
        """How many jobs of a queue are not finished."""
        return self._unfinished_in[queue]

    def unfinished_queues(self) -> list[QueueName]:
        """Queues that have unfinished jobs, by name."""
        return sorted(queue for queue, count in self._unfinished_in.items() if count)

    def finished_jobs(self) -> list[Job]:
        """Finished jobs that are still kept, by id."""
        ids = (JobId(i) for i in self.ids(Kind.JOB) if i not in self._unfinished)
        return [job for job in map(self.job, ids) if job is not None]

    def replica(self, replica_id: ReplicaId) -> Replica | None:
        return self._entity(Replica, Kind.REPLICA, replica_id)

    def replicas_of(self, job: Job) -> list[Replica]:
        """The job's replicas by index."""
        records = self._records[Kind.REPLICA]  # directly: the leader looks at every job's
        found = [records.get(replica_id_of(job.id, index)) for index in range(job.spec.replicas)]
        return [cast(Replica, record.entity) for record in found if record is not None]

    def run(self, run_id: RunId) -> Run | None:
        return self._entity(Run, Kind.RUN, run_id)

    def pool(self, pool_id: PoolId) -> Pool | None:
        return self._entity(Pool, Kind.POOL, pool_id)

    def session(self, launcher_id: LauncherId) -> LauncherSession | None:
        return self._entity(LauncherSession, Kind.SESSION, launcher_id)

    def guidance(self) -> Guidance:
        return self._entity(Guidance, Kind.GUIDANCE, GUIDANCE_ID) or Guidance()

    def pools(self) -> list[Pool]:
        """The pools by id."""
        return [cast(Pool, self._records[Kind.POOL][i].entity) for i in self.ids(Kind.POOL)]

    def freezes(self) -> list[Freeze]:
        """The freezes by id."""
        return [cast(Freeze, self._records[Kind.FREEZE][i].entity) for i in self.ids(Kind.FREEZE)]

    def queue(self, name: QueueName) -> Queue | None:
        return self._entity(Queue, Kind.QUEUE, name)

    def queues(self) -> list[Queue]:
        """The queues that have a record, by name."""
        return [cast(Queue, self._records[Kind.QUEUE][i].entity) for i in self.ids(Kind.QUEUE)]

    def cohort(self, name: CohortName) -> Cohort | None:
        return self._entity(Cohort, Kind.COHORT, name)

    def cohorts(self) -> list[Cohort]:
        """The cohorts by name."""
        return [cast(Cohort, self._records[Kind.COHORT][i].entity) for i in self.ids(Kind.COHORT)]

    def sessions(self) -> list[LauncherSession]:
        """The newest session of each launcher, by launcher id."""
        return [cast(LauncherSession, self._records[Kind.SESSION][i].entity) for i in self.ids(Kind.SESSION)]

    def live_runs(self, pool_id: PoolId) -> list[Run]:
        """The pool's runs that have not ended, by id."""
        live = self._live_runs.get(pool_id, {})
        return [live[run_id] for run_id in sorted(live)]

    def all_live_runs(self) -> list[Run]:
        """Runs that have not ended, by pool and id."""
        return [run for pool_id in sorted(self._live_runs) for run in self.live_runs(pool_id)]

    def version(self, key: Key) -> Revision:
        """The version of a record that exists."""
        return self._records[key.kind][key.id].version

    def planning_version(self, key: Key) -> Revision:
        """The planning version of a record that exists."""
        return self._records[key.kind][key.id].planning_version

    def _entity(self, cls: type[E], kind: Kind, id_: str) -> E | None:
        record = self._records[kind].get(id_)
        if record is None:
            return None
        assert isinstance(record.entity, cls), record
        return record.entity
