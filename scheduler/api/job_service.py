"""JobService: decode, call, encode."""

from collections.abc import AsyncIterator, Sequence

from placewright.v1 import explanation_pb2, job_pb2, job_service_pb2, job_service_pb2_grpc
from scheduler.api import enums
from scheduler.api.auth import Role
from scheduler.api.bulk_submit import BulkSubmit, Result
from scheduler.api.checks import Checks, checking, shown
from scheduler.api.decode_job import Vocabulary
from scheduler.api.encode_explanation import encode_explanation
from scheduler.api.encode_job import encode_job
from scheduler.api.encoded_jobs import EncodedJobs
from scheduler.api.errors import status_of
from scheduler.api.interceptor import Context, caller, within_ms
from scheduler.api.positions import (
    decode_cursor,
    decode_etag,
    decode_page_token,
    encode_cursor,
    encode_page_token,
)
from scheduler.api.submissions import Submissions
from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import JobId, QueueName, Revision
from scheduler.model.limits import FILTER_ITEMS_MAX, REPLICAS_MAX, SUBMISSIONS_PER_CALL_MAX
from scheduler.model.view import JobView
from scheduler.service.explanations import Explanations
from scheduler.service.jobs import Holder, JobFilter, Jobs
from scheduler.service.parts import Parts
from scheduler.service.watch import EventKind, Watches, WatchEvent

HEARTBEAT_MS_DEFAULT = 15_000
HEARTBEAT_MS_MIN = 1_000
HEARTBEAT_MS_MAX = 300_000

EVENT_KINDS = {
    kind: job_service_pb2.WatchEventKind.Value(f"WATCH_EVENT_KIND_{kind.name}") for kind in EventKind
}


