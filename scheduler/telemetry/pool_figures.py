"""Figures of one pool: its accelerators, its prices and what it costs now."""

from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.job import Market
from scheduler.model.pool import Pool, PoolSpec
from scheduler.model.run import Run
from scheduler.model.view import believed_free, usable_accelerators


class Use(StrEnum):
    """What money is spent on: reserved capacity is paid for whether used or not."""

    USED = "used"
    IDLE = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """Accelerators are counts; money is micro-dollars per hour.

    Attributes:
        usable: after limits and unavailable nodes.
        believed_free: what the provider is believed to have beyond what runs; None where it is known.
    """

    usable: int
    used: int
    believed_free: int | None
    used_usd_micros_per_hour: int
    idle_usd_micros_per_hour: int

    @property
    def free(self) -> int:
        return max(0, self.usable - self.used)


def pool_figures(pool: Pool, live_runs: list[Run], *, now_ms: int) -> PoolFigures:
    """The figures of a pool with the runs that live on it."""
    spec = pool.spec
    used = sum(run.placement.accelerators for run in live_runs)
    charged = sum(run.placement.charged_usd_micros_per_hour for run in live_runs)
    idle = max(0, _reserved_accelerators(spec) - used)
    return PoolFigures(
        usable=usable_accelerators(pool),
        used=used,
        believed_free=believed_free(pool, live_runs, now_ms=now_ms),
        used_usd_micros_per_hour=charged,
        idle_usd_micros_per_hour=idle * spec.price_usd_micros_per_accelerator_hour,
    )


def _reserved_accelerators(spec: PoolSpec) -> int:
    """Accelerators that are paid for whether used or not."""
    if spec.market is not Market.RESERVED:
        return 0
    on_nodes = sum(group.nodes * group.devices_per_node for group in spec.node_groups)
    return on_nodes + sum(group.slices * group.accelerators_per_slice for group in spec.slice_groups)
