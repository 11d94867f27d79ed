"""Freezes: no new placements in the cell, a pool or a queue; what runs goes on."""

from scheduler.model.brakes import Freeze, FreezeScope, freeze_id
from scheduler.model.errors import NotFound
from scheduler.model.ids import PoolId, Revision
from scheduler.model.records import Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import Transaction
from scheduler.model.transitions.freezes import frozen, unfrozen
from scheduler.service.fleet import Caller
from scheduler.service.parts import Parts, idempotency_record


class Freezes:
    """What operators may ask of freezes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def freeze(
        self, scope: FreezeScope, target: str, *, reason: str, caller: Caller
    ) -> tuple[Freeze | None, Revision]:
        """Place nothing new in the scope from when this returns; the freeze, None if it is gone by now.

        Raises:
            NotFound: there is no such pool.
        """
        now_ms = self._parts.clock.now_ms()
        wanted = Freeze(
            scope=scope, target=target, reason=reason, principal=caller.principal, frozen_at_ms=now_ms
        )
        record = idempotency_record(
            caller.principal,
            caller.request_id,
            content=("freeze", wanted.id, reason),
            resource_id=wanted.id,
        )

        def compute(state: State) -> Transaction | None:
            if scope is FreezeScope.POOL and state.pool(PoolId(target)) is None:
                raise NotFound("pool", target)
            return frozen(state, wanted)

        revision = await self._parts.write_once(record, compute)
        kept = self._parts.state.record(Key(Kind.FREEZE, wanted.id))
        return (None if kept is None or not isinstance(kept.entity, Freeze) else kept.entity), revision

    async def unfreeze(self, scope: FreezeScope, target: str, *, caller: Caller) -> Revision:
        """Allow placements in the scope again, as far as no other freeze or cordon forbids them."""
        id_ = freeze_id(scope, target)
        record = idempotency_record(
            caller.principal, caller.request_id, content=("unfreeze", id_), resource_id=id_
        )
        return await self._parts.write_once(record, lambda state: unfrozen(state, id_))

    async def list_all(self, *, min_revision: Revision) -> list[Freeze]:
        """Every freeze by id."""
        await self._parts.mirror.caught_up(min_revision)
        return self._parts.state.freezes()
