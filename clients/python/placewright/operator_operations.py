"""What operators ask of nodes, replicas, queues and cohorts, as generators of effects like `operations`."""

from __future__ import annotations

from collections.abc import Sequence

from placewright.decode import freeze_view, replica_view
from placewright.effects import Operation
from placewright.operations import FLEET_SERVICE, Operations, Pages, new_request_id
from placewright.pool_messages import pool_view
from placewright.pools import PoolView
from placewright.queue_messages import cohort_spec_message, cohort_view, queue_spec_message, queue_view
from placewright.queues import CohortSpec, CohortView, QueueSpec, QueueView
from placewright.reasons import Freeze
from placewright.v1 import fleet_service_pb2 as fleet
from placewright.v1 import queue_service_pb2 as queues
from placewright.views import Replica

QUEUE_SERVICE = "/placewright.v1.QueueService/"


class OperatorOperations(Operations):
    """All operations."""

    def cordon_nodes(
        self, pool_id: str, nodes: Sequence[str], *, reason: str, request_id: str | None
    ) -> Operation[PoolView]:
        request_id = request_id or new_request_id()
        request = fleet.CordonNodesRequest(
            pool_id=pool_id, node_names=nodes, reason=reason, request_id=request_id
        )
        answer = yield from self._write(
            f"{FLEET_SERVICE}CordonNodes", request, fleet.CordonNodesResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return pool_view(answer.pool)

    def uncordon_nodes(
        self, pool_id: str, nodes: Sequence[str], *, request_id: str | None
    ) -> Operation[PoolView]:
        request_id = request_id or new_request_id()
        request = fleet.UncordonNodesRequest(pool_id=pool_id, node_names=nodes, request_id=request_id)
        answer = yield from self._write(
            f"{FLEET_SERVICE}UncordonNodes", request, fleet.UncordonNodesResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return pool_view(answer.pool)

    def pin_replica(
        self, replica_id: str, *, pool: str, reason: str, request_id: str | None
    ) -> Operation[Replica]:
        request_id = request_id or new_request_id()
        request = fleet.PinReplicaRequest(
            replica_id=replica_id, pool_id=pool, reason=reason, request_id=request_id
        )
        answer = yield from self._write(
            f"{FLEET_SERVICE}PinReplica", request, fleet.PinReplicaResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return replica_view(answer.replica)

    def unpin_replica(self, replica_id: str, *, request_id: str | None) -> Operation[Replica]:
        request_id = request_id or new_request_id()
        request = fleet.UnpinReplicaRequest(replica_id=replica_id, request_id=request_id)
        answer = yield from self._write(
            f"{FLEET_SERVICE}UnpinReplica", request, fleet.UnpinReplicaResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return replica_view(answer.replica)

    def list_queues(self) -> Pages[QueueView]:
        def page(token: str) -> Operation[tuple[list[QueueView], str]]:
            with self._reading() as min_revision:
                request = queues.ListQueuesRequest(page_token=token, min_revision=min_revision)
                answer = yield from self._call(
                    f"{QUEUE_SERVICE}ListQueues", request, queues.ListQueuesResponse
                )
            return [queue_view(queue) for queue in answer.queues], answer.next_page_token

        return Pages(page)

    def hold_queue(self, queue: str, *, reason: str, request_id: str | None) -> Operation[Freeze | None]:
        request_id = request_id or new_request_id()
        request = queues.HoldQueueRequest(queue=queue, reason=reason, request_id=request_id)
        answer = yield from self._write(
            f"{QUEUE_SERVICE}HoldQueue", request, queues.HoldQueueResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return freeze_view(answer.hold) if answer.HasField("hold") else None

    def release_queue(self, queue: str, *, request_id: str | None) -> Operation[None]:
        request_id = request_id or new_request_id()
        request = queues.ReleaseQueueRequest(queue=queue, request_id=request_id)
        answer = yield from self._write(
            f"{QUEUE_SERVICE}ReleaseQueue", request, queues.ReleaseQueueResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)

    def get_queue(self, queue: str) -> Operation[QueueView]:
        with self._reading() as min_revision:
            request = queues.GetQueueRequest(queue=queue, min_revision=min_revision)
            answer = yield from self._call(f"{QUEUE_SERVICE}GetQueue", request, queues.GetQueueResponse)
        return queue_view(answer.queue)

    def apply_queue(
        self, queue: str, spec: QueueSpec, *, etag: str, request_id: str | None
    ) -> Operation[QueueView]:
        request_id = request_id or new_request_id()
        request = queues.ApplyQueueRequest(
            queue=queue, spec=queue_spec_message(spec), etag=etag, request_id=request_id
        )
        answer = yield from self._write(
            f"{QUEUE_SERVICE}ApplyQueue", request, queues.ApplyQueueResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return queue_view(answer.queue)

    def delete_queue(self, queue: str, *, etag: str, request_id: str | None) -> Operation[None]:
        request_id = request_id or new_request_id()
        request = queues.DeleteQueueRequest(queue=queue, etag=etag, request_id=request_id)
        answer = yield from self._write(
            f"{QUEUE_SERVICE}DeleteQueue", request, queues.DeleteQueueResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)

    def list_cohorts(self) -> Operation[list[CohortView]]:
        with self._reading() as min_revision:
            request = queues.ListCohortsRequest(min_revision=min_revision)
            answer = yield from self._call(f"{QUEUE_SERVICE}ListCohorts", request, queues.ListCohortsResponse)
        return [cohort_view(cohort) for cohort in answer.cohorts]

    def apply_cohort(
        self, cohort: str, spec: CohortSpec, *, etag: str, request_id: str | None
    ) -> Operation[CohortView]:
        request_id = request_id or new_request_id()
        request = queues.ApplyCohortRequest(
            cohort=cohort, spec=cohort_spec_message(spec), etag=etag, request_id=request_id
        )
        answer = yield from self._write(
            f"{QUEUE_SERVICE}ApplyCohort", request, queues.ApplyCohortResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
        return cohort_view(answer.cohort)

    def delete_cohort(self, cohort: str, *, etag: str, request_id: str | None) -> Operation[None]:
        request_id = request_id or new_request_id()
        request = queues.DeleteCohortRequest(cohort=cohort, etag=etag, request_id=request_id)
        answer = yield from self._write(
            f"{QUEUE_SERVICE}DeleteCohort", request, queues.DeleteCohortResponse, request_id=request_id
        )
        self.revisions.note(answer.revision)
