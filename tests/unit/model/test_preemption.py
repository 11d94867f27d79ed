"""A step that stops runs: its victims wait again, and its place is offered when they have ended."""

from dataclasses import replace
from typing import Any

import pytest

from scheduler.model.errors import IllegalTransition
from scheduler.model.ids import ReplicaId, Revision, RunId
from scheduler.model.limits import CHANGES_PER_TRANSACTION_MAX, VICTIMS_PER_STEP_MAX
from scheduler.model.occupancy import occupancy_of
from scheduler.model.plan import Place, Step, Stop
from scheduler.model.records import Record, key_of
from scheduler.model.replica import PREEMPTIONS_KEPT, Preemption, Replica, ReplicaState
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Fence, Transaction
from scheduler.model.transitions.preemption import remembered
from scheduler.model.transitions.runs import claimed, placed
from scheduler.model.transitions.settling import AWAITED_END_MS_MAX, OFFER_MS_MIN, due_at_ms
from scheduler.model.view import pool_view
from scheduler.service.desired import desired
from tests.builders import (
    NOW_MS,
    a_job,
    a_live_replica,
    a_placement,
    a_pool,
    a_replica,
    a_run,
    a_session,
    a_state,
)

FENCE = Fence(1, "nonce")
POOL = a_pool(lease_duration_ms=10_000)
BATCH, FRONTIER = a_job("low", priority_class="batch"), a_job("high", priority_class="frontier")
VICTIM, PREEMPTOR = RunId("low-0-1"), RunId("high-0-1")


def a_world(**victim: Any) -> State:
    run = a_run(BATCH, POOL, **victim)
    return a_state(POOL, BATCH, FRONTIER, run, a_live_replica(BATCH, run), a_replica(FRONTIER), a_session())


def the_step() -> Step:
    place = Place(replica_id=ReplicaId("high-0"), placement=a_placement(FRONTIER, POOL), after_runs=(VICTIM,))
    stop = Stop(run_id=VICTIM, replica_id=ReplicaId("low-0"), by=ReplicaId("high-0"))
    return Step(places=(place,), preconditions=(), stops=(stop,))


def after(state: State, transaction: Transaction) -> State:
    """The state once the transaction has been carried out."""
    for put in transaction.puts:
        newer = Revision(state.revision + 1)
        state.put(Record(entity=put.entity, version=newer, planning_version=newer))
        assert state.record(key_of(put.entity)) is not None
    return state


def preempted(**victim: Any) -> State:
    state = a_world(**victim)
    return after(state, placed(state, the_step(), now_ms=NOW_MS, fence=FENCE))


def with_victim(known: State, **fields: Any) -> State:
    victim = replace(run_of(known, VICTIM), **fields)
    newer = Revision(known.revision + 9)
    known.put(Record(entity=victim, version=newer, planning_version=newer))
    return known


def run_of(state: State, run_id: RunId) -> Run:
    run = state.run(run_id)
    assert run is not None
    return run


def replica_of(state: State, replica_id: str) -> Replica:
    replica = state.replica(ReplicaId(replica_id))
    assert replica is not None
    return replica


def test_a_claimed_victim_is_stopped_and_its_replica_remembers_it() -> None:
    state = preempted(state=RunState.RUNNING)

    victim = run_of(state, VICTIM)
    assert (victim.state, victim.stop_reason) == (RunState.STOPPING, EndReason.PREEMPTED)
    assert victim.message == "preempted by high (frontier)"
    assert victim.generation == 2
    assert replica_of(state, "low-0").preemptions == (Preemption(NOW_MS, POOL.id),)


def test_an_unclaimed_victim_is_withdrawn_and_waits_again_without_a_back_off() -> None:
    state = preempted(state=RunState.PLACED)

    victim, replica = run_of(state, VICTIM), replica_of(state, "low-0")
    assert (victim.state, victim.end_reason) == (RunState.ENDED, EndReason.PREEMPTED)
    assert (replica.state, replica.not_before_ms, replica.failures) == (ReplicaState.WAITING, NOW_MS, 0)
    assert list(desired(state, POOL.spec.launcher_id).runs) == [PREEMPTOR]


