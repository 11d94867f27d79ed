"""Jobs: submit, get, list, cancel, hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.mirror.writes import RequestSeen, revision_of
from scheduler.model.brakes import Hold
from scheduler.model.errors import (
    NotAllowed,
    NotFound,
    PlacewrightError,
    QueueFull,
    StaleEtag,
)
from scheduler.model.ids import JobId, Principal, QueueName, Revision
from scheduler.model.job import Job, JobPhase, JobSpec
from scheduler.model.limits import (
    REPLICAS_MAX,
    REPLICAS_SHOWN_MAX,
    UNFINISHED_JOBS_MAX,
    UNFINISHED_JOBS_PER_QUEUE_MAX,
)
from scheduler.model.records import IdempotencyRecord, Key, Kind, LaunchPayload
from scheduler.model.state import State
from scheduler.model.transaction import Outcome, Transaction
from scheduler.model.transitions.jobs import cancel_requested, held, submitted
from scheduler.model.view import JobView, job_view, phase_of
from scheduler.service.parts import Parts, idempotency_record
from scheduler.service.ulid import Ulids

REPLICAS_PER_PAGE_MAX = 10_000  # about 240 bytes each, and clients take messages of 4 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One job to accept, decoded and checked."""

    spec: JobSpec
    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted job as its caller sees it, and the revision of the write."""

    view: JobView
    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds or releases a job, and with which request id."""

    principal: Principal
    is_operator: bool
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs; what is empty chooses all."""

    queues: frozenset[QueueName] = frozenset()
    phases: frozenset[JobPhase] = frozenset()
    name: str = ""
    job_ids: frozenset[JobId] = frozenset()

    def matches(self, state: State, job: Job) -> bool:
        return self.can_match(job) and (
            not self.phases or phase_of(job, state.replicas_of(job)) in self.phases
        )

    def can_match(self, job: Job) -> bool:
        """Whether the job matches in all that never changes: everything but its phase."""
        return (
            (not self.queues or job.spec.queue in self.queues)
            and (not self.name or job.spec.name == self.name)
            and (not self.job_ids or job.id in self.job_ids)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A page of jobs.

    Attributes:
        next_after: the id to go on after; None on the last page.
        total: jobs that the filter chooses now.
    """

    jobs: tuple[JobView, ...]
    next_after: JobId | None
    total: int


@dataclass(frozen=True, slots=True)
class _Draft:
    """A submission with everything that its write needs."""

    job: Job
    record: IdempotencyRecord
    transaction: Transaction