class JobServicer(job_service_pb2_grpc.JobServiceServicer):
    """The wire's side of `service.jobs` and `service.watch`."""

    def __init__(self, parts: Parts, vocabulary: Vocabulary, explanations: Explanations) -> None:
        self._parts = parts
        self._jobs, self._watches = Jobs(parts), Watches(parts)
        self._explanations = explanations
        self._messages, self._submissions = EncodedJobs(), Submissions(vocabulary)
        self._bulk = BulkSubmit(self._jobs, self._submissions)

    async def SubmitJob(
        self, request: job_service_pb2.SubmitJobRequest, context: Context
    ) -> job_service_pb2.SubmitJobResponse:
        decoded = self._submissions.decode(request.submission, prefix="submission.")
        accepted = await self._jobs.submit(decoded.submission, caller().principal)
        history, spec = self._parts.state.history, decoded.effective_spec
        job = self._messages.of(accepted.view, history, effective_spec=spec)
        return job_service_pb2.SubmitJobResponse(job=job, revision=accepted.revision)

    async def SubmitJobs(
        self, request: job_service_pb2.SubmitJobsRequest, context: Context
    ) -> job_service_pb2.SubmitJobsResponse:
        with checking() as checks:
            checks.count("submissions", len(request.submissions), 1, SUBMISSIONS_PER_CALL_MAX)
            checks.done()
            _check_request_ids_differ(request.submissions, checks)
        results = await self._bulk.submit(request.submissions, caller().principal)
        response = job_service_pb2.SubmitJobsResponse()
        for result in results:
            response.results.append(self._encoded_result(result))
            if not isinstance(result, PlacewrightError):
                response.revision = max(response.revision, result.accepted.revision)
        return response

    async def GetJob(
        self, request: job_service_pb2.GetJobRequest, context: Context
    ) -> job_service_pb2.GetJobResponse:
        with checking() as checks:
            checks.id("job_id", request.job_id)
            min_revision = checks.revision(request.min_revision)
        view = await self._jobs.get(JobId(request.job_id), min_revision=min_revision)
        return job_service_pb2.GetJobResponse(job=self._encoded(view))

    async def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: Context
    ) -> job_service_pb2.ListJobsResponse:
        with checking() as checks:
            wanted = decode_filter(request.filter, checks)
            size = checks.page_size(request.page_size)
            min_revision = checks.revision(request.min_revision)
        after, first_cursor = decode_page_token("page_token", request.page_token, request.filter)
        cursor = first_cursor or encode_cursor(self._watches.cursor(), request.filter)
        page = await self._jobs.list_page(
            wanted, after=None if after is None else JobId(after), size=size, min_revision=min_revision
        )
        return job_service_pb2.ListJobsResponse(
            jobs=[self._encoded(view) for view in page.jobs],
            next_page_token=encode_page_token(page.next_after, request.filter, cursor),
            watch_cursor=cursor,
            total_size=page.total,
        )

    async def CancelJob(
        self, request: job_service_pb2.CancelJobRequest, context: Context
    ) -> job_service_pb2.CancelJobResponse:
        with checking() as checks:
            checks.id("job_id", request.job_id)
            checks.text("reason", request.reason)
            checks.request_id("request_id", request.request_id)
            version = decode_etag(request.etag, self._parts.state.history)
        accepted = await self._jobs.cancel(
            JobId(request.job_id),
            reason=request.reason,
            version=None if version is None else Revision(version),
            principal=caller().principal,
            request_id=request.request_id,
        )
        return job_service_pb2.CancelJobResponse(job=self._encoded(accepted.view), revision=accepted.revision)

    async def HoldJob(
        self, request: job_service_pb2.HoldJobRequest, context: Context
    ) -> job_service_pb2.HoldJobResponse:
        with checking() as checks:
            checks.id("job_id", request.job_id)
            checks.text("reason", request.reason, minimum=1)
            checks.request_id("request_id", request.request_id)
        held = await self._jobs.hold(
            JobId(request.job_id), reason=request.reason, holder=_holder(request.request_id)
        )
        return job_service_pb2.HoldJobResponse(job=self._encoded(held.view), revision=held.revision)

    async def ReleaseJob(
        self, request: job_service_pb2.ReleaseJobRequest, context: Context
    ) -> job_service_pb2.ReleaseJobResponse:
        with checking() as checks:
            checks.id("job_id", request.job_id)
            checks.request_id("request_id", request.request_id)
        freed = await self._jobs.release(JobId(request.job_id), holder=_holder(request.request_id))
        return job_service_pb2.ReleaseJobResponse(job=self._encoded(freed.view), revision=freed.revision)

    async def ExplainJob(
        self, request: explanation_pb2.ExplainJobRequest, context: Context
    ) -> explanation_pb2.ExplainJobResponse:
        with checking() as checks:
            checks.id("job_id", request.job_id)
            checks.within("replica_index", request.replica_index, 0, REPLICAS_MAX)
            min_revision = checks.revision(request.min_revision)
        found = await self._explanations.explain(
            JobId(request.job_id),
            index=request.replica_index if request.HasField("replica_index") else None,
            min_revision=min_revision,
            within_ms=within_ms(context),
        )
        return encode_explanation(found)

    async def WatchJobs(
        self, request: job_service_pb2.WatchJobsRequest, context: Context
    ) -> AsyncIterator[job_service_pb2.WatchJobsResponse]:
        heartbeat_ms = HEARTBEAT_MS_DEFAULT
        with checking() as checks:
            wanted = decode_filter(request.filter, checks)
            if request.HasField("heartbeat_interval"):
                heartbeat_ms = checks.duration_ms(
                    "heartbeat_interval",
                    request.heartbeat_interval,
                    minimum=HEARTBEAT_MS_MIN,
                    maximum=HEARTBEAT_MS_MAX,
                )
        cursor = decode_cursor("cursor", request.cursor, request.filter)
        events = self._watches.watch(
            wanted, cursor=cursor, heartbeat_ms=heartbeat_ms, principal=caller().principal
        )
        async for event in events:
            yield self._encoded_event(event, request.filter)

    def _encoded(self, view: JobView) -> job_pb2.Job:
        return self._messages.of(view, self._parts.state.history)

    def _encoded_result(self, result: Result) -> job_service_pb2.SubmitJobsResult:
        if isinstance(result, PlacewrightError):
            return job_service_pb2.SubmitJobsResult(error=status_of(result))
        view, history = result.accepted.view, self._parts.state.history
        job = encode_job(view, history, effective_spec=result.effective_spec, shows_replicas=False)
        return job_service_pb2.SubmitJobsResult(job=job)

    def _encoded_event(
        self, event: WatchEvent, wanted: job_service_pb2.JobFilter
    ) -> job_service_pb2.WatchJobsResponse:
        job = None
        if event.view is not None:
            job = self._encoded(event.view)
        elif event.job_id is not None:
            job = job_pb2.Job(job_id=event.job_id)
        return job_service_pb2.WatchJobsResponse(
            kind=EVENT_KINDS[event.kind],  # type: ignore[arg-type]  # an int is an enum value
            job=job,
            cursor=encode_cursor(event.cursor, wanted),
            revision=0 if event.cursor is None else event.cursor.revision,
        )


def _holder(request_id: str) -> Holder:
    identity = caller()
    is_operator = Role.OPERATOR in identity.roles
    return Holder(principal=identity.principal, is_operator=is_operator, request_id=request_id)


def _check_request_ids_differ(submissions: Sequence[job_service_pb2.JobSubmission], checks: Checks) -> None:
    seen: set[str] = set()
    for index, submission in enumerate(submissions):
        if submission.request_id in seen:
            field = f"submissions[{index}].request_id"
            checks.add(field, f"must differ from the others of the call, got {shown(submission.request_id)}")
        seen.add(submission.request_id)


def decode_filter(message: job_service_pb2.JobFilter, checks: Checks) -> JobFilter:
    for name in ("queues", "phases", "job_ids"):
        checks.count(f"filter.{name}", len(getattr(message, name)), 0, FILTER_ITEMS_MAX)
    phases = set()
    for index, value in enumerate(message.phases):
        phase = enums.PHASES.to_model(value)
        if phase is None:
            checks.add(f"filter.phases[{index}]", f"must be one of {enums.PHASES.allowed}, got {value}")
        else:
            phases.add(phase)
    if message.name:
        checks.id("filter.name", message.name)
    return JobFilter(
        queues=frozenset(QueueName(queue) for queue in message.queues),
        phases=frozenset(phases),
        name=message.name,
        job_ids=frozenset(JobId(job_id) for job_id in message.job_ids),
    )
