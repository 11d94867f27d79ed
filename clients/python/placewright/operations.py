"""Every unary operation and the paging lists, written once as generators of effects."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar, Union

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from placewright import errors
from placewright.decode import freeze_view, job_view, run_view
from placewright.effects import Operation, R
from placewright.job import Job, submission_of
from placewright.patience import call_with_patience
from placewright.pool_messages import pool_spec_message, pool_view
from placewright.pools import PoolSpec, PoolView
from placewright.reasons import Freeze
from placewright.revisions import Revisions
from placewright.settings import Settings
from placewright.status import error_of_status, with_request_id
from placewright.timing import Deadline
from placewright.v1 import fleet_service_pb2 as fleet
from placewright.v1 import job_pb2
from placewright.v1 import job_service_pb2 as jobs
from placewright.views import JobView, Run
from placewright.words import HealthStatus

JOB_SERVICE = "/placewright.v1.JobService/"
FLEET_SERVICE = "/placewright.v1.FleetService/"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH = {1: HealthStatus.SERVING, 2: HealthStatus.NOT_SERVING}
SUBMISSIONS_PER_CALL_MAX = 1_000
SUBMISSION_BYTES_PER_CALL_MAX = 3 * 1024 * 1024  # the service takes messages up to 4 MiB
HISTORY_REASONS = ("NOT_CAUGHT_UP",)
NEVER = Deadline(None)

T = TypeVar("T")
PoolWrite = Union[  # noqa: UP007  (runs under 3.10)
    fleet.ApplyPoolRequest,
    fleet.ConfirmPoolRequest,
    fleet.CordonPoolRequest,
    fleet.UncordonPoolRequest,
    fleet.DeletePoolRequest,
]
PoolAnswer = TypeVar(
    "PoolAnswer",
    fleet.ApplyPoolResponse,
    fleet.ConfirmPoolResponse,
    fleet.CordonPoolResponse,
    fleet.UncordonPoolResponse,
    fleet.DeletePoolResponse,
)


def new_request_id() -> str:
    """An id that makes a write safe to repeat."""
    return str(uuid.uuid4())


class Operations:
    """What can be asked of the service."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.revisions = Revisions()

    def submit(self, job: Job, request_id: str | None) -> Operation[JobView]:
        submission = submission_of(job, request_id=request_id or new_request_id())
        request = jobs.SubmitJobRequest(submission=submission)
        answer = yield from self._write(
            f"{JOB_SERVICE}SubmitJob", request, jobs.SubmitJobResponse, request_id=submission.request_id
        )
        self.revisions.note(answer.revision)
        return job_view(answer.job)

    def submit_many(
        self, wanted: Sequence[Job], request_ids: Sequence[str] | None
    ) -> Operation[list[JobView | errors.PlacewrightError]]:
        """A job or an error for each, in order. Raises only when nothing was answered at all."""
        ids = [new_request_id() for _ in wanted] if request_ids is None else list(request_ids)
        if len(ids) != len(wanted):
            fault = f"must be as many as the jobs, {len(wanted)}, got {len(ids)}"
            raise errors.InvalidRequest.of([errors.FieldViolation("request_ids", fault)])
        submissions = [submission_of(job, request_id=id_) for job, id_ in zip(wanted, ids)]  # noqa: B905  (same length)
        results: list[JobView | errors.PlacewrightError] = []
        answered = False
        for chunk in chunks(submissions):
            try:
                results += yield from self._submit_chunk(chunk)
                answered = True
            except errors.PlacewrightError as error:  # noqa: PERF203  (each call fails on its own)
                if not answered:
                    raise
                results += [type(error)(error.message, error.facts) for _ in chunk]
        for result, id_ in zip(results, ids):  # noqa: B905  (same length)
            if isinstance(result, errors.PlacewrightError):
                with_request_id(result, id_)
        return results

    def _submit_chunk(
        self, chunk: Sequence[jobs.JobSubmission]
    ) -> Operation[list[JobView | errors.PlacewrightError]]:
        request = jobs.SubmitJobsRequest(submissions=chunk)
        answer = yield from self._write(f"{JOB_SERVICE}SubmitJobs", request, jobs.SubmitJobsResponse)
        self.revisions.note(answer.revision)
        return [
            job_view(result.job) if result.HasField("job") else error_of_status(result.error)
            for result in answer.results
        ]

    def get_job(self, job_id: str, deadline: Deadline = NEVER) -> Operation[JobView]:
        with self._reading() as min_revision:
            request = jobs.GetJobRequest(job_id=job_id, min_revision=min_revision)
            answer = yield from self._call(f"{JOB_SERVICE}GetJob", request, jobs.GetJobResponse, deadline)
        return job_view(answer.job)

    def list_jobs(self, chosen: jobs.JobFilter, page_size: int) -> Pages[JobView]:
        def page(token: str) -> Operation[tuple[list[JobView], str]]:
            with self._reading() as min_revision:
                request = jobs.ListJobsRequest(
                    filter=chosen, page_size=page_size, page_token=token, min_revision=min_revision
                )
                answer = yield from self._call(f"{JOB_SERVICE}ListJobs", request, jobs.ListJobsResponse)
            return [job_view(job) for job in answer.jobs], answer.next_page_token

        return Pages(page)

    def cancel_job(
        self, job_id: str, *, reason: str, etag: str, request_id: str | None
    ) -> Operation[JobView]:
        request_id = request_id or new_request_id()
        request = jobs.CancelJobRequest(job_id=job_id, reason=reason, etag=etag, request_id=request_id)
        answer = yield from self._write(
            f"{JOB_SERVICE}CancelJob", request, jobs.CancelJobResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return job_view(answer.job)

    def hold_job(self, job_id: str, *, reason: str, request_id: str | None) -> Operation[JobView]:
        request_id = request_id or new_request_id()
        request = jobs.HoldJobRequest(job_id=job_id, reason=reason, request_id=request_id)
        answer = yield from self._write(
            f"{JOB_SERVICE}HoldJob", request, jobs.HoldJobResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return job_view(answer.job)

    def release_job(self, job_id: str, *, request_id: str | None) -> Operation[JobView]:
        request_id = request_id or new_request_id()
        request = jobs.ReleaseJobRequest(job_id=job_id, request_id=request_id)
        answer = yield from self._write(
            f"{JOB_SERVICE}ReleaseJob", request, jobs.ReleaseJobResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return job_view(answer.job)

    def get_pool(self, pool_id: str) -> Operation[PoolView]:
        with self._reading() as min_revision:
            request = fleet.GetPoolRequest(pool_id=pool_id, min_revision=min_revision)
            answer = yield from self._call(f"{FLEET_SERVICE}GetPool", request, fleet.GetPoolResponse)
        return pool_view(answer.pool)

    def list_pools(self) -> Pages[PoolView]:
        def page(token: str) -> Operation[tuple[list[PoolView], str]]:
            with self._reading() as min_revision:
                request = fleet.ListPoolsRequest(page_token=token, min_revision=min_revision)
                answer = yield from self._call(f"{FLEET_SERVICE}ListPools", request, fleet.ListPoolsResponse)
            return [pool_view(pool) for pool in answer.pools], answer.next_page_token

        return Pages(page)

    def apply_pool(
        self, pool_id: str, spec: PoolSpec, *, etag: str, confirm_jumps: bool, request_id: str | None
    ) -> Operation[PoolView]:
        message = pool_spec_message(spec)
        request = fleet.ApplyPoolRequest(
            pool_id=pool_id,
            spec=message,
            etag=etag,
            confirm_jumps=confirm_jumps,
            request_id=request_id or new_request_id(),
        )
        return (yield from self._write_pool("ApplyPool", request, fleet.ApplyPoolResponse))

    def confirm_pool(
        self,
        pool_id: str,
        *,
        price_usd_micros: int | None,
        accelerators: int | None,
        etag: str,
        request_id: str | None,
    ) -> Operation[PoolView]:
        request = fleet.ConfirmPoolRequest(
            pool_id=pool_id,
            price_usd_micros_per_accelerator_hour=price_usd_micros,
            accelerators=accelerators,
            etag=etag,
            request_id=request_id or new_request_id(),
        )
        return (yield from self._write_pool("ConfirmPool", request, fleet.ConfirmPoolResponse))

    def cordon_pool(self, pool_id: str, *, reason: str, request_id: str | None) -> Operation[PoolView]:
        request = fleet.CordonPoolRequest(
            pool_id=pool_id, reason=reason, request_id=request_id or new_request_id()
        )
        return (yield from self._write_pool("CordonPool", request, fleet.CordonPoolResponse))

    def uncordon_pool(self, pool_id: str, *, request_id: str | None) -> Operation[PoolView]:
        request = fleet.UncordonPoolRequest(pool_id=pool_id, request_id=request_id or new_request_id())
        return (yield from self._write_pool("UncordonPool", request, fleet.UncordonPoolResponse))

    def delete_pool(self, pool_id: str, *, etag: str, request_id: str | None) -> Operation[PoolView]:
        request = fleet.DeletePoolRequest(
            pool_id=pool_id, etag=etag, request_id=request_id or new_request_id()
        )
        return (yield from self._write_pool("DeletePool", request, fleet.DeletePoolResponse))

    def force_end_run(self, run_id: str, *, reason: str, request_id: str | None) -> Operation[Run]:
        request_id = request_id or new_request_id()
        request = fleet.ForceEndRunRequest(run_id=run_id, reason=reason, request_id=request_id)
        answer = yield from self._write(
            f"{FLEET_SERVICE}ForceEndRun", request, fleet.ForceEndRunResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return run_view(answer.run)

    def freeze_planning(
        self, reason: str, *, pool: str, queue: str, request_id: str | None
    ) -> Operation[Freeze | None]:
        request_id = request_id or new_request_id()
        scope = scope_message(pool=pool, queue=queue)
        request = fleet.FreezePlanningRequest(scope=scope, reason=reason, request_id=request_id)
        answer = yield from self._write(
            f"{FLEET_SERVICE}FreezePlanning", request, fleet.FreezePlanningResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return freeze_view(answer.freeze) if answer.HasField("freeze") else None

    def unfreeze_planning(self, *, pool: str, queue: str, request_id: str | None) -> Operation[None]:
        request_id = request_id or new_request_id()
        scope = scope_message(pool=pool, queue=queue)
        request = fleet.UnfreezePlanningRequest(scope=scope, request_id=request_id)
        answer = yield from self._write(
            f"{FLEET_SERVICE}UnfreezePlanning",
            request,
            fleet.UnfreezePlanningResponse,
            request_id=request_id,
        )
        self.revisions.note(answer.revision)

    def freezes(self) -> Operation[list[Freeze]]:
        with self._reading() as min_revision:
            request = fleet.ListFreezesRequest(min_revision=min_revision)
            answer = yield from self._call(f"{FLEET_SERVICE}ListFreezes", request, fleet.ListFreezesResponse)
        return [freeze_view(freeze) for freeze in answer.freezes]

    def health(self) -> Operation[HealthStatus]:
        # grpc.health.v1 without its package: a string in field 1 asks, an enum in field 1 answers, and
        # StringValue and Int32Value are the same bytes.
        answer = yield from self._call(HEALTH_CHECK, StringValue(), Int32Value)
        return HEALTH.get(answer.value, HealthStatus.UNKNOWN)

    def _write_pool(
        self, verb: str, request: PoolWrite, answer_kind: type[PoolAnswer]
    ) -> Operation[PoolView]:
        answer = yield from self._write(
            f"{FLEET_SERVICE}{verb}", request, answer_kind, request_id=request.request_id
        )
        self.revisions.note(answer.revision)
        return pool_view(answer.pool)

    def _write(self, method: str, request: Message, answer: type[R], *, request_id: str = "") -> Operation[R]:
        try:
            return (yield from self._call(method, request, answer))
        except errors.PlacewrightError as error:
            raise with_request_id(error, request_id) from None

    def _call(
        self, method: str, request: Message, answer: type[R], deadline: Deadline = NEVER
    ) -> Operation[R]:
        timeout_s = deadline.left_s(self.settings.timeout_s)
        return (yield from call_with_patience(method, request, answer, timeout_s=timeout_s))

    @contextmanager
    def _reading(self) -> Iterator[int]:
        """The min_revision of a read, forgotten when the service cannot reach it.

        After a change of history revisions count from 1 again, and none might ever be new enough.
        The error is raised all the same: the caller learns that its write may be gone.
        """
        try:
            yield self.revisions.newest
            self.revisions.note_read()
        except errors.DeadlineExceeded:
            self.revisions.note_timeout()
            raise
        except errors.PlacewrightError as error:
            if isinstance(error, errors.OutOfRange) or error.reason in HISTORY_REASONS:
                self.revisions.forget()
            raise


class Pages(Generic[T]):
    """Items of a paged list, one by one."""

    def __init__(self, page: Callable[[str], Operation[tuple[list[T], str]]]) -> None:
        self._page = page
        self._items: deque[T] = deque()
        self._token: str | None = ""

    def next(self) -> Operation[T | None]:
        while not self._items and self._token is not None:
            items, token = yield from self._page(self._token)
            self._items.extend(items)
            self._token = token or None
        return self._items.popleft() if self._items else None

    def close(self) -> None:
        self._items.clear()
        self._token = None


def scope_message(*, pool: str, queue: str) -> job_pb2.FreezeScope:
    """The scope: a pool, a queue, or with neither the whole cell."""
    if pool and queue:
        raise errors.InvalidRequest.of(
            [errors.FieldViolation("pool", "a freeze has a pool or a queue, not both")]
        )
    if pool:
        return job_pb2.FreezeScope(pool_id=pool)
    return job_pb2.FreezeScope(queue=queue) if queue else job_pb2.FreezeScope(cell=True)


def chunks(submissions: Sequence[jobs.JobSubmission]) -> Iterator[list[jobs.JobSubmission]]:
    """The submissions in order, in lists that fit into one call each."""
    chunk: list[jobs.JobSubmission] = []
    chunk_bytes = 0
    for submission in submissions:
        size_bytes = submission.ByteSize() + 8  # tag and length
        is_full = len(chunk) == SUBMISSIONS_PER_CALL_MAX
        if chunk and (is_full or chunk_bytes + size_bytes > SUBMISSION_BYTES_PER_CALL_MAX):
            yield chunk
            chunk, chunk_bytes = [], 0
        chunk.append(submission)
        chunk_bytes += size_bytes
    if chunk:
        yield chunk