def test_a_place_is_offered_and_claimed_only_when_the_victim_has_ended() -> None:
    state = preempted(state=RunState.RUNNING)
    session = a_session()

    assert list(desired(state, POOL.spec.launcher_id).runs) == [VICTIM]
    with pytest.raises(IllegalTransition, match="run low-0-1 has not ended"):
        claimed(state, PREEMPTOR, session, now_ms=NOW_MS)

    state = with_victim(state, state=RunState.ENDED, end_reason=EndReason.PREEMPTED, ended_at_ms=NOW_MS)

    assert list(desired(state, POOL.spec.launcher_id).runs) == [PREEMPTOR]
    assert claimed(state, PREEMPTOR, session, now_ms=NOW_MS) is not None


def test_the_offer_counts_from_when_it_may_be_claimed() -> None:
    state = preempted(state=RunState.RUNNING)
    grace_ms = BATCH.spec.grace_period_ms

    assert due_at_ms(state, FRONTIER, run_of(state, PREEMPTOR)) == NOW_MS + grace_ms + AWAITED_END_MS_MAX

    ended_ms = NOW_MS + 50_000
    state = with_victim(state, state=RunState.ENDED, end_reason=EndReason.PREEMPTED, ended_at_ms=ended_ms)

    assert due_at_ms(state, FRONTIER, run_of(state, PREEMPTOR)) == ended_ms + OFFER_MS_MIN


def test_nobody_waits_for_a_run_out_of_reach() -> None:
    state = preempted(state=RunState.RUNNING)

    state = with_victim(state, state=RunState.UNREACHABLE, before_unreachable=RunState.STOPPING)

    assert due_at_ms(state, FRONTIER, run_of(state, PREEMPTOR)) == NOW_MS


def test_what_waits_and_what_it_waits_for_share_their_room() -> None:
    state = preempted(state=RunState.RUNNING)

    occupancy = occupancy_of(state.live_runs(POOL.id))
    view = pool_view(state, POOL.id, now_ms=NOW_MS)

    assert [run.id for run in occupancy.waiting] == [PREEMPTOR]
    assert [run.id for run in occupancy.awaited] == [VICTIM]
    assert view is not None
    assert view.accelerators_used == 8


def test_a_replica_remembers_a_bounded_number_of_preemptions() -> None:
    replica, run = a_replica(BATCH), a_run(BATCH, POOL)
    for number in range(PREEMPTIONS_KEPT + 3):
        replica = remembered(replica, run, now_ms=number)

    assert [each.at_ms for each in replica.preemptions] == list(range(3, PREEMPTIONS_KEPT + 3))


def test_a_step_with_most_victims_is_one_transaction() -> None:
    job = a_job("many", "h100:1", priority_class="batch", replicas=VICTIMS_PER_STEP_MAX)
    runs = [a_run(job, POOL, index=index) for index in range(VICTIMS_PER_STEP_MAX)]
    state = a_state(
        POOL,
        job,
        FRONTIER,
        a_replica(FRONTIER, run_number=30),
        *runs,
        *(a_live_replica(job, run) for run in runs),
    )
    stops = tuple(Stop(run_id=r.id, replica_id=r.replica_id, by=ReplicaId("high-0")) for r in runs)
    place = replace(the_step().places[0], after_runs=tuple(run.id for run in runs))

    written = placed(state, Step(places=(place,), preconditions=(), stops=stops), now_ms=NOW_MS, fence=FENCE)

    assert len(written.puts) + len(written.deletes) == 2 * VICTIMS_PER_STEP_MAX + 3
    assert len(written.puts) + len(written.deletes) <= CHANGES_PER_TRANSACTION_MAX
