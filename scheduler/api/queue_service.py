"""QueueService: decode, call, encode."""

from placewright.v1 import queue_service_pb2 as wire
from placewright.v1 import queue_service_pb2_grpc
from scheduler.api.checks import checking
from scheduler.api.encode_job import encode_freeze
from scheduler.api.interceptor import Context, caller
from scheduler.api.positions import decode_page_token, encode_page_token
from scheduler.model.brakes import FreezeScope
from scheduler.model.ids import QueueName
from scheduler.service.fleet import Caller
from scheduler.service.freezes import Freezes
from scheduler.service.parts import Parts
from scheduler.service.queues import Queues, QueueView


class QueueServicer(queue_service_pb2_grpc.QueueServiceServicer):
    """The wire's side of `service.queues`."""

    def __init__(self, parts: Parts) -> None:
        self._queues, self._freezes = Queues(parts), Freezes(parts)

    async def ListQueues(self, request: wire.ListQueuesRequest, context: Context) -> wire.ListQueuesResponse:
        with checking() as checks:
            size = checks.page_size(request.page_size)
            min_revision = checks.revision(request.min_revision)
        after, _ = decode_page_token("page_token", request.page_token, None)
        page = await self._queues.list_page(
            after=None if after is None else QueueName(after), size=size, min_revision=min_revision
        )
        return wire.ListQueuesResponse(
            queues=[encode_queue(view) for view in page.queues],
            next_page_token=encode_page_token(page.next_after, None, ""),
        )

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


def encode_queue(view: QueueView) -> wire.Queue:
    return wire.Queue(
        queue=view.queue,
        unfinished_jobs=view.unfinished_jobs,
        waiting_jobs=view.waiting_jobs,
        waiting_replicas=view.waiting_replicas,
        live_runs=view.live_runs,
        accelerators_used=view.accelerators_used,
        hold=None if view.hold is None else encode_freeze(view.hold),
    )


def _caller(request_id: str) -> Caller:
    return Caller(principal=caller().principal, request_id=request_id)
