"""The snapshot holds what planning may look at, always in the same order."""

from dataclasses import replace

import pytest

from scheduler.model.ids import PriorityClassName, Revision
from scheduler.model.job import JobPhase, LaunchedBy
from scheduler.model.records import Record
from scheduler.model.replica import ReplicaState
from scheduler.model.run import EndReason
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
