"""Shadow series: what a process in shadow mode would have placed, beside what runs."""

from enum import StrEnum
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge

from scheduler.model.shadow import Comparison, Figures
from scheduler.telemetry.plan_series import usd


class Side(StrEnum):
    """What a figure is of."""

    PLANNED = "planned"
    RUNNING = "running"
    STOPPED = "stopped"


class ShadowSeries:
    """The newest plan of a process in shadow mode; without figures in every other process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._shadow = Gauge(
            "placewright_shadow",
            "1 in a process in shadow mode, which plans and places nothing, else 0.",
            registry=registry,
        )
        self._plans = Counter(
            "placewright_shadow_plans",
            "Plans that were made, verified and compared in shadow mode, and not carried out.",
            registry=registry,
        )
        self._gap = Gauge(
            "placewright_shadow_gap_ratio",
            "(bound - objective) / bound of the newest plan in shadow mode; 0 is proven best.",
            unit="ratio",
            registry=registry,
        )
        self._gap.set(nan)
        self._declare_figures(registry)

    def _declare_figures(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, documentation: str, unit: str = "") -> Gauge:
            return Gauge(name, documentation, ["side"], unit=unit, registry=registry)

        self._placements = gauge(
            "placewright_shadow_placements",
            "Replicas that the newest shadow plan would place, or stop for these, or that run.",
        )
        self._accelerators = gauge(
            "placewright_shadow_accelerators",
            "Accelerators that it would give out, or take from others, or that are in use.",
        )
        self._value = gauge(
            "placewright_shadow_value_usd_per_hour",
            "What these placements are worth, net of cost; of what runs, when it was placed.",
            "usd_per_hour",
        )
        self._charged = gauge(
            "placewright_shadow_charged_usd_per_hour", "What these placements are charged.", "usd_per_hour"
        )
        self._pool_accelerators = Gauge(
            "placewright_shadow_pool_accelerators",
            "Accelerators of one pool that the newest shadow plan would give out, or that are in use.",
            ["pool", "side"],
            registry=registry,
        )

    def record_mode(self, *, is_shadow: bool) -> None:
        self._shadow.set(int(is_shadow))

    def record(self, comparison: Comparison, *, gap: float | None) -> None:
        """Take down a plan and what runs beside it."""
        self._plans.inc()
        self._gap.set(nan if gap is None else gap)
        self._record_side(Side.PLANNED, comparison.planned)
        self._record_side(Side.RUNNING, comparison.running)
        self._record_side(Side.STOPPED, comparison.stopped)
        self._pool_accelerators.clear()
        for pool_id, planned, running in comparison.pools:
            self._pool_accelerators.labels(pool_id, Side.PLANNED).set(planned.accelerators)
            self._pool_accelerators.labels(pool_id, Side.RUNNING).set(running.accelerators)

    def _record_side(self, side: Side, figures: Figures) -> None:
        self._placements.labels(side).set(figures.placements)
        self._accelerators.labels(side).set(figures.accelerators)
        self._value.labels(side).set(usd(figures.value_usd_micros_per_hour))
        self._charged.labels(side).set(usd(figures.charged_usd_micros_per_hour))
