"""Guidance: what a planner carries from cycle to cycle, persisted so that a new leader plans the same."""

from dataclasses import dataclass

from scheduler.model.ids import PoolId, QueueName

GUIDANCE_ID = "guidance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """Smoothed shadow prices of pools, and what queues have used lately.

    Attributes:
        shadow_prices: micro-dollars per accelerator-hour, by pool id, ascending; a pool not named has 0.
        usage: useful accelerators in thousandths, an average in which the past fades, by queue, ascending.
        usage_at_ms: when that was brought up to date; 0: never.
    """

    shadow_prices: tuple[tuple[PoolId, int], ...] = ()
    usage: tuple[tuple[QueueName, int], ...] = ()
    usage_at_ms: int = 0
