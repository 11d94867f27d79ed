"""What operators ask of nodes, replicas, queues and cohorts: methods of both clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TypeVar

from placewright.effects import Operation, Source
from placewright.operator_operations import OperatorOperations
from placewright.pools import PoolView
from placewright.queues import CohortSpec, CohortView, QueueSpec, QueueView
from placewright.reasons import Freeze
from placewright.views import Replica

T = TypeVar("T")


class OperatorCalls(ABC):
    """A part of `Client`."""

    _operations: OperatorOperations

    @abstractmethod
    def _run(self, operation: Operation[T]) -> T:
        """Carry the operation out."""

    @abstractmethod
    def _iterate(self, source: Source[T]) -> Iterator[T]:
        """What the source gives, one by one."""

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

    def queues(self) -> list[QueueView]:
        """Every queue that has a spec or unfinished jobs or is held, by name."""
        return list(self._iterate(self._operations.list_queues()))

    def get_queue(self, queue: str) -> QueueView:
        return self._run(self._operations.get_queue(queue))

    def apply_queue(
        self, queue: str, spec: QueueSpec, *, etag: str = "", request_id: str | None = None
    ) -> QueueView:
        """Give a queue quotas, a cohort and a weight; with an `etag`, only if it still has that."""
        return self._run(self._operations.apply_queue(queue, spec, etag=etag, request_id=request_id))

    def delete_queue(self, queue: str, *, etag: str = "", request_id: str | None = None) -> None:
        """Take a queue's spec away: it has no quotas any more, its jobs stay."""
        self._run(self._operations.delete_queue(queue, etag=etag, request_id=request_id))

    def cohorts(self) -> list[CohortView]:
        """Every cohort, by name."""
        return self._run(self._operations.list_cohorts())

    def apply_cohort(
        self, cohort: str, spec: CohortSpec, *, etag: str = "", request_id: str | None = None
    ) -> CohortView:
        """Create a cohort or change its spec; with an `etag`, only if it still has that."""
        return self._run(self._operations.apply_cohort(cohort, spec, etag=etag, request_id=request_id))

    def delete_cohort(self, cohort: str, *, etag: str = "", request_id: str | None = None) -> None:
        """Remove a cohort that has no members."""
        self._run(self._operations.delete_cohort(cohort, etag=etag, request_id=request_id))

    def hold_queue(self, queue: str, reason: str, *, request_id: str | None = None) -> Freeze | None:
        """Place nothing new of a queue's jobs; what runs goes on."""
        return self._run(self._operations.hold_queue(queue, reason=reason, request_id=request_id))

    def release_queue(self, queue: str, *, request_id: str | None = None) -> None:
        """Take the hold of a queue back."""
        self._run(self._operations.release_queue(queue, request_id=request_id))


class AsyncOperatorCalls(ABC):
    """A part of `AsyncClient`; `OperatorCalls` says what each method does."""

    _operations: OperatorOperations

    @abstractmethod
    async def _run(self, operation: Operation[T]) -> T:
        """Carry the operation out."""

    @abstractmethod
    def _iterate(self, source: Source[T]) -> AsyncIterator[T]:
        """What the source gives, one by one."""

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

    async def queues(self) -> list[QueueView]:
        return [queue async for queue in self._iterate(self._operations.list_queues())]

    async def get_queue(self, queue: str) -> QueueView:
        return await self._run(self._operations.get_queue(queue))

    async def apply_queue(
        self, queue: str, spec: QueueSpec, *, etag: str = "", request_id: str | None = None
    ) -> QueueView:
        return await self._run(self._operations.apply_queue(queue, spec, etag=etag, request_id=request_id))

    async def delete_queue(self, queue: str, *, etag: str = "", request_id: str | None = None) -> None:
        await self._run(self._operations.delete_queue(queue, etag=etag, request_id=request_id))

    async def cohorts(self) -> list[CohortView]:
        return await self._run(self._operations.list_cohorts())

    async def apply_cohort(
        self, cohort: str, spec: CohortSpec, *, etag: str = "", request_id: str | None = None
    ) -> CohortView:
        return await self._run(self._operations.apply_cohort(cohort, spec, etag=etag, request_id=request_id))

    async def delete_cohort(self, cohort: str, *, etag: str = "", request_id: str | None = None) -> None:
        await self._run(self._operations.delete_cohort(cohort, etag=etag, request_id=request_id))

    async def hold_queue(self, queue: str, reason: str, *, request_id: str | None = None) -> Freeze | None:
        return await self._run(self._operations.hold_queue(queue, reason=reason, request_id=request_id))

    async def release_queue(self, queue: str, *, request_id: str | None = None) -> None:
        await self._run(self._operations.release_queue(queue, request_id=request_id))
