"""Views: a job's phase and counts, a pool's usage, as callers see them."""

from dataclasses import replace

import pytest

from scheduler.model.ids import JobId, PoolId, Revision
from scheduler.model.job import Job, JobPhase
from scheduler.model.pool import DECAY_PERIOD_MS, Availability, Pool
from scheduler.model.records import Entity, Record
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import EndReason, RunState
from scheduler.model.state import State
from scheduler.model.transitions.ending import done, ended
from scheduler.model.view import JobView, job_view, phase_of, pool_view, usable_accelerators
from tests.builders import (
    NOW_MS,
    a_job,
    a_live_replica,
    a_pool,
    a_rented_pool,
    a_replica,
    a_run,
    a_slice_pool,
    a_state,
)

POOL = a_pool(nodes=4)
W, P, R, D = ReplicaState.WAITING, ReplicaState.PLACED, ReplicaState.RUNNING, ReplicaState.DONE


def replicas_in(job: Job, *states: ReplicaState) -> list[Replica]:
    return [replica_in(job, index, state) for index, state in enumerate(states)]


def replica_in(job: Job, index: int, state: ReplicaState) -> Replica:
    if state is W:
        return a_replica(job, index)
    if state is D:
        return done(a_replica(job, index), EndReason.SUCCEEDED)
    return a_live_replica(job, a_run(job, POOL, index=index), state=state)


def view_of(state: State, job: Job, *, replicas_max: int = 100) -> JobView:
    view = job_view(state, job.id, replicas_max=replicas_max)
    assert view is not None
    return view


@pytest.mark.parametrize(
    ("states", "phase"),
    [
        ((), JobPhase.PENDING),
        ((W,), JobPhase.PENDING),
        ((W, W), JobPhase.PENDING),
        ((W, D), JobPhase.PENDING),
        ((P,), JobPhase.ACTIVE),
        ((W, P), JobPhase.ACTIVE),
        ((W, R), JobPhase.ACTIVE),
        ((R, D), JobPhase.ACTIVE),
        ((R, R), JobPhase.ACTIVE),
        ((D, D), JobPhase.ACTIVE),  # until the leader has said how it ended
    ],
)
def test_a_job_is_active_while_a_replica_has_a_place(
    states: tuple[ReplicaState, ...], phase: JobPhase
) -> None:
    job = a_job(replicas=max(1, len(states)))

    assert phase_of(job, replicas_in(job, *states)) is phase


@pytest.mark.parametrize("outcome", [JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED])
def test_a_finished_jobs_phase_is_its_outcome(outcome: JobPhase) -> None:
    job = replace(a_job(), outcome=outcome, finished_at_ms=NOW_MS)

    assert phase_of(job, replicas_in(job, D)) is outcome


def test_replicas_are_counted_by_state_and_every_state_has_its_count() -> None:
    job = a_job(replicas=5)

    view = view_of(a_state(job, *replicas_in(job, W, P, R, R, D)), job)

    assert view.counts == {W: 1, P: 1, R: 2, D: 1}


def test_replicas_that_are_not_made_yet_count_as_waiting() -> None:
    job = a_job(replicas=10)

    view = view_of(a_state(job, *replicas_in(job, R, R, W)), job)

    assert view.counts == {W: 8, P: 0, R: 2, D: 0}
    assert len(view.replicas) == 3


def test_replicas_that_were_never_made_of_a_finished_job_do_not_wait() -> None:
    job = replace(a_job(replicas=10), outcome=JobPhase.CANCELLED, finished_at_ms=NOW_MS)

    view = view_of(a_state(job, *replicas_in(job, D, D)), job)

    assert view.counts == {W: 0, P: 0, R: 0, D: 2}


def test_replicas_come_by_index_each_with_its_newest_run() -> None:
    job = a_job(replicas=12)
    replicas = replicas_in(job, *[W] * 11, R)
    older = ended(a_run(job, POOL, index=11), EndReason.RECLAIMED, now_ms=NOW_MS)
    newest = a_run(job, POOL, index=11, run_number=2)
    replicas[11] = a_live_replica(job, newest)

    view = view_of(a_state(job, *reversed(replicas), older, newest), job)

    assert [each.replica.index for each in view.replicas] == list(range(12))
    assert [each.run for each in view.replicas] == [None] * 11 + [newest]


