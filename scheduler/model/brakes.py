"""Brakes: what people say must not be placed for now, or not elsewhere. What runs goes on."""

from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.ids import PoolId, Principal, QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A job gets no placements until it is released."""

    reason: str
    principal: Principal
    held_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A replica is placed on one pool only, and stays where it runs."""

    pool_id: PoolId
    reason: str
    principal: Principal
    pinned_at_ms: int


class FreezeScope(StrEnum):
    """What a freeze is of: everything, or what its target names."""

    CELL = "cell"
    POOL = "pool"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Nothing new is placed in the scope until it is taken back; docs/decisions/brakes.md.

    Attributes:
        target: the pool's id or the queue's name; empty for the whole cell.
    """

    scope: FreezeScope
    target: str = ""
    reason: str
    principal: Principal
    frozen_at_ms: int

    def __post_init__(self) -> None:
        assert (self.scope is FreezeScope.CELL) == (not self.target), self

    @property
    def id(self) -> str:
        return freeze_id(self.scope, self.target)


def freeze_id(scope: FreezeScope, target: str = "") -> str:
    """The id of the one freeze that a scope may have."""
    return f"{scope}/{target}" if target else str(scope)


def freeze_ids(pool_id: PoolId, queue: QueueName) -> tuple[str, ...]:
    """Ids of the freezes none of which may be there when a job of the queue is placed on the pool."""
    return (
        freeze_id(FreezeScope.CELL),
        freeze_id(FreezeScope.POOL, pool_id),
        freeze_id(FreezeScope.QUEUE, queue),
    )
