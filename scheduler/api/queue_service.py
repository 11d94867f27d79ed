"""QueueService: decode, call, encode."""

from placewright.v1 import queue_service_pb2 as wire
from placewright.v1 import queue_service_pb2_grpc
from scheduler.api.checks import checking
from scheduler.api.encode_job import encode_freeze
from scheduler.api.interceptor import Context, caller
from scheduler.api.positions import decode_etag, decode_page_token, encode_page_token
from scheduler.api.quotas import decode_cohort, decode_queue, encode_cohort, encode_queue
from scheduler.model.accelerator import Catalogue
from scheduler.model.brakes import FreezeScope
from scheduler.model.ids import QueueName
from scheduler.model.queue import CohortName
from scheduler.service.fleet import Caller
from scheduler.service.freezes import Freezes
from scheduler.service.parts import Parts
from scheduler.service.queues import Queues
from scheduler.service.quotas import Quotas


class QueueServicer(queue_service_pb2_grpc.QueueServiceServicer):
    """The wire's side of `service.queues` and `service.quotas`."""

    def __init__(self, parts: Parts, catalogue: Catalogue) -> None:
        self._parts, self._catalogue = parts, catalogue
        self._queues, self._quotas, self._freezes = Queues(parts), Quotas(parts), Freezes(parts)

    async def ApplyQueue(self, request: wire.ApplyQueueRequest, context: Context) -> wire.ApplyQueueResponse:
        with checking() as checks:
            checks.request_id("request_id", request.request_id)
            generation = decode_etag(request.etag, self._parts.state.history)
            queue = decode_queue(request.queue, request.spec, self._catalogue, checks)
        assert queue is not None
        view, revision = await self._quotas.apply_queue(
            queue, generation=generation, caller=_caller(request.request_id)
        )
        message = encode_queue(view, self._parts.state.history)
        return wire.ApplyQueueResponse(queue=message, revision=revision)

    async def GetQueue(self, request: wire.GetQueueRequest, context: Context) -> wire.GetQueueResponse:
        with checking() as checks:
            checks.id("queue", request.queue)
            min_revision = checks.revision(request.min_revision)
        view = await self._queues.get(QueueName(request.queue), min_revision=min_revision)
        return wire.GetQueueResponse(queue=encode_queue(view, self._parts.state.history))

    async def ListQueues(self, request: wire.ListQueuesRequest, context: Context) -> wire.ListQueuesResponse:
        with checking() as checks:
            size = checks.page_size(request.page_size)
            min_revision = checks.revision(request.min_revision)
        after, _ = decode_page_token("page_token", request.page_token, None)
        page = await self._queues.list_page(
            after=None if after is None else QueueName(after), size=size, min_revision=min_revision
        )
        return wire.ListQueuesResponse(
            queues=[encode_queue(view, self._parts.state.history) for view in page.queues],
            next_page_token=encode_page_token(page.next_after, None, ""),
        )

    async def DeleteQueue(
        self, request: wire.DeleteQueueRequest, context: Context
    ) -> wire.DeleteQueueResponse:
        with checking() as checks:
            checks.id("queue", request.queue)
            checks.request_id("request_id", request.request_id)
            generation = decode_etag(request.etag, self._parts.state.history)
        revision = await self._quotas.delete_queue(
            QueueName(request.queue), generation=generation, caller=_caller(request.request_id)
        )
        return wire.DeleteQueueResponse(revision=revision)

    async def ApplyCohort(
        self, request: wire.ApplyCohortRequest, context: Context
    ) -> wire.ApplyCohortResponse:
        with checking() as checks:
            checks.request_id("request_id", request.request_id)
            generation = decode_etag(request.etag, self._parts.state.history)
            cohort = decode_cohort(request.cohort, request.spec, self._catalogue, checks)
        assert cohort is not None
        view, revision = await self._quotas.apply_cohort(
            cohort, generation=generation, caller=_caller(request.request_id)
        )
        message = encode_cohort(view, self._parts.state.history)
        return wire.ApplyCohortResponse(cohort=message, revision=revision)

    async def ListCohorts(
        self, request: wire.ListCohortsRequest, context: Context
    ) -> wire.ListCohortsResponse:
        with checking() as checks:
            min_revision = checks.revision(request.min_revision)
        found = await self._quotas.list_cohorts(min_revision=min_revision)
        history = self._parts.state.history
        return wire.ListCohortsResponse(cohorts=[encode_cohort(view, history) for view in found])

    async def DeleteCohort(
        self, request: wire.DeleteCohortRequest, context: Context
    ) -> wire.DeleteCohortResponse:
        with checking() as checks:
            checks.id("cohort", request.cohort)
            checks.request_id("request_id", request.request_id)
            generation = decode_etag(request.etag, self._parts.state.history)
        revision = await self._quotas.delete_cohort(
            CohortName(request.cohort), generation=generation, caller=_caller(request.request_id)
        )
        return wire.DeleteCohortResponse(revision=revision)

    async def HoldQueue(self, request: wire.HoldQueueRequest, context: Context) -> wire.HoldQueueResponse:
        with checking() as checks:
            checks.id("queue", request.queue)
            checks.text("reason", request.reason, minimum=1)
            checks.request_id("request_id", request.request_id)
        hold, revision = await self._freezes.freeze(
            FreezeScope.QUEUE, request.queue, reason=request.reason, caller=_caller(request.request_id)
        )
        message = None if hold is None else encode_freeze(hold)
        return wire.HoldQueueResponse(hold=message, revision=revision)

    async def ReleaseQueue(
        self, request: wire.ReleaseQueueRequest, context: Context
    ) -> wire.ReleaseQueueResponse:
        with checking() as checks:
            checks.id("queue", request.queue)
            checks.request_id("request_id", request.request_id)
        revision = await self._freezes.unfreeze(
            FreezeScope.QUEUE, request.queue, caller=_caller(request.request_id)
        )
        return wire.ReleaseQueueResponse(revision=revision)


def _caller(request_id: str) -> Caller:
    return Caller(principal=caller().principal, request_id=request_id)
