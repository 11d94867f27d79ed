"""Gauges say what the state says."""

from dataclasses import replace

import pytest

from scheduler.model.brakes import Freeze, FreezeScope
from scheduler.model.deferral import Deferral, DeferralReason
from scheduler.model.guidance import Guidance
from scheduler.model.ids import PoolId, QueueName, Revision
from scheduler.model.job import JobPhase
from scheduler.model.pool import CapacityFall, PendingPrice
from scheduler.model.queue import COST
from scheduler.model.records import key_of
from scheduler.model.replica import ReplicaState
from scheduler.model.run import RunState
from scheduler.model.transaction import Commit
from scheduler.telemetry import state_figures, state_series
from scheduler.telemetry.metrics import Metrics
from tests.builders import (
    DOLLAR,
    NOW_MS,
    PRINCIPAL,
    a_job,
    a_live_replica,
    a_pool,
    a_queue,
    a_quota,
    a_rented_pool,
    a_replica,
    a_run,
    a_session,
    a_state,
)

LINE = {"queue": "research", "priority_class": "standard"}
POOL = {"pool": "pool", "accelerator": "h100", "provider": "gcp", "market": "reserved"}
RENTED = {"pool": "rented", "accelerator": "h100", "provider": "gcp", "market": "on_demand"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"placewright_{name}", labels)


def test_nothing_is_shown_before_the_first_look(metrics: Metrics) -> None:
    assert value(metrics, "jobs", phase="pending") is None


def test_an_empty_state_shows_zeros(metrics: Metrics) -> None:
    metrics.state.observe(a_state(), NOW_MS)

    assert value(metrics, "jobs", phase="pending") == 0
    assert value(metrics, "oldest_wait_seconds", queue="default", priority_class="batch") == 0
    assert value(metrics, "deferred_replicas", reason="outbid") == 0
    assert value(metrics, "launcher_sessions", state="expired") == 0


def test_waiting_replicas_are_counted_by_line_reason_and_need(metrics: Metrics) -> None:
    job = a_job("job", "h100:16", "h100:32", replicas=3)
    deferral = Deferral(reason=DeferralReason.NO_CAPACITY)
    first = a_replica(job, 0, deferral=deferral, waiting_since_ms=NOW_MS - 90_000)
    unmade_third = a_state(job, first, a_replica(job, 1))

    metrics.state.observe(unmade_third, NOW_MS)

    assert value(metrics, "jobs", phase="pending") == 1
    assert value(metrics, "replicas", state="waiting", **LINE) == 3
    assert value(metrics, "waiting_accelerators", **LINE) == 48
    assert value(metrics, "oldest_wait_seconds", **LINE) == 90
    assert value(metrics, "deferred_replicas", reason="no_capacity") == 1
    assert value(metrics, "deferred_replicas", reason="not_planned_yet") == 2


def test_finished_jobs_count_by_their_outcome_only(metrics: Metrics) -> None:
    job = replace(a_job(), outcome=JobPhase.FAILED, finished_at_ms=NOW_MS)

    metrics.state.observe(a_state(job), NOW_MS)

    assert value(metrics, "jobs", phase="failed") == 1
    assert value(metrics, "replicas", state="waiting", **LINE) is None


def test_a_reserved_pool_costs_what_lies_idle_too(metrics: Metrics) -> None:
    job, pool = a_job(), a_pool(nodes=2)
    run = a_run(job, pool)
    guidance = Guidance(shadow_prices=((PoolId("pool"), 3 * DOLLAR),))

    metrics.state.observe(a_state(job, pool, run, a_live_replica(job, run), guidance), NOW_MS)

    assert value(metrics, "pool_accelerators", **POOL) == 16
    assert value(metrics, "pool_accelerators_used", **POOL) == 8
    assert value(metrics, "pool_accelerators_free", **POOL) == 8
    assert value(metrics, "pool_accelerators_believed_free", **POOL) is None
    assert value(metrics, "pool_open", **POOL) == 1
    assert value(metrics, "pool_nodes_cordoned", **POOL) == 0
    assert value(metrics, "pool_price_usd_per_accelerator_hour", **POOL) == 2
    assert value(metrics, "pool_shadow_price_usd_per_accelerator_hour", **POOL) == 3
    assert value(metrics, "pool_cost_usd_per_hour", use="used", **POOL) == 16
    assert value(metrics, "pool_cost_usd_per_hour", use="idle", **POOL) == 16
    assert value(metrics, "runs", pool="pool", state="running") == 1
    assert value(metrics, "jobs", phase="active") == 1


def test_a_rented_pool_costs_what_runs_and_has_a_belief(metrics: Metrics) -> None:
    pool = a_rented_pool(limit_accelerators=64, believed=32)

    metrics.state.observe(a_state(pool), NOW_MS)

    assert value(metrics, "pool_accelerators_believed_free", **RENTED) == 32
    assert value(metrics, "pool_cost_usd_per_hour", use="used", **RENTED) == 0
    assert value(metrics, "pool_cost_usd_per_hour", use="idle", **RENTED) == 0


