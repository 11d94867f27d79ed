"""Moves of queues and cohorts: what is written, and what makes no tree of lenders."""

import pytest

from scheduler.model.errors import IllegalTransition
from scheduler.model.invariants import findings_of
from scheduler.model.limits import COHORT_DEPTH_MAX, COHORTS_MAX
from scheduler.model.queue import Cohort, Queue
from scheduler.model.records import Kind, key_of
from scheduler.model.state import State
from scheduler.model.transaction import IsAbsent, IsAt, IsPlannedAt, Put
from scheduler.model.transitions.queues import applied, deleted
from tests.builders import a_cohort, a_queue, a_quota, a_state


def test_a_new_queue_is_written_only_if_nobody_made_it_and_its_cohorts_stay() -> None:
    lab, team = a_cohort("lab"), a_cohort("team", parent="lab")
    state = a_state(lab, team, revision=7)
    queue = a_queue("q", a_quota(8), cohort="team")

    transaction = applied(state, queue)

    assert transaction is not None
    assert transaction.checks == (
        IsAbsent(key_of(queue)),
        IsPlannedAt(key_of(team), state.revision),
        IsPlannedAt(key_of(lab), state.revision),
    )
    # Who deletes team at the same time has not seen its member; who plans below lab has not seen its use.
    assert transaction.puts == (
        Put(entity=queue, replans=True),
        Put(entity=team),
        Put(entity=lab, replans=True),
    )


def test_a_changed_queue_is_written_over_what_was_read_and_its_tree_planned_anew() -> None:
    lab, old = a_cohort("lab"), a_queue("q", a_quota(8), cohort="lab")
    state = a_state(lab, old, revision=7)
    new = a_queue("q", a_quota(16), cohort="lab")

    transaction = applied(state, new)

    assert transaction is not None
    assert transaction.checks == (IsAt(key_of(old), state.revision), IsPlannedAt(key_of(lab), state.revision))
    assert transaction.puts == (Put(entity=new, replans=True), Put(entity=lab, replans=True))


@pytest.mark.parametrize("holder", [a_queue("moves", cohort="old"), a_cohort("moves", parent="old")])
def test_who_moves_has_the_trees_of_both_sides_planned_anew(holder: Queue | Cohort) -> None:
    old, new, below = a_cohort("old"), a_cohort("new"), a_cohort("below", parent="new")
    state = a_state(old, new, below, holder)
    moved = (
        a_queue("moves", cohort="below") if isinstance(holder, Queue) else a_cohort("moves", parent="below")
    )

    transaction = applied(state, moved)

    assert transaction is not None
    assert {check.key for check in transaction.checks} == {key_of(each) for each in (holder, below, new, old)}
    assert transaction.puts == (
        Put(entity=moved, replans=True),
        Put(entity=below),
        Put(entity=new, replans=True),
        Put(entity=old, replans=True),
    )


def test_what_a_deleted_queue_lent_is_planned_anew() -> None:
    lab, team, queue = a_cohort("lab"), a_cohort("team", parent="lab"), a_queue("q", cohort="team")

    transaction = deleted(a_state(lab, team, queue), key_of(queue))

    assert transaction is not None
    assert (transaction.puts, transaction.deletes) == ((Put(entity=lab, replans=True),), (key_of(queue),))


@pytest.mark.parametrize("holder", [a_queue("q", a_quota(8)), a_cohort("c", a_quota(8))])
def test_what_is_so_already_is_not_written(holder: Queue | Cohort) -> None:
    assert applied(a_state(holder), holder) is None


def a_chain(length: int) -> State:
    """Cohorts c0, c1, ..., each in the one before."""
    return a_state(
        *(a_cohort(f"c{depth}", parent=f"c{depth - 1}" if depth else None) for depth in range(length))
    )


@pytest.mark.parametrize(
    ("state", "holder", "says"),
    [
        (a_state(), a_queue("q", cohort="lab"), "cohort lab does not exist"),
        (a_state(), a_cohort("team", parent="lab"), "cohort lab does not exist"),
        (a_chain(2), a_cohort("c0", parent="c1"), "c0 would be above itself"),
        (a_chain(4), a_cohort("c0", parent="c3"), "c0 would be above itself"),
        (
            a_chain(COHORT_DEPTH_MAX + 1),
            a_queue("q", cohort=f"c{COHORT_DEPTH_MAX}"),
            f"more than {COHORT_DEPTH_MAX} cohorts",
        ),
        (
            a_state(*(a_cohort(f"c{number}") for number in range(COHORTS_MAX))),
            a_cohort("one-more"),
            f"there are {COHORTS_MAX} cohorts already",
        ),
    ],
    ids=["no_cohort", "no_parent", "ring_of_two", "ring_of_four", "too_deep", "too_many"],
)
def test_what_makes_no_tree_is_refused(state: State, holder: Queue | Cohort, says: str) -> None:
    with pytest.raises(IllegalTransition, match=says):
        applied(state, holder)


def test_a_cohort_goes_only_without_members() -> None:
    lab, team, queue = a_cohort("lab"), a_cohort("team", parent="lab"), a_queue("q", cohort="lab")

    with pytest.raises(IllegalTransition, match="has members: queue q, cohort team; move them first"):
        deleted(a_state(lab, team, queue), key_of(lab))
    empty = a_state(lab)
    transaction = deleted(empty, key_of(lab))

    assert transaction is not None
    assert (transaction.checks, transaction.deletes) == (
        (IsAt(key_of(lab), empty.revision),),
        (key_of(lab),),
    )


def test_a_queues_record_goes_whatever_is_called_like_it() -> None:
    queue = a_queue("same", cohort="lab")

    assert deleted(a_state(queue, a_cohort("lab"), a_cohort("same")), key_of(queue)) is not None
    assert deleted(a_state(), key_of(queue)) is None


def test_a_check_of_the_state_tells_rings_and_cohorts_that_are_not_there() -> None:
    sound = (a_cohort("lab"), a_cohort("team", parent="lab"), a_queue("q", cohort="team"))
    ring = (a_cohort("a", parent="b"), a_cohort("b", parent="a"), a_queue("in-ring", cohort="a"))

    found = findings_of(a_state(*sound, *ring, a_queue("lost", cohort="none")))

    assert {(finding.kind, finding.id, finding.fault) for finding in found} == {
        (Kind.QUEUE, "lost", "cohort none, which it is in, does not exist"),
        (Kind.QUEUE, "in-ring", "the cohorts above it form a ring at a"),
        (Kind.COHORT, "a", "the cohorts above it form a ring at b"),
        (Kind.COHORT, "b", "the cohorts above it form a ring at a"),
    }