def test_more_replicas_than_asked_for_are_left_out_altogether_but_counted() -> None:
    job = a_job(replicas=3)
    state = a_state(job, *replicas_in(job, W, W, W))

    assert len(view_of(state, job, replicas_max=3).replicas) == 3
    assert not view_of(state, job, replicas_max=3).replicas_left_out
    assert view_of(state, job, replicas_max=2).replicas == ()
    assert view_of(state, job, replicas_max=2).replicas_left_out
    assert view_of(state, job, replicas_max=2).counts[W] == 3


@pytest.mark.parametrize("newest", ["job", "replica", "run"])
def test_a_jobs_revision_is_that_of_the_newest_write_to_any_of_its_parts(newest: str) -> None:
    job, run = a_job(), a_run(a_job(), POOL)
    parts: dict[str, Entity] = {"job": job, "replica": a_live_replica(job, run), "run": run}
    state = a_state(revision=9)
    for name, entity in parts.items():
        version = Revision(7 if name == newest else 3)
        state.put(Record(entity=entity, version=version, planning_version=version))

    view = view_of(state, job)

    assert view.revision == 7
    assert view.version == (7 if newest == "job" else 3)


def test_what_is_not_there_has_no_view() -> None:
    assert job_view(a_state(), JobId("nobody"), replicas_max=1) is None
    assert pool_view(a_state(), PoolId("nowhere"), now_ms=NOW_MS) is None


def test_a_pools_live_runs_use_its_accelerators_until_they_have_ended() -> None:
    job = a_job(replicas=3)
    runs = [a_run(job, POOL, index=index) for index in range(3)]
    over = ended(runs[2], EndReason.SUCCEEDED, now_ms=NOW_MS)

    view = pool_view(a_state(POOL, *runs[:2], over), POOL.id, now_ms=NOW_MS)

    assert view is not None
    assert (view.runs, view.accelerators_used, view.accelerators) == (2, 16, 32)
    assert view.believed_free is None


@pytest.mark.parametrize(
    ("pool", "accelerators"),
    [
        (a_pool(nodes=4), 32),
        (a_pool(nodes=4, unavailable_nodes=(0, 3)), 16),
        (a_pool(nodes=1, unavailable_nodes=(0, 99)), 0),
        (a_slice_pool(slices={"4x4x4": 2}), 128),
        (a_slice_pool(slices={"4x4x4": 2}, unavailable_nodes=(1,)), 64),
        (a_rented_pool(limit_accelerators=20), 20),
        (a_rented_pool(limit_accelerators=20, unavailable_nodes=(0, 1)), 8),
        (a_rented_pool(limit_accelerators=20, nodes=0), 20),
    ],
)
def test_usable_is_what_is_available_within_the_limit(pool: Pool, accelerators: int) -> None:
    assert usable_accelerators(pool) == accelerators


@pytest.mark.parametrize(
    ("state", "free"),
    [(RunState.PLACED, 24), (RunState.STARTING, 24), (RunState.RUNNING, 32), (RunState.STOPPING, 32)],
)
def test_what_is_being_started_is_taken_off_what_is_believed_to_be_free(state: RunState, free: int) -> None:
    pool = a_rented_pool(limit_accelerators=64, believed=32)

    view = pool_view(a_state(pool, a_run(a_job(), pool, state=state)), pool.id, now_ms=NOW_MS)

    assert view is not None
    assert view.believed_free == free


def test_less_than_nothing_is_never_believed_to_be_free() -> None:
    pool = a_rented_pool(limit_accelerators=64, believed=4)

    view = pool_view(a_state(pool, a_run(a_job(), pool, state=RunState.PLACED)), pool.id, now_ms=NOW_MS)

    assert view is not None
    assert view.believed_free == 0


@pytest.mark.parametrize(
    ("periods", "free"),
    [(0, 8), (0.999, 8), (1, 16), (1.5, 16), (2, 32), (3, 60), (1_000_000, 60), (-5, 8)],
)
def test_belief_doubles_with_each_period_without_a_stockout_up_to_the_limit(
    periods: float, free: int
) -> None:
    availability = Availability(accelerators=8, changed_at_ms=NOW_MS)
    now_ms = NOW_MS + int(periods * DECAY_PERIOD_MS)  # before the change: another process's clock

    assert availability.believed_free(now_ms=now_ms, limit=60) == free


def test_belief_comes_back_from_nothing() -> None:
    availability = Availability(accelerators=0, changed_at_ms=0)

    assert availability.believed_free(now_ms=0, limit=60) == 1
    assert availability.believed_free(now_ms=2 * DECAY_PERIOD_MS, limit=60) == 4


def test_belief_is_never_above_a_limit_that_was_lowered() -> None:
    assert Availability(accelerators=64, changed_at_ms=0).believed_free(now_ms=0, limit=16) == 16
