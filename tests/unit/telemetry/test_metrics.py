"""Series: declared once, named by the rules, started at zero and recorded under the right labels."""

from math import isnan

import pytest
from prometheus_client.metrics_core import Metric

from scheduler.model.ids import PriorityClassName, Revision
from scheduler.model.plan import ClassQuality, Plan, PlanMethod, PlanQuality, SolverStatus
from scheduler.model.transaction import Fence
from scheduler.telemetry.control_series import CycleOutcome, CyclePhase
from scheduler.telemetry.metrics import Metrics
from scheduler.telemetry.store_series import StoreOperation
from tests.builders import DOLLAR, a_state

STANDARD = PriorityClassName("standard")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(rpcs=["JobService/SubmitJob"], streams=["JobService/WatchJobs"])


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"placewright_{name}", labels)


def declared(metrics: Metrics) -> list[Metric]:
    """Every family but those about the process."""
    metrics.state.observe(a_state(), 0)
    families = {family.name: family for family in metrics.registry.collect()}
    return [f for name, f in families.items() if not name.startswith("placewright_process_")]


def a_plan(*, method: PlanMethod = PlanMethod.IMPROVED, bound: int | None = 10 * DOLLAR) -> Plan:
    per_class = ClassQuality(
        value_usd_micros_per_hour=6 * DOLLAR,
        bound_usd_micros_per_hour=bound,
        demand_usd_micros_per_hour=20 * DOLLAR,
    )
    return Plan(
        revision=Revision(1),
        method=method,
        steps=(),
        deferrals=(),
        quality=PlanQuality(
            objective_usd_micros_per_hour=8 * DOLLAR,
            bound_usd_micros_per_hour=bound,
            floor_usd_micros_per_hour=5 * DOLLAR,
            per_class={STANDARD: per_class},
            status=SolverStatus.FEASIBLE,
            bundles=3,
            columns=40,
            rows=7,
            work=0.5,
        ),
    )


def test_every_series_has_the_prefix_a_help_text_and_a_base_unit(metrics: Metrics) -> None:
    for family in declared(metrics):
        assert family.name.startswith("placewright_"), family.name
        assert family.documentation.endswith("."), family.name
        assert family.name.endswith(family.unit), family.name
        assert not family.name.endswith(("_ms", "_micros", "_percent")), family.name


def test_no_label_can_grow_without_bound(metrics: Metrics) -> None:
    allowed = {
        "accelerator", "code", "end_reason", "method", "operation", "outcome", "phase", "pool",
        "priority_class", "provider", "market", "queue", "reason", "resource", "result", "rpc", "scope",
        "state", "status", "use", "what", "le",
    }  # fmt: skip

    labels = {label for family in declared(metrics) for sample in family.samples for label in sample.labels}

    assert labels <= allowed


def test_many_can_live_in_one_process() -> None:
    first, second = Metrics(), Metrics()

    first.control.record_watchdog()

    assert value(first, "plan_watchdog_total") == 1
    assert value(second, "plan_watchdog_total") == 0


def test_known_labels_start_at_zero(metrics: Metrics) -> None:
    assert value(metrics, "rpc_requests_total", rpc="JobService/SubmitJob", code="OK") == 0
    assert value(metrics, "rpc_streams_open", rpc="JobService/WatchJobs") == 0
    assert value(metrics, "cycles_total", outcome="failed") == 0
    assert value(metrics, "run_outcomes_total", end_reason="stockout") == 0
    assert value(metrics, "store_errors_total", operation="transact") == 0
    assert value(metrics, "time_to_place_seconds_count", priority_class="batch") == 0


def test_a_call_is_counted_in_and_out(metrics: Metrics) -> None:
    metrics.rpc.record_start("JobService/SubmitJob")
    assert value(metrics, "rpc_in_flight", rpc="JobService/SubmitJob") == 1

    metrics.rpc.record_end("JobService/SubmitJob", code="NOT_FOUND", seconds=0.02)

    assert value(metrics, "rpc_in_flight", rpc="JobService/SubmitJob") == 0
    assert value(metrics, "rpc_requests_total", rpc="JobService/SubmitJob", code="NOT_FOUND") == 1
    assert value(metrics, "rpc_latency_seconds_sum", rpc="JobService/SubmitJob") == 0.02


