"""What operators ask of nodes and replicas: methods of both clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from placewright.effects import Operation
from placewright.operator_operations import OperatorOperations
from placewright.pools import PoolView
from placewright.views import Replica

T = TypeVar("T")


class OperatorCalls(ABC):
    """A part of `Client`."""

    _operations: OperatorOperations

    @abstractmethod
    def _run(self, operation: Operation[T]) -> T:
        """Carry the operation out."""

    def cordon_nodes(
        self, pool_id: str, nodes: Sequence[str], reason: str, *, request_id: str | None = None
    ) -> PoolView:
        """Stop new placements on nodes, or slices, by name; what runs there goes on."""
        return self._run(self._operations.cordon_nodes(pool_id, nodes, reason=reason, request_id=request_id))

    def uncordon_nodes(
        self, pool_id: str, nodes: Sequence[str], *, request_id: str | None = None
    ) -> PoolView:
        """Allow placements on nodes again."""
        return self._run(self._operations.uncordon_nodes(pool_id, nodes, request_id=request_id))

    def pin_replica(
        self, replica_id: str, reason: str, *, pool: str = "", request_id: str | None = None
    ) -> Replica:
        """Place a replica on one pool only; without `pool`, where its live run is. It is not moved away."""
        return self._run(
            self._operations.pin_replica(replica_id, pool=pool, reason=reason, request_id=request_id)
        )

    def unpin_replica(self, replica_id: str, *, request_id: str | None = None) -> Replica:
        """Let a replica be placed anywhere again."""
        return self._run(self._operations.unpin_replica(replica_id, request_id=request_id))


class AsyncOperatorCalls(ABC):
    """A part of `AsyncClient`; `OperatorCalls` says what each method does."""

    _operations: OperatorOperations

    @abstractmethod
    async def _run(self, operation: Operation[T]) -> T:
        """Carry the operation out."""

    async def cordon_nodes(
        self, pool_id: str, nodes: Sequence[str], reason: str, *, request_id: str | None = None
    ) -> PoolView:
        return await self._run(
            self._operations.cordon_nodes(pool_id, nodes, reason=reason, request_id=request_id)
        )

    async def uncordon_nodes(
        self, pool_id: str, nodes: Sequence[str], *, request_id: str | None = None
    ) -> PoolView:
        return await self._run(self._operations.uncordon_nodes(pool_id, nodes, request_id=request_id))

    async def pin_replica(
        self, replica_id: str, reason: str, *, pool: str = "", request_id: str | None = None
    ) -> Replica:
        return await self._run(
            self._operations.pin_replica(replica_id, pool=pool, reason=reason, request_id=request_id)
        )

    async def unpin_replica(self, replica_id: str, *, request_id: str | None = None) -> Replica:
        return await self._run(self._operations.unpin_replica(replica_id, request_id=request_id))
