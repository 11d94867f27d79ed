"""The snapshot holds what planning may look at, always in the same order."""

from dataclasses import replace

import pytest

from scheduler.model.ids import History, PriorityClassName, Revision
from scheduler.model.job import JobPhase, LaunchedBy
from scheduler.model.records import Record
from scheduler.model.replica import Preemption, ReplicaState
from scheduler.model.run import EndReason, RunState
from scheduler.planning.snapshot import snapshot_of
from tests.builders import (
    NOW_MS,
    PRIORITY_CLASSES,
    a_job,
    a_live_replica,
    a_pool,
    a_replica,
    a_run,
    a_state,
)


def test_pools_and_waiting_replicas_are_in_order_of_their_ids() -> None:
    b, a = a_job("b", replicas=2), a_job("a", launched_by=LaunchedBy.SUBMITTER)
    state = a_state(a_pool("z"), a_pool("y"), b, a, a_replica(b, 1), a_replica(b, 0), a_replica(a))

    snapshot = snapshot_of(state, now_ms=NOW_MS, priority_classes=PRIORITY_CLASSES)

    assert [planned.pool.id for planned in snapshot.pools] == ["y", "z"]
    assert [each.replica.id for each in snapshot.waiting] == ["a-0", "b-0", "b-1"]
    assert (snapshot.revision, snapshot.now_ms) == (state.revision, NOW_MS)


def test_only_what_wants_a_place_waits() -> None:
    pool, running, done, cancelling, finished = a_pool(), a_job("r"), a_job("d"), a_job("c"), a_job("f")
    run = a_run(running, pool)
    state = a_state(
        pool,
        run,
        running,
        a_live_replica(running, run),
        done,
        a_replica(done, state=ReplicaState.DONE, outcome=EndReason.SUCCEEDED),
        replace(cancelling, cancel_requested_at_ms=NOW_MS),
        a_replica(cancelling),
        replace(finished, outcome=JobPhase.FAILED, finished_at_ms=NOW_MS),
        a_replica(finished),
    )

    snapshot = snapshot_of(state, now_ms=NOW_MS, priority_classes=PRIORITY_CLASSES)

    assert snapshot.waiting == ()
    assert snapshot.pools[0].live_runs == (run,)


def test_versions_are_those_that_steps_rest_on() -> None:
    job, pool = a_job(), a_pool()
    state = a_state()
    for entity, version, planning_version in ((job, 5, 2), (a_replica(job), 6, 1), (pool, 7, 4)):
        state.put(
            Record(entity=entity, version=Revision(version), planning_version=Revision(planning_version))
        )

    snapshot = snapshot_of(state, now_ms=NOW_MS, priority_classes=PRIORITY_CLASSES)

    assert snapshot.waiting[0].replica_version == 6
    assert snapshot.waiting[0].job_planning_version == 2
    assert snapshot.pools[0].planning_version == 4


def test_an_unknown_priority_class_is_told() -> None:
    job = a_job(priority_class="gone")

    with pytest.raises(AssertionError, match="gone"):
        snapshot_of(
            a_state(job, a_replica(job)),
            now_ms=NOW_MS,
            priority_classes={PriorityClassName("standard"): PRIORITY_CLASSES[PriorityClassName("standard")]},
        )


def test_runs_of_lower_classes_than_the_worthiest_that_waits_may_be_stopped() -> None:
    pool, waiting = a_pool(nodes=3), a_job("waits", priority_class="standard")
    jobs = {name: a_job(name, priority_class=name) for name in ("frontier", "standard", "batch")}
    runs = {name: a_run(job, pool) for name, job in jobs.items()}
    claimed_unknown = a_run(jobs["batch"], pool, index=1, state=RunState.PLACED, history=History("older"))
    replicas = [a_live_replica(jobs[name], run) for name, run in runs.items()]
    once = replace(replicas[2], preemptions=(Preemption(NOW_MS - 1, pool.id), Preemption(0, pool.id)))
    state = a_state(
        pool, waiting, a_replica(waiting), *jobs.values(), *runs.values(), *replicas[:2], once,
        claimed_unknown, a_live_replica(jobs["batch"], claimed_unknown, state=ReplicaState.PLACED),
    )  # fmt: skip

    snapshot = snapshot_of(state, now_ms=NOW_MS, priority_classes=PRIORITY_CLASSES)

    assert [each.run.id for each in snapshot.running] == ["batch-0-1"]
    assert [(each.at_ms, each.queue) for each in snapshot.recent_stops] == [(NOW_MS - 1, "research")]