def test_a_pool_that_is_gone_is_not_shown(metrics: Metrics) -> None:
    metrics.state.observe(a_state(a_pool()), NOW_MS)

    metrics.state.observe(a_state(), NOW_MS)

    assert value(metrics, "pool_accelerators", **POOL) is None


def test_unreachable_runs_and_expired_sessions_are_seen(metrics: Metrics) -> None:
    job, pool = a_job(), a_pool()
    run = a_run(job, pool, state=RunState.UNREACHABLE, before_unreachable=RunState.RUNNING)
    sessions = [a_session("a"), a_session("b", is_expired=True), a_session("c", is_synchronised=False)]

    metrics.state.observe(a_state(job, pool, run, *sessions), NOW_MS)

    assert value(metrics, "runs", pool="pool", state="unreachable") == 1
    for state in ("live", "expired", "synchronising"):
        assert value(metrics, "launcher_sessions", state=state) == 1, state


def test_a_look_in_slices_is_shown_whole_at_its_end(metrics: Metrics) -> None:
    jobs = [a_job(f"job-{number}") for number in range(2 * state_figures.JOBS_PER_SLICE)]
    state = a_state(*jobs)
    look = metrics.observe_state(state, NOW_MS)

    next(look)
    state.apply(Commit(revision=Revision(9), records=(), removed=(key_of(jobs[-1]),)))
    assert value(metrics, "jobs", phase="pending") is None
    list(look)

    assert value(metrics, "jobs", phase="pending") == len(jobs) - 1


def test_made_up_queue_names_end_in_one_label(metrics: Metrics) -> None:
    names = [QueueName(f"q{number}") for number in range(state_series.QUEUES_MAX + 10)]
    jobs = [a_job(f"job{name}", queue=name) for name in names]

    metrics.state.observe(a_state(*jobs), NOW_MS)

    other = {"queue": state_series.OTHER_QUEUES, "priority_class": "standard"}
    assert value(metrics, "replicas", state=ReplicaState.WAITING, **other) == 11


def test_jumps_are_told_by_pool_until_they_are_confirmed(metrics: Metrics) -> None:
    waits = PendingPrice(usd_micros_per_accelerator_hour=0, principal=PRINCIPAL, asked_at_ms=NOW_MS)
    fallen = CapacityFall(principal=PRINCIPAL, fallen_at_ms=NOW_MS)
    pools = (
        replace(a_pool("a"), pending_price=waits),
        replace(a_pool("b", unavailable_nodes=(0,)), confirmed_accelerators=8, capacity_fall=fallen),
    )

    metrics.state.observe(a_state(*pools), NOW_MS)

    found = {
        (pool, what): value(metrics, "pool_jumps_unconfirmed", pool=pool, what=what)
        for pool in ("a", "b")
        for what in ("price", "capacity")
    }
    assert found == {("a", "price"): 1, ("a", "capacity"): 0, ("b", "price"): 0, ("b", "capacity"): 1}
    price = "pool_price_usd_per_accelerator_hour"
    assert value(metrics, price, pool="a", accelerator="h100", provider="gcp", market="reserved") == 2

    metrics.state.observe(a_state(a_pool("a")), NOW_MS)
    assert value(metrics, "pool_jumps_unconfirmed", pool="a", what="price") == 0


def test_freezes_are_counted_by_scope(metrics: Metrics) -> None:
    freeze = Freeze(scope=FreezeScope.CELL, reason="why", principal=PRINCIPAL, frozen_at_ms=NOW_MS)

    metrics.state.observe(a_state(freeze), NOW_MS)

    assert value(metrics, "frozen", scope="cell") == 1
    assert value(metrics, "frozen", scope="queue") == 0


def test_quotas_are_shown_in_accelerators_and_dollars(metrics: Metrics) -> None:
    job, pool = a_job(), a_pool(nodes=2)
    run = a_run(job, pool)
    queue = a_queue("research", a_quota(24), a_quota(20_500, COST))
    entities = (job, pool, run, a_live_replica(job, run), queue)

    metrics.state.observe(a_state(*entities), NOW_MS)

    def quota(resource: str, what: str) -> float | None:
        return value(metrics, "queue_quota", queue="research", resource=resource, what=what)

    assert [quota("h100", what) for what in ("nominal", "used", "available")] == [24, 8, 16]
    assert [quota("usd_per_hour", what) for what in ("nominal", "used", "available")] == [20.5, 16, 4.5]


def test_quotas_of_queues_beyond_the_number_of_labels_are_shown_together(metrics: Metrics) -> None:
    queues = [a_queue(f"q-{number:03}", a_quota(8)) for number in range(state_series.QUEUES_MAX + 2)]

    metrics.state.observe(a_state(*queues), NOW_MS)

    others = {"queue": state_series.OTHER_QUEUES, "resource": "h100", "what": "nominal"}
    assert value(metrics, "queue_quota", **others) == 3 * 8  # the queue "default" has a label too
