"""Prices: what an accelerator of each pool costs, and what one more would be worth to the plan."""

from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.brakes import FreezeScope, freeze_id
from scheduler.model.guidance import GUIDANCE_ID
from scheduler.model.ids import AcceleratorName, PoolId, Revision
from scheduler.model.job import Market
from scheduler.model.pool import Pool
from scheduler.model.records import Key, Kind
from scheduler.model.state import State
from scheduler.model.view import pool_view
from scheduler.service.parts import Parts


class PoolState(StrEnum):
    """Whether a pool takes anything new; the first that holds, in this order."""

    DELETING = "deleting"
    CORDONED = "cordoned"
    FROZEN = "frozen"
    NO_LAUNCHER = "no_launcher"
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPrices:
    """Micro-dollars per accelerator-hour; `free` in accelerators, whatever their shape.

    Attributes:
        charged: what a placement is charged.
        marginal: what using one more costs; 0 where it is paid for anyhow.
        shadow: what one more would be worth to the plan.
    """

    pool_id: PoolId
    accelerator: AcceleratorName
    market: Market
    charged_usd_micros: int
    marginal_usd_micros: int
    shadow_usd_micros: int
    free: int
    state: PoolState


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Of every pool, by id; the revision of the guidance that they come from, None before there was any."""

    pools: tuple[PoolPrices, ...]
    guidance_revision: Revision | None


async def prices(parts: Parts, *, min_revision: Revision) -> Prices:
    """What the mirror says.

    Raises:
        NotCaughtUp
    """
    await parts.mirror.caught_up(min_revision)
    state, now_ms = parts.state, parts.clock.now_ms()
    guidance = state.record(Key(Kind.GUIDANCE, GUIDANCE_ID))
    shadow = dict(state.guidance().shadow_prices)
    return Prices(
        pools=tuple(
            _prices_of(state, pool, shadow_usd_micros=shadow.get(pool.id, 0), now_ms=now_ms)
            for pool in state.pools()
        ),
        guidance_revision=None if guidance is None else guidance.version,
    )


def _prices_of(state: State, pool: Pool, *, shadow_usd_micros: int, now_ms: int) -> PoolPrices:
    view = pool_view(state, pool.id, now_ms=now_ms)
    assert view is not None, pool
    free = max(0, view.accelerators - view.accelerators_used)
    return PoolPrices(
        pool_id=pool.id,
        accelerator=pool.spec.accelerator,
        market=pool.spec.market,
        charged_usd_micros=pool.spec.price_usd_micros_per_accelerator_hour,
        marginal_usd_micros=pool.spec.marginal_usd_micros_per_accelerator_hour,
        shadow_usd_micros=shadow_usd_micros,
        free=free if view.believed_free is None else min(free, view.believed_free),
        state=_state_of(state, pool),
    )


def _state_of(state: State, pool: Pool) -> PoolState:
    if pool.deleting:
        return PoolState.DELETING
    if pool.cordon is not None:
        return PoolState.CORDONED
    freezes = (freeze_id(FreezeScope.CELL), freeze_id(FreezeScope.POOL, pool.id))
    if any(state.record(Key(Kind.FREEZE, freeze)) is not None for freeze in freezes):
        return PoolState.FROZEN
    return PoolState.READY if pool.status.ready else PoolState.NO_LAUNCHER
