"""Control series: leadership, the cycle and its phases."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from scheduler.model.transaction import Fence
from scheduler.telemetry.buckets import CYCLE_SECONDS


class CyclePhase(StrEnum):
    SNAPSHOT = "snapshot"
    FLOOR = "floor"
    IMPROVE = "improve"
    COMMIT = "commit"


class CycleOutcome(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"


class StepResult(StrEnum):
    COMMITTED = "committed"
    REJECTED = "rejected"


class UnknownRun(StrEnum):
    ADOPTED = "adopted"
    REFUSED = "refused"


class ControlSeries:
    """Who leads, how long cycles take, what became of their steps."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._declare_leadership(registry)
        self._declare_cycle(registry)
        for phase in CyclePhase:
            self._phase_seconds.labels(phase)
        for outcome in CycleOutcome:
            self._cycles.labels(outcome)
        for result in StepResult:
            self._steps.labels(result)

    def _declare_leadership(self, registry: CollectorRegistry) -> None:
        self._leader = Gauge(
            "placewright_leader",
            "1 while this process holds the leader lease, else 0; the sum over a cell must be 1.",
            registry=registry,
        )
        self._fence = Gauge(
            "placewright_fence_number",
            "The number of the fence that this process led with last; it rises with each new leader.",
            registry=registry,
        )
        self._lease_expiries = Counter(
            "placewright_launcher_lease_expiries",
            "Launcher sessions that the leader declared expired.",
            registry=registry,
        )

        self._history_changes = Counter(
            "placewright_history_changes",
            "Changes of the store's history that this process saw; acknowledged writes may have been lost.",
            registry=registry,
        )
        self._unknown_runs = Counter(
            "placewright_unknown_runs",
            "Runs that a launcher held and the store did not know, by whether they were adopted.",
            ["result"],
            registry=registry,
        )
        for result in UnknownRun:
            self._unknown_runs.labels(result)

    def record_history_change(self) -> None:
        self._history_changes.inc()

    def record_unknown_run(self, result: UnknownRun) -> None:
        self._unknown_runs.labels(result).inc()

    def _declare_cycle(self, registry: CollectorRegistry) -> None:
        self._phase_seconds = Histogram(
            "placewright_cycle_phase_seconds",
            "Time of a planning cycle by phase; improve counts from the floor to the improved plan.",
            ["phase"],
            unit="seconds",
            buckets=CYCLE_SECONDS,
            registry=registry,
        )
        self._cycles = Counter(
            "placewright_cycles",
            "Planning cycles that have ended.",
            ["outcome"],
            registry=registry,
        )
        self._steps = Counter(
            "placewright_plan_steps",
            "Steps of plans by what the store said; what it rejected is planned again.",
            ["result"],
            registry=registry,
        )
        self._watchdog = Counter(
            "placewright_plan_watchdog",
            "Plans that took too long and were interrupted.",
            registry=registry,
        )

    def record_leadership(self, fence: Fence | None) -> None:
        """Take down that this process leads with `fence`, or does not lead."""
        self._leader.set(0 if fence is None else 1)
        if fence is not None:
            self._fence.set(fence.number)

    def record_lease_expiry(self) -> None:
        self._lease_expiries.inc()

    def record_phase(self, phase: CyclePhase, *, seconds: float) -> None:
        self._phase_seconds.labels(phase).observe(seconds)

    def record_cycle(self, outcome: CycleOutcome) -> None:
        self._cycles.labels(outcome).inc()

    def record_steps(self, *, committed: int, rejected: int) -> None:
        self._steps.labels(StepResult.COMMITTED).inc(committed)
        self._steps.labels(StepResult.REJECTED).inc(rejected)

    def record_watchdog(self) -> None:
        self._watchdog.inc()
