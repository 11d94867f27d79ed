"""What calls to JobService promise, as one job table that does one thing at a time."""

from dataclasses import dataclass, replace
from enum import StrEnum

from scheduler.model.ids import JobId, Revision


class Refusal(StrEnum):
    """Why a write was not carried out."""

    NOT_FOUND = "not_found"
    STALE_ETAG = "stale_etag"
    REQUEST_ID_REUSED = "request_id_reused"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The write holds; `revision` is that of the job if this call wrote it, else a later one."""

    job_id: JobId
    revision: Revision


Answer = Accepted | Refusal | None  # None: nothing is known about the outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """SubmitJob. The name of the job is also the request id."""

    name: str
    content: str
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """CancelJob; `etag` is a version that somebody was told, or None."""

    name: str
    request_id: str
    reason: str
    etag: Revision | None
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A job in an answer. `cancel_reason` is None unless it has been cancelled."""

    name: str
    job_id: JobId
    version: Revision
    cancel_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """GetJob of `name`, ListJobs if it is None, or the job in the answer of a write."""

    name: str | None
    seen: tuple[Seen, ...]


Call = Submit | Cancel | Read


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job of the table; what no answer has told yet is None.

    Attributes:
        cancel_reason: None unless it has been cancelled.
    """

    name: str
    content: str
    job_id: JobId | None
    version: Revision | None
    cancel_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """All jobs by name, and what each request id was used for."""

    jobs: tuple[JobRecord, ...] = ()
    cancels: frozenset[tuple[str, str, str]] = frozenset()  # (request id, name, reason)

    def job(self, name: str) -> JobRecord | None:
        return next((job for job in self.jobs if job.name == name), None)

    def with_job(self, job: JobRecord) -> "Table":
        others = (other for other in self.jobs if other.name != job.name)
        return replace(self, jobs=tuple(sorted((*others, job), key=lambda each: each.name)))


def job_table(table: Table, call: Call) -> Table | None:
    """The table after the call; None if the call cannot be answered so there."""
    match call:
        case Submit():
            return _submit(table, call)
        case Cancel():
            return _cancel(table, call)
        case Read():
            return _read(table, call)


def _submit(table: Table, call: Submit) -> Table | None:
    job = table.job(call.name)
    if job is None:
        if isinstance(call.answer, Refusal):
            return None
        job_id, revision = _told(call.answer)
        return table.with_job(
            JobRecord(name=call.name, content=call.content, job_id=job_id, version=revision)
        )
    if job.content != call.content:
        return _refused(table, call.answer, Refusal.REQUEST_ID_REUSED)
    return _repeated(table, job, call.answer)


def _cancel(table: Table, call: Cancel) -> Table | None:
    job = table.job(call.name)
    earlier = next((used for used in table.cancels if used[0] == call.request_id), None)
    if earlier is not None and earlier[1:] != (call.name, call.reason):
        return _refused(table, call.answer, Refusal.REQUEST_ID_REUSED)
    if job is None:
        return _refused(table, call.answer, Refusal.NOT_FOUND)
    if earlier is not None:
        return _repeated(table, job, call.answer)
    if call.answer is Refusal.STALE_ETAG:
        return table if call.etag is not None and call.etag != job.version else None
    if isinstance(call.answer, Refusal) or (call.etag not in (None, job.version) and job.version is not None):
        return _refused(table, call.answer, Refusal.STALE_ETAG)
    return _carried_out(table, job, call)


def _carried_out(table: Table, job: JobRecord, call: Cancel) -> Table | None:
    noted = replace(table, cancels=table.cancels | {(call.request_id, call.name, call.reason)})
    if job.cancel_reason is not None:
        return _repeated(noted, job, call.answer)
    job_id, revision = _told(call.answer)
    if not _may_be(job.job_id, job_id):
        return None
    return noted.with_job(
        replace(job, job_id=job.job_id or job_id, version=revision, cancel_reason=call.reason)
    )


def _told(answer: Answer) -> tuple[JobId | None, Revision | None]:
    return (answer.job_id, answer.revision) if isinstance(answer, Accepted) else (None, None)


def _refused(table: Table, answer: Answer, refusal: Refusal) -> Table | None:
    """Nothing happens, whether the caller was told or not."""
    return table if answer in (None, refusal) else None


def _repeated(table: Table, job: JobRecord, answer: Answer) -> Table | None:
    """The job is as was asked for already: nothing happens to it."""
    if isinstance(answer, Refusal):
        return None
    job_id, _ = _told(answer)
    if not _may_be(job.job_id, job_id):
        return None
    return table.with_job(replace(job, job_id=job.job_id or job_id))


def _read(table: Table, call: Read) -> Table | None:
    looked_at = [job for job in table.jobs if call.name in (None, job.name)]
    if [job.name for job in looked_at] != sorted(seen.name for seen in call.seen):
        return None
    for seen in call.seen:
        job = table.job(seen.name)
        assert job is not None, seen
        if not (
            _may_be(job.job_id, seen.job_id)
            and _may_be(job.version, seen.version)
            and job.cancel_reason == seen.cancel_reason
        ):
            return None
        table = table.with_job(replace(job, job_id=seen.job_id, version=seen.version))
    return table


def _may_be(known: str | int | None, told: str | int | None) -> bool:
    return known is None or told is None or known == told