class Jobs:
    """What users may ask of jobs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ulids = Ulids(parts.random_bytes)

    async def submit(self, submission: Submission, principal: Principal) -> Accepted:
        """Accept one job; durable when this returns.

        Raises:
            RequestIdReused, QueueFull, StoreUnavailable
        """
        result = (await self.submit_many([submission], principal))[0]
        if isinstance(result, PlacewrightError):
            raise result
        return result

    async def submit_many(
        self, submissions: Sequence[Submission], principal: Principal
    ) -> list[Accepted | PlacewrightError]:
        """Accept each job on its own; the results are in the order of the submissions."""
        drafts = [self._draft_or_refusal(submission, principal) for submission in submissions]
        good = [draft.transaction for draft in drafts if isinstance(draft, _Draft)]
        try:
            outcomes = iter(await self._parts.store.transact(good) if good else ())
        except PlacewrightError as error:
            return [error if isinstance(draft, _Draft) else draft for draft in drafts]
        return [
            await self._result(draft, next(outcomes)) if isinstance(draft, _Draft) else draft
            for draft in drafts
        ]

    def _draft_or_refusal(self, submission: Submission, principal: Principal) -> _Draft | QueueFull:
        """A draft while there is room for the job.

        What is under way is not counted: the limits are passed by no more than that.
        """
        state, queue = self._parts.state, submission.spec.queue
        if state.unfinished_count >= UNFINISHED_JOBS_MAX:
            told = f"{state.unfinished_count} jobs are unfinished; at most {UNFINISHED_JOBS_MAX} may be"
            return QueueFull(told, limit="UNFINISHED_JOBS")
        if state.unfinished_count_in(queue) >= UNFINISHED_JOBS_PER_QUEUE_MAX:
            told = (
                f"{state.unfinished_count_in(queue)} jobs of queue {queue!r} are unfinished; "
                f"at most {UNFINISHED_JOBS_PER_QUEUE_MAX} may be"
            )
            return QueueFull(told, limit="UNFINISHED_JOBS_PER_QUEUE")
        return self._draft(submission, principal)

    def _draft(self, submission: Submission, principal: Principal) -> _Draft:
        now_ms = self._parts.clock.now_ms()
        job_id = JobId(f"{self._parts.cell}-{self._ulids.next(now_ms)}")
        content = (submission.spec, submission.command, submission.env)
        record = idempotency_record(principal, submission.request_id, content=content, resource_id=job_id)
        job = Job(
            id=job_id,
            spec=submission.spec,
            submitter=principal,
            submitted_at_ms=now_ms,
            request_key=record.id,
            history=self._parts.state.history,
        )
        payload = LaunchPayload(job_id=job_id, command=submission.command, env=submission.env)
        return _Draft(job, record, submitted(job, payload, record))

    async def _result(self, draft: _Draft, outcome: Outcome) -> Accepted | PlacewrightError:
        try:
            revision = revision_of(outcome)
            await self._parts.mirror.caught_up(revision)
            return Accepted(view=self._view(draft.job.id), revision=revision)
        except RequestSeen as seen:
            try:
                return await self._earlier(seen.key, draft.record)
            except PlacewrightError as error:
                return error
        except PlacewrightError as error:
            return error

    async def _earlier(self, key: Key, record: IdempotencyRecord) -> Accepted:
        earlier = await self._parts.same_request(key, record)
        revision = await self._parts.caught_up_with_store()
        return Accepted(view=self._view(JobId(earlier.resource_id)), revision=revision)

    async def get(self, job_id: JobId, *, min_revision: Revision) -> JobView:
        """One job with all its replicas.

        Raises:
            NotFound, NotCaughtUp
        """
        await self._parts.mirror.caught_up(min_revision)
        return self._view(job_id)

    def _view(self, job_id: JobId) -> JobView:
        view = job_view(self._parts.state, job_id, replicas_max=REPLICAS_MAX)
        if view is None:
            raise NotFound("job", job_id)
        return view

    async def list_page(
        self, wanted: JobFilter, *, after: JobId | None, size: int, min_revision: Revision
    ) -> JobPage:
        """Jobs by id from after `after`."""
        await self._parts.mirror.caught_up(min_revision)
        state = self._parts.state
        chosen = [job.id for job in _all_jobs(state) if wanted.matches(state, job)]
        left = [job_id for job_id in chosen if after is None or job_id > after]
        views = _page(state, left[:size])
        return JobPage(
            jobs=tuple(views),
            next_after=views[-1].job.id if len(left) > len(views) else None,
            total=len(chosen),
        )

    async def cancel(
        self, job_id: JobId, *, reason: str, version: Revision | None, principal: Principal, request_id: str
    ) -> Accepted:
        """Ask that a job ends; `version` is the caller's etag, if it gave one.

        Raises:
            NotFound, StaleEtag, RequestIdReused
        """
        content = ("cancel", job_id, reason)
        record = idempotency_record(principal, request_id, content=content, resource_id=job_id)

        def compute(state: State) -> Transaction | None:
            if state.job(job_id) is None:
                raise NotFound("job", job_id)
            check_etag(state, Key(Kind.JOB, job_id), version)
            return cancel_requested(state, job_id, reason=reason, now_ms=self._parts.clock.now_ms())

        revision = await self._parts.write_once(record, compute)
        return Accepted(view=self._view(job_id), revision=revision)

    async def hold(self, job_id: JobId, *, reason: str, holder: Holder) -> Accepted:
        """No new placements for the job from when this returns; its runs go on.

        Raises:
            NotFound, NotAllowed, RequestIdReused
        """
        hold = Hold(reason=reason, principal=holder.principal, held_at_ms=self._parts.clock.now_ms())
        return await self._held(job_id, hold, content=("hold", job_id, reason), holder=holder)

    async def release(self, job_id: JobId, *, holder: Holder) -> Accepted:
        """The job may be placed again; raises as `hold`."""
        return await self._held(job_id, None, content=("release", job_id), holder=holder)

    async def _held(self, job_id: JobId, hold: Hold | None, *, content: object, holder: Holder) -> Accepted:
        record = idempotency_record(holder.principal, holder.request_id, content=content, resource_id=job_id)

        def compute(state: State) -> Transaction | None:
            job = state.job(job_id)
            if job is None:
                raise NotFound("job", job_id)
            if not holder.is_operator and holder.principal != job.submitter:
                raise NotAllowed(f"job {job_id} is held and released by its submitter or an operator")
            return held(state, job, hold)

        revision = await self._parts.write_once(record, compute)
        return Accepted(view=self._view(job_id), revision=revision)


def _page(state: State, job_ids: Sequence[JobId]) -> list[JobView]:
    """Views of the first jobs, as many as fit a message."""
    views: list[JobView] = []
    replicas = 0
    for job_id in job_ids:
        view = job_view(state, job_id, replicas_max=REPLICAS_SHOWN_MAX)
        assert view is not None, job_id
        replicas += len(view.replicas)
        if views and replicas > REPLICAS_PER_PAGE_MAX:
            break
        views.append(view)
    return views


def check_etag(state: State, key: Key, version: Revision | None) -> None:
    """That the record is still at the caller's etag.

    Raises:
        StaleEtag: it has changed since.
    """
    if version is not None and state.version(key) != version:
        raise StaleEtag(f"{key.kind} {key.id} has changed since etag {version}: read it again")


def _all_jobs(state: State) -> list[Job]:
    found = (state.job(JobId(job_id)) for job_id in state.ids(Kind.JOB))
    return [job for job in found if job is not None]
