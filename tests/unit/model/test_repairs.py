"""What is mended of records that do not agree."""

from dataclasses import replace

import pytest

from scheduler.model.ids import Revision
from scheduler.model.invariants import findings_of
from scheduler.model.records import Entity, Record
from scheduler.model.repairs import repairs_of
from scheduler.model.replica import ReplicaState
from scheduler.model.run import EndReason, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Fence
from tests.builders import a_job, a_live_replica, a_pool, a_replica, a_run, a_state

FENCE = Fence(1, "nonce")
JOB, POOL = a_job("one"), a_pool()
RUN = a_run(JOB, POOL, state=RunState.RUNNING, claimed_by=1)
LIVE = a_live_replica(JOB, RUN)
ENDED = replace(RUN, state=RunState.ENDED, end_reason=EndReason.SUCCEEDED, ended_at_ms=1)


def mend(state: State) -> None:
    """Carry every repair out."""
    for repair in list(repairs_of(state, fence=FENCE)):
        revision = Revision(state.revision + 1)
        records = [
            Record(entity=put.entity, version=revision, planning_version=revision)
            for put in repair.transaction.puts
        ]
        state.apply(
            Commit(revision=revision, records=tuple(records), removed=tuple(repair.transaction.deletes))
        )


def test_sound_records_are_left_alone() -> None:
    assert list(repairs_of(a_state(JOB, POOL, RUN, LIVE), fence=FENCE)) == []


@pytest.mark.parametrize(
    ("entities", "state"),
    [
        ((JOB, POOL, LIVE), ReplicaState.WAITING),
        ((JOB, POOL, LIVE, ENDED), ReplicaState.DONE),
        ((JOB, POOL, a_replica(JOB), RUN), ReplicaState.PLACED),
    ],
    ids=["live_run_is_missing", "live_run_has_ended", "replica_lost_its_live_run"],
)
def test_a_replica_follows_what_its_runs_say(entities: tuple[Entity, ...], state: ReplicaState) -> None:
    (repair,) = repairs_of(a_state(*entities), fence=FENCE)

    (put,) = repair.transaction.puts
    assert put.entity.state is state
    assert repair.transaction.fence == FENCE


def test_what_belongs_to_nothing_is_removed() -> None:
    repairs = list(repairs_of(a_state(POOL, RUN, LIVE), fence=FENCE))

    assert [key.id for one in repairs for key in one.transaction.deletes] == [LIVE.id]


def test_a_repaired_state_is_sound() -> None:
    state = a_state(JOB, POOL, LIVE)
    assert list(findings_of(state)) != []

    mend(state)

    assert list(findings_of(state)) == []
