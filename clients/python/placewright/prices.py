"""Prices: what an accelerator of each pool costs, and what one more would be worth to the plan."""

from __future__ import annotations

from dataclasses import dataclass

from placewright.words import Market, PoolState


@dataclass(frozen=True, kw_only=True)
class PoolPrices:
    """Of one pool; money in micro-dollars per accelerator-hour.

    Attributes:
        charged_usd_micros_per_accelerator_hour: what a placement is charged.
        marginal_usd_micros_per_accelerator_hour: what plans count for using one more; 0 for a reserved pool,
            which is paid for whether used or not.
        shadow_usd_micros_per_accelerator_hour: what one more accelerator would be worth to the plan, smoothed
            over plans; 0 where there is enough of it.
        accelerators_free: whatever their shape; of a rented pool at most what is believed to be there.
    """

    pool_id: str
    accelerator: str
    market: Market
    charged_usd_micros_per_accelerator_hour: int
    marginal_usd_micros_per_accelerator_hour: int
    shadow_usd_micros_per_accelerator_hour: int
    accelerators_free: int
    state: PoolState
