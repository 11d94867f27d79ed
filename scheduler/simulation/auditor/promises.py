"""What callers were told, and whether it stays true: acknowledged jobs and cancels, and watches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from scheduler.model.ids import JobId, Revision
from scheduler.model.job import Job
from scheduler.model.records import Key, Kind, Record
from scheduler.model.view import JobView
from scheduler.simulation.auditor.records import RecordsAuditor, is_ending


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
        if job_id in self._records.lost_jobs:
            return
        earlier = self._jobs.setdefault(request_id, job_id)
        if earlier != job_id:
            self._violated(f"request {request_id} made job {earlier} and job {job_id}")
        if Key(Kind.JOB, job_id) not in self._records.records:
            self._violated(f"job {job_id} was acknowledged and is not there")

    def tail_lost(self) -> None:
        """What was acknowledged and is not in the store any more may be gone; what is left must stay."""
        self._jobs = {r: job_id for r, job_id in self._jobs.items() if self._job(job_id) is not None}
        kept = {job_id: self._job(job_id) for job_id in self._cancels}
        self._cancels = {i: None for i, job in kept.items() if job is not None and is_ending(job)}

    def is_kept(self, job_id: JobId) -> bool:
        """Whether an acknowledged job must still be there."""
        return job_id in self._jobs.values()

    def cancel_acknowledged(self, job_id: JobId) -> None:
        if job_id in self._records.lost_cancels:
            return
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
        return None if record is None else as_job(record)

    def faults(self) -> Iterator[str]:
        """Acknowledged jobs that are gone, and cancelled ones that have not finished."""
        for job_id in self._jobs.values():
            if self._job(job_id) is None:
                yield f"job {job_id} was acknowledged and is gone"
        for job_id in self._cancels:
            job = self._job(job_id)
            if job is not None and job.outcome is None:
                yield f"job {job_id} was cancelled and has not finished"


def as_job(record: Record) -> Job:
    assert isinstance(record.entity, Job), record
    return record.entity
