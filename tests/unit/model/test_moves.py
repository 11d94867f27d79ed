"""Runs move only as the table of moves says, and a replica keeps its newest runs."""

from itertools import product

import pytest

from scheduler.model.errors import IllegalTransition
from scheduler.model.ids import run_id_of
from scheduler.model.plan import Place, Step
from scheduler.model.records import Key, Kind
from scheduler.model.replica import Replica
from scheduler.model.run import MOVES, EndReason, Run, RunState
from scheduler.model.transaction import Fence, Transaction
from scheduler.model.transitions.runs import RUNS_KEPT_PER_REPLICA, moved_to, placed
from tests.builders import NOW_MS, a_job, a_placement, a_pool, a_replica, a_run, a_state

FENCE = Fence(1, "nonce")
PAIRS = list(product(RunState, RunState))


def run_in(state: RunState) -> Run:
    return a_run(
        a_job(),
        a_pool(),
        state=state,
        before_unreachable=RunState.STOPPING if state is RunState.UNREACHABLE else None,
        end_reason=EndReason.SUCCEEDED if state is RunState.ENDED else None,
    )


@pytest.mark.parametrize(("old", "new"), [pair for pair in PAIRS if pair[1] not in MOVES[pair[0]]])
def test_a_move_that_is_not_in_the_table_is_refused(old: RunState, new: RunState) -> None:
    with pytest.raises(IllegalTransition, match=f"is {old}: it can become .*, not {new}"):
        moved_to(run_in(old), new)


@pytest.mark.parametrize(
    ("old", "new"), [pair for pair in PAIRS if pair[1] in MOVES[pair[0]] and pair[1] is not RunState.ENDED]
)
def test_a_move_of_the_table_is_made(old: RunState, new: RunState) -> None:
    moved = moved_to(run_in(old), new)

    assert moved.state is new
    assert moved.before_unreachable is (old if new is RunState.UNREACHABLE else None)


def test_a_run_that_is_over_can_become_nothing() -> None:
    assert MOVES[RunState.ENDED] == frozenset()
    with pytest.raises(IllegalTransition, match="it can become nothing, not running"):
        moved_to(run_in(RunState.ENDED), RunState.RUNNING)


def test_every_live_run_can_end() -> None:
    assert [state for state in RunState if RunState.ENDED not in MOVES[state]] == [RunState.ENDED]


def test_an_offer_that_nobody_claimed_cannot_be_unreachable() -> None:
    assert RunState.UNREACHABLE not in MOVES[RunState.PLACED]


def placed_after(runs_before: int) -> Transaction:
    """The replica's next run, after as many others."""
    job, pool = a_job(), a_pool()
    replica = a_replica(job, run_number=runs_before, run_token=runs_before)
    place = Place(replica_id=replica.id, placement=a_placement(job, pool))
    state = a_state(job, pool, replica)
    return placed(state, Step(places=(place,), preconditions=()), now_ms=NOW_MS, fence=FENCE)


@pytest.mark.parametrize("runs_before", [0, 1, RUNS_KEPT_PER_REPLICA - 1])
def test_the_newest_runs_of_a_replica_are_kept(runs_before: int) -> None:
    assert placed_after(runs_before).deletes == ()


def test_with_a_21st_run_the_first_is_forgotten() -> None:
    transaction = placed_after(20)

    assert transaction.deletes == (Key(Kind.RUN, run_id_of(a_replica(a_job()).id, 1)),)


def test_each_further_run_makes_one_more_forgotten() -> None:
    (forgotten,) = placed_after(50).deletes

    assert forgotten.id.endswith(f"-{51 - RUNS_KEPT_PER_REPLICA}")


def test_a_placed_replicas_numbers_and_token_grow() -> None:
    run, replica = [put.entity for put in placed_after(4).puts]

    assert isinstance(run, Run)
    assert isinstance(replica, Replica)
    assert (run.run_number, run.run_token, run.state) == (5, 5, RunState.PLACED)
    assert (replica.run_number, replica.run_token) == (5, 5)
    assert replica.live_run == replica.last_run == run.id
