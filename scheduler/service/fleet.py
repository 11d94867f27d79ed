"""The fleet: pools and what operators do with them."""

from collections.abc import Callable
from dataclasses import dataclass

from scheduler.model.errors import NotFound, StaleEtag
from scheduler.model.ids import PoolId, Principal, Revision, RunId
from scheduler.model.jumps import Word
from scheduler.model.pool import Cordon, Pool, PoolSpec
from scheduler.model.records import IdempotencyRecord
from scheduler.model.run import Run
from scheduler.model.state import State
from scheduler.model.transaction import Transaction
from scheduler.model.transitions.fleet import applied, cordoned, deleting
from scheduler.model.transitions.jumps import price_and_capacity_confirmed
from scheduler.model.transitions.node_cordons import nodes_cordoned, nodes_uncordoned
from scheduler.model.transitions.runs import force_ended
from scheduler.model.view import PoolView, pool_view
from scheduler.service.parts import Parts, idempotency_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and with which request id."""

    principal: Principal
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPool:
    """A pool after a change, and the revision of the write."""

    view: PoolView
    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPage:
    """Pools by id, and the id to go on after; None on the last page."""

    pools: tuple[PoolView, ...]
    next_after: PoolId | None


class Fleet:
    """What operators may ask of pools."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def apply(
        self,
        pool_id: PoolId,
        spec: PoolSpec,
        *,
        generation: int | None,
        caller: Caller,
        confirms_jumps: bool = False,
    ) -> ChangedPool:
        """Create the pool or change its spec. A price that jumps waits for `confirm`, unless it is meant.

        Raises:
            StaleEtag, IllegalTransition, RequestIdReused
        """
        content = ("apply", pool_id, spec, *(("confirms-jumps",) if confirms_jumps else ()))
        record = self._record(caller, content, pool_id)
        word = Word(
            principal=caller.principal,
            said_at_ms=self._parts.clock.now_ms(),
            confirms_jumps=confirms_jumps,
        )

        def compute(state: State) -> Transaction | None:
            if generation is not None:
                check_generation(self._pool(state, pool_id), generation)
            return applied(state, pool_id, spec, word=word)

        return await self._changed(pool_id, record, compute)

    async def confirm(
        self,
        pool_id: PoolId,
        *,
        price_usd_micros: int | None,
        accelerators: int | None,
        generation: int | None,
        caller: Caller,
    ) -> ChangedPool:
        """Take over a pending price and a fallen capacity, if they are these; None: not that one.

        Raises:
            NotFound, StaleEtag, IllegalTransition, RequestIdReused
        """
        content = ("confirm", pool_id, price_usd_micros, accelerators)

        def compute(state: State) -> Transaction:
            pool = self._pool(state, pool_id)
            check_generation(pool, generation)
            return price_and_capacity_confirmed(
                state, pool, price_usd_micros=price_usd_micros, accelerators=accelerators
            )

        return await self._changed(pool_id, self._record(caller, content, pool_id), compute)

    async def get(self, pool_id: PoolId, *, min_revision: Revision) -> PoolView:
        """One pool with its usage.

        Raises:
            NotFound, NotCaughtUp
        """
        await self._parts.mirror.caught_up(min_revision)
        return self._view(pool_id)

    async def list_page(self, *, after: PoolId | None, size: int, min_revision: Revision) -> PoolPage:
        """Pools by id from after `after`."""
        await self._parts.mirror.caught_up(min_revision)
        ids = [pool.id for pool in self._parts.state.pools() if after is None or pool.id > after]
        return PoolPage(
            pools=tuple(self._view(pool_id) for pool_id in ids[:size]),
            next_after=ids[size - 1] if len(ids) > size else None,
        )

    async def cordon(self, pool_id: PoolId, *, reason: str, caller: Caller) -> ChangedPool:
        """Stop new placements."""
        record = self._record(caller, ("cordon", pool_id, reason), pool_id)
        cordon = Cordon(reason=reason, principal=caller.principal, cordoned_at_ms=self._parts.clock.now_ms())
        return await self._changed(
            pool_id,
            record,
            lambda state: cordoned(state, self._pool(state, pool_id), cordon),
        )

    async def uncordon(self, pool_id: PoolId, *, caller: Caller) -> ChangedPool:
        """Allow placements again."""
        record = self._record(caller, ("uncordon", pool_id), pool_id)
        return await self._changed(
            pool_id,
            record,
            lambda state: cordoned(state, self._pool(state, pool_id), None),
        )

    async def cordon_nodes(
        self, pool_id: PoolId, nodes: frozenset[int], *, reason: str, caller: Caller
    ) -> ChangedPool:
        """Stop new placements on these nodes.

        Raises:
            NotFound, IllegalTransition
        """
        record = self._record(caller, ("cordon-nodes", pool_id, sorted(nodes), reason), pool_id)
        cordon = Cordon(reason=reason, principal=caller.principal, cordoned_at_ms=self._parts.clock.now_ms())
        return await self._changed(
            pool_id,
            record,
            lambda state: nodes_cordoned(state, self._pool(state, pool_id), nodes, cordon),
        )

    async def uncordon_nodes(self, pool_id: PoolId, nodes: frozenset[int], *, caller: Caller) -> ChangedPool:
        """Allow placements on these nodes again."""
        record = self._record(caller, ("uncordon-nodes", pool_id, sorted(nodes)), pool_id)
        return await self._changed(
            pool_id,
            record,
            lambda state: nodes_uncordoned(state, self._pool(state, pool_id), nodes),
        )

    async def delete(self, pool_id: PoolId, *, generation: int | None, caller: Caller) -> ChangedPool:
        """Take nothing new, and go away when empty."""
        record = self._record(caller, ("delete", pool_id), pool_id)
        before: PoolView | None = None

        def compute(state: State) -> Transaction | None:
            nonlocal before
            pool = self._pool(state, pool_id)
            before = self._view(pool_id)
            check_generation(pool, generation)
            return deleting(state, pool)

        revision = await self._parts.write_once(record, compute)
        now_ms = self._parts.clock.now_ms()
        view = pool_view(self._parts.state, pool_id, now_ms=now_ms) or before
        if view is None:  # a repetition, after the pool has gone
            raise NotFound("pool", pool_id)
        return ChangedPool(view=view, revision=revision)

    async def force_end_run(self, run_id: RunId, *, reason: str, caller: Caller) -> tuple[Run, Revision]:
        """Declare an unreachable run ended, on the operator's word.

        Raises:
            NotFound, IllegalTransition
        """

        record = idempotency_record(
            caller.principal, caller.request_id, content=("force-end", run_id, reason), resource_id=run_id
        )

        def compute(state: State) -> Transaction | None:
            run = state.run(run_id)
            if run is None:
                raise NotFound("run", run_id)
            said = f"declared ended by {caller.principal}: {reason}"
            return force_ended(state, run, reason=said, now_ms=self._parts.clock.now_ms())

        revision = await self._parts.write_once(record, compute)
        run = self._parts.state.run(run_id)
        assert run is not None, run_id
        return run, revision

    def _record(self, caller: Caller, content: object, pool_id: PoolId) -> IdempotencyRecord:
        return idempotency_record(caller.principal, caller.request_id, content=content, resource_id=pool_id)

    async def _changed(
        self, pool_id: PoolId, record: IdempotencyRecord, compute: Callable[[State], Transaction | None]
    ) -> ChangedPool:
        revision = await self._parts.write_once(record, compute)
        return ChangedPool(view=self._view(pool_id), revision=revision)

    def _pool(self, state: State, pool_id: PoolId) -> Pool:
        pool = state.pool(pool_id)
        if pool is None:
            raise NotFound("pool", pool_id)
        return pool

    def _view(self, pool_id: PoolId) -> PoolView:
        view = pool_view(self._parts.state, pool_id, now_ms=self._parts.clock.now_ms())
        if view is None:
            raise NotFound("pool", pool_id)
        return view


def check_generation(pool: Pool, generation: int | None) -> None:
    """That the operator's part of the pool is still what the caller read; None: in any case.

    Raises:
        StaleEtag: it has changed since.
    """
    if generation is not None and pool.spec_generation != generation:
        raise StaleEtag(f"pool {pool.id} has changed since the etag was read: read it again")