def test_the_life_of_a_stream_is_no_latency(metrics: Metrics) -> None:
    metrics.rpc.record_stream_start("JobService/WatchJobs")
    assert value(metrics, "rpc_streams_open", rpc="JobService/WatchJobs") == 1

    metrics.rpc.record_stream_end("JobService/WatchJobs", code="CANCELLED")

    assert value(metrics, "rpc_streams_open", rpc="JobService/WatchJobs") == 0
    assert value(metrics, "rpc_requests_total", rpc="JobService/WatchJobs", code="CANCELLED") == 1
    assert value(metrics, "rpc_latency_seconds_count", rpc="JobService/WatchJobs") is None


def test_a_plan_is_shown_in_dollars_with_its_gaps(metrics: Metrics) -> None:
    metrics.plan.record_plan(a_plan())

    assert value(metrics, "plan_objective_usd_per_hour") == 8
    assert value(metrics, "plan_bound_usd_per_hour") == 10
    assert value(metrics, "plan_floor_usd_per_hour") == 5
    assert value(metrics, "plan_gap_ratio") == pytest.approx(0.2)
    assert value(metrics, "plan_class_gap_ratio", priority_class="standard") == pytest.approx(0.4)
    assert isnan(value(metrics, "plan_class_gap_ratio", priority_class="batch") or 0)
    assert value(metrics, "plan_columns") == 40
    assert value(metrics, "plans_total", method="improved", status="feasible") == 1


def test_a_floor_has_a_value_and_no_bound(metrics: Metrics) -> None:
    metrics.plan.record_plan(a_plan())

    metrics.plan.record_plan(a_plan(method=PlanMethod.FLOOR, bound=None))

    assert value(metrics, "plan_objective_usd_per_hour") == 8
    assert isnan(value(metrics, "plan_bound_usd_per_hour") or 0)
    assert isnan(value(metrics, "plan_gap_ratio") or 0)


def test_a_plan_with_nothing_to_gain_leaves_the_last_figures(metrics: Metrics) -> None:
    metrics.plan.record_plan(a_plan())

    metrics.plan.record_plan(a_plan(bound=0))

    assert value(metrics, "plan_bound_usd_per_hour") == 10
    assert value(metrics, "plans_total", method="improved", status="feasible") == 2


def test_who_does_not_lead_shows_no_plan(metrics: Metrics) -> None:
    metrics.plan.record_plan(a_plan())

    metrics.plan.forget()

    for name in ("plan_objective_usd_per_hour", "plan_gap_ratio", "plan_rows"):
        assert isnan(value(metrics, name) or 0), name


def test_leadership_keeps_the_last_fence(metrics: Metrics) -> None:
    metrics.control.record_leadership(Fence(7, "nonce"))
    assert value(metrics, "leader") == 1

    metrics.control.record_leadership(None)

    assert (value(metrics, "leader"), value(metrics, "fence_number")) == (0, 7)


def test_a_cycle_is_recorded_by_phase_outcome_and_steps(metrics: Metrics) -> None:
    metrics.control.record_phase(CyclePhase.FLOOR, seconds=0.5)
    metrics.control.record_cycle(CycleOutcome.COMPLETED)
    metrics.control.record_steps(committed=3, rejected=1)
    metrics.control.record_lease_expiry()

    assert value(metrics, "cycle_phase_seconds_sum", phase="floor") == 0.5
    assert value(metrics, "cycles_total", outcome="completed") == 1
    assert value(metrics, "plan_steps_total", result="rejected") == 1
    assert value(metrics, "launcher_lease_expiries_total") == 1


def test_the_mirror_tells_its_revision_and_when_it_was_current(metrics: Metrics) -> None:
    metrics.store.record_mirror(revision=Revision(5), now_ms=2_500)
    metrics.store.record_call(StoreOperation.LOAD, seconds=0.25)

    assert value(metrics, "mirror_revision") == 5
    assert value(metrics, "mirror_current_timestamp_seconds") == 2.5
    assert value(metrics, "store_latency_seconds_sum", operation="load") == 0.25
