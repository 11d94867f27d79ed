"""Moves are counted once, from the commits that make them."""

from dataclasses import replace

import pytest

from scheduler.model.ids import Revision
from scheduler.model.job import JobPhase
from scheduler.model.records import Entity, Record
from scheduler.model.run import EndReason, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.telemetry.metrics import Metrics
from tests.builders import NOW_MS, a_job, a_live_replica, a_pool, a_run, a_state

JOB, POOL = a_job(), a_pool()
PLACED = replace(a_run(JOB, POOL), state=RunState.PLACED, placed_at_ms=NOW_MS + 3_000)
RUNNING = replace(PLACED, state=RunState.RUNNING, running_at_ms=NOW_MS + 5_000)
ENDED = replace(RUNNING, state=RunState.ENDED, end_reason=EndReason.RECLAIMED)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"placewright_{name}", labels)


def follow(metrics: Metrics, state: State, *entities: Entity) -> None:
    """Commit the entities as the next revision, counted first, as a mirror does."""
    revision = Revision(state.revision + 1)
    records = tuple(Record(entity=e, version=revision, planning_version=revision) for e in entities)
    commit = Commit(revision=revision, records=records, removed=())
    metrics.lifecycle.record_commit(state, commit)
    state.apply(commit)


def test_a_job_is_counted_when_it_comes_and_when_it_ends(metrics: Metrics) -> None:
    state = a_state(POOL)
    finished = replace(JOB, outcome=JobPhase.CANCELLED, finished_at_ms=NOW_MS)

    follow(metrics, state, JOB)
    follow(metrics, state, replace(JOB, cancel_requested_at_ms=NOW_MS))
    follow(metrics, state, finished)
    follow(metrics, state, finished)

    assert value(metrics, "jobs_submitted_total", priority_class="standard") == 1
    assert value(metrics, "jobs_finished_total", phase="cancelled") == 1


def test_a_placement_is_counted_with_its_wait(metrics: Metrics) -> None:
    state = a_state(POOL, JOB)

    follow(metrics, state, PLACED, a_live_replica(JOB, PLACED))

    assert value(metrics, "placements_total", pool="pool", priority_class="standard") == 1
    assert value(metrics, "time_to_place_seconds_sum", priority_class="standard") == 3


def test_a_run_is_counted_once_when_it_runs_and_once_when_it_ends(metrics: Metrics) -> None:
    state = a_state(POOL, JOB, PLACED)

    for run in (RUNNING, replace(RUNNING, generation=2), ENDED, ENDED):
        follow(metrics, state, run)

    assert value(metrics, "launch_seconds_sum") == 2
    assert value(metrics, "launch_seconds_count") == 1
    assert value(metrics, "run_outcomes_total", end_reason="reclaimed") == 1
    assert value(metrics, "placements_total", pool="pool", priority_class="standard") is None


def test_a_pool_is_shown_before_its_first_placement(metrics: Metrics) -> None:
    list(metrics.observe_state(a_state(POOL), NOW_MS))

    assert value(metrics, "placements_total", pool="pool", priority_class="batch") == 0


def test_a_commit_that_the_state_has_seen_counts_nothing(metrics: Metrics) -> None:
    state = a_state(POOL, revision=5)
    record = Record(entity=JOB, version=Revision(5), planning_version=Revision(5))

    metrics.lifecycle.record_commit(state, Commit(revision=Revision(5), records=(record,), removed=()))

    assert value(metrics, "jobs_submitted_total", priority_class="standard") == 0


def test_a_preemption_is_counted_with_the_time_that_its_accelerators_ran(metrics: Metrics) -> None:
    state = a_state(POOL, JOB, RUNNING)
    preempted = replace(
        ENDED, end_reason=EndReason.PREEMPTED, ended_at_ms=NOW_MS + 15_000, stop_reason=EndReason.PREEMPTED
    )

    follow(metrics, state, preempted)
    follow(metrics, state, preempted)

    labels = {"pool": "pool", "priority_class": "standard"}
    assert value(metrics, "preemptions_total", **labels) == 1
    assert value(metrics, "preempted_accelerator_seconds_total", **labels) == 80
