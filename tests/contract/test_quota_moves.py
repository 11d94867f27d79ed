"""Two moves of queues and cohorts at once, on every store: the second is refused where both would do harm."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from scheduler.model.queue import Cohort, Queue
from scheduler.model.records import Entity, key_of
from scheduler.model.state import State
from scheduler.model.transaction import Committed, Conflict, Put, Transaction
from scheduler.model.transitions.queues import applied, deleted
from scheduler.planning.composition import quota_grounds
from scheduler.planning.snapshot import snapshot_of
from tests.builders import PRIORITY_CLASSES, a_cohort, a_pool, a_queue, a_quota
from tests.contract.stores import Store, World

Move = Callable[[State], Transaction | None]
LAB, TEAM, OTHER = a_cohort("lab"), a_cohort("team", parent="lab"), a_cohort("other")
LENDER, BORROWER = a_queue("lender", a_quota(8), cohort="team"), a_queue("borrower", cohort="lab")
THERE = (LAB, TEAM, OTHER, LENDER, BORROWER)


def applying(holder: Queue | Cohort) -> Move:
    return lambda state: applied(state, holder)


def deleting(holder: Queue | Cohort) -> Move:
    return lambda state: deleted(state, key_of(holder))


def placing(queue: Queue) -> Move:
    """A write that rests on the queue's quotas, as a step of a plan does; a pool stands for its run."""

    def step(state: State) -> Transaction:
        snapshot = snapshot_of(state, now_ms=0, priority_classes=PRIORITY_CLASSES)
        return Transaction(
            checks=tuple(quota_grounds(snapshot, queue.name)), puts=(Put(entity=a_pool("run")),)
        )

    return step


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    id: str
    first: Move
    second: Move
    fits: bool = False


CASES = [
    Case(
        id="a_cohort_is_not_deleted_under_its_new_member",
        first=applying(a_queue("new", cohort="other")),
        second=deleting(OTHER),
    ),
    Case(
        id="nobody_joins_a_deleted_cohort",
        first=deleting(OTHER),
        second=applying(a_queue("new", cohort="other")),
    ),
    Case(
        id="two_moves_make_no_ring",
        first=applying(a_cohort("lab", parent="other")),
        second=applying(a_cohort("other", parent="team")),
    ),
    Case(
        id="no_step_rests_on_what_a_member_lends_no_more",
        first=applying(a_queue("lender", a_quota(8, lending_limit=0), cohort="team")),
        second=placing(BORROWER),
    ),
    Case(id="no_step_rests_on_what_a_deleted_member_lent", first=deleting(LENDER), second=placing(BORROWER)),
    Case(
        id="no_step_rests_on_room_that_a_new_member_uses",
        first=applying(a_queue("new", cohort="team")),
        second=placing(BORROWER),
    ),
    Case(
        id="no_step_rests_on_what_left_with_a_cohort",
        first=applying(a_cohort("team", parent="other")),
        second=placing(BORROWER),
    ),
    Case(
        id="a_step_does_not_mind_another_tree",
        first=applying(a_queue("new", a_quota(8), cohort="other")),
        second=placing(BORROWER),
        fits=True,
    ),
]


async def carry_out(store: Store, *entities: Entity) -> None:
    puts = tuple(Put(entity=entity) for entity in entities)
    await store.transact([Transaction(puts=puts)])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_what_was_computed_before_another_move(world: World, case: Case) -> None:
    store = await world.open()
    await carry_out(store, *THERE)
    state = await store.load()
    first, second = case.first(state), case.second(state)
    assert first is not None
    assert second is not None

    done, outcome = await store.transact([first, second])

    assert isinstance(done, Committed), done
    assert isinstance(outcome, Committed if case.fits else Conflict), outcome
