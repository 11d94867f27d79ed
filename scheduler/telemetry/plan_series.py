"""Plan series: how good the newest plan is, and how large its model was."""

from collections.abc import Sequence
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge

from scheduler.model.ids import PriorityClassName
from scheduler.model.plan import Plan, PlanMethod, PlanQuality, SolverStatus

USD_MICROS = 1_000_000


def usd(usd_micros: int | None) -> float:
    """Dollars; NaN, which draws nothing, when there is no figure."""
    return nan if usd_micros is None else usd_micros / USD_MICROS


class PlanSeries:
    """The leader's newest plan that had something to gain; a process that stops leading shows none."""

    def __init__(self, registry: CollectorRegistry, classes: Sequence[PriorityClassName]) -> None:
        self._classes = classes
        self._declare_value(registry)
        self._declare_gap(registry)
        self._declare_size(registry)
        for method in PlanMethod:
            for status in SolverStatus:
                self._plans.labels(method, status)
        self.forget()

    def _declare_value(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, documentation: str) -> Gauge:
            return Gauge(name, documentation, unit="usd_per_hour", registry=registry)

        self._objective = gauge(
            "placewright_plan_objective_usd_per_hour",
            "What the newest plan's placements are worth, net of cost.",
        )
        self._bound = gauge(
            "placewright_plan_bound_usd_per_hour", "At least what any plan would be worth: the LP's bound."
        )
        self._floor = gauge(
            "placewright_plan_floor_usd_per_hour", "What the greedy floor of the same cycle is worth."
        )

    def _declare_gap(self, registry: CollectorRegistry) -> None:
        self._gap = Gauge(
            "placewright_plan_gap_ratio",
            "(bound - objective) / bound of the newest plan; 0 is proven best.",
            unit="ratio",
            registry=registry,
        )
        self._class_gap = Gauge(
            "placewright_plan_class_gap_ratio",
            "The gap of one priority class, with the higher classes fixed at the plan's.",
            ["priority_class"],
            unit="ratio",
            registry=registry,
        )
        self._class_value = Gauge(
            "placewright_plan_class_value_usd_per_hour",
            "What the newest plan's placements of one priority class are worth.",
            ["priority_class"],
            unit="usd_per_hour",
            registry=registry,
        )

    def _declare_size(self, registry: CollectorRegistry) -> None:
        self._plans = Counter(
            "placewright_plans",
            "Plans made, by what they came from and how the solver ended.",
            ["method", "status"],
            registry=registry,
        )
        self._bundles = Gauge(
            "placewright_plan_bundles", "Groups of identical replicas in the newest plan.", registry=registry
        )
        self._columns = Gauge(
            "placewright_plan_columns", "Columns of the newest plan's model.", registry=registry
        )
        self._rows = Gauge("placewright_plan_rows", "Rows of the newest plan's model.", registry=registry)
        self._work = Gauge(
            "placewright_plan_work",
            "Deterministic time that the newest plan's solver used, about a second of one core each.",
            registry=registry,
        )

    def record_plan(self, plan: Plan) -> None:
        """Take down a plan; one that had nothing to gain is counted and shows no figures of its own.

        Cycles come faster than scrapes: were empty plans shown, the others would hardly be seen.
        """
        quality = plan.quality
        self._plans.labels(plan.method, quality.status).inc()
        if quality.bound_usd_micros_per_hour is not None and quality.bound_usd_micros_per_hour <= 0:
            return
        self._objective.set(usd(quality.objective_usd_micros_per_hour))
        self._bound.set(usd(quality.bound_usd_micros_per_hour))
        self._floor.set(usd(quality.floor_usd_micros_per_hour))
        self._gap.set(nan if quality.gap is None else quality.gap)
        self._record_size(quality)
        self._record_classes(quality)

    def _record_size(self, quality: PlanQuality) -> None:
        self._bundles.set(quality.bundles)
        self._columns.set(quality.columns)
        self._rows.set(quality.rows)
        self._work.set(quality.work)

    def _record_classes(self, quality: PlanQuality) -> None:
        """Classes without a gap of their own in this plan keep their last."""
        for name, per_class in quality.per_class.items():
            if name in self._classes and per_class.bound_usd_micros_per_hour:
                self._class_gap.labels(name).set(per_class.gap or 0.0)
                self._class_value.labels(name).set(usd(per_class.value_usd_micros_per_hour))

    def forget(self) -> None:
        """Show no plan: none was made yet, or another process leads."""
        for gauge in (self._objective, self._bound, self._floor, self._gap, self._work):
            gauge.set(nan)
        for size in (self._bundles, self._columns, self._rows):
            size.set(nan)
        for name in self._classes:
            self._class_gap.labels(name).set(nan)
            self._class_value.labels(name).set(nan)
