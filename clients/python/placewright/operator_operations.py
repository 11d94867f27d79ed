"""What operators ask of nodes and replicas, written once as generators of effects like `operations`."""

from __future__ import annotations

from collections.abc import Sequence

from placewright.decode import replica_view
from placewright.effects import Operation
from placewright.operations import FLEET_SERVICE, Operations, new_request_id
from placewright.pool_messages import pool_view
from placewright.pools import PoolView
from placewright.v1 import fleet_service_pb2 as fleet
from placewright.views import Replica


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
