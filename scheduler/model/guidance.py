"""Guidance: what a planner carries from cycle to cycle, persisted so that a new leader plans the same."""

from dataclasses import dataclass

from scheduler.model.ids import PoolId

GUIDANCE_ID = "guidance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """Smoothed shadow prices of pools.

    Attributes:
        shadow_prices: micro-dollars per accelerator-hour, by pool id, ascending; a pool not named has 0.
    """

    shadow_prices: tuple[tuple[PoolId, int], ...] = ()
