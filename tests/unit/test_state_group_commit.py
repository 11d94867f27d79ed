"""Group commit: what arrives during a call is the next call, in order and within its limits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest
import pytest_asyncio

from scheduler.model.errors import Overloaded, StoreUnavailable
from scheduler.model.ids import JobId, Revision
from scheduler.model.records import IdempotencyRecord, Key, Kind
from scheduler.model.transaction import Committed, Fence, Outcome, Put, Transaction
from scheduler.state.batches import Prepared, prepared
from scheduler.state.group_commit import GroupCommit
from scheduler.state.limits import (
    CHANGES_PER_CALL_MAX,
    TRANSACTIONS_WAITING_MAX,
    URGENT_TRANSACTIONS_WAITING_MAX,
)


def a_delete(name: str, *, changes: int = 1) -> Prepared:
    keys = tuple(Key(Kind.JOB, JobId(f"{name}-{number}")) for number in range(changes))
    return prepared(Transaction(deletes=keys))


def a_request() -> Prepared:
    """What a user asks for: a write with the record of its request id."""
    record = IdempotencyRecord(id="user/request", content_hash="1:0", resource_id="job")
    return prepared(Transaction(puts=(Put(entity=record),)))


class Calls:
    """A store whose calls end when they are told to."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Prepared]] = []
        self.error: Exception | None = None
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.called = asyncio.Event()
        self._revision = 0

    async def __call__(self, batch: Sequence[Prepared]) -> Sequence[Outcome]:
        self.batches.append(batch)
        self.called.set()
        await self.let_go.wait()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        outcomes = [Committed(Revision(self._revision + number + 1)) for number in range(len(batch))]
        self._revision += len(batch)
        return outcomes

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest_asyncio.fixture
async def group(calls: Calls) -> AsyncIterator[GroupCommit]:
    commit = GroupCommit(calls)
    running = asyncio.create_task(commit.run())
    yield commit
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def started(
    group: GroupCommit, calls: Calls, *transactions: Prepared
) -> "asyncio.Task[Sequence[Outcome]]":
    """A commit whose call is in flight and will not end before `let_go`."""
    calls.let_go.clear()
    calls.called.clear()
    task = asyncio.create_task(group.commit(transactions))
    await calls.called.wait()
    return task


async def test_what_arrives_during_a_call_is_the_next_call(group: GroupCommit, calls: Calls) -> None:
    first = await started(group, calls, a_delete("first"))
    others = [asyncio.create_task(group.commit([a_delete(str(number))])) for number in range(5)]
    await asyncio.sleep(0)
    calls.let_go.set()

    await asyncio.gather(first, *others)

    assert calls.sizes == [1, 5]
    assert [(await other)[0] for other in others] == [Committed(Revision(n)) for n in range(2, 7)]


@pytest.mark.parametrize(
    ("changes", "sizes"),
    [((1,) * 300, [128, 128, 44]), ((100, 28, 1), [2, 1]), ((CHANGES_PER_CALL_MAX,) * 3, [1, 1, 1])],
    ids=["by_transactions", "by_changes", "of_full_transactions"],
)
async def test_a_call_has_a_limit(
    group: GroupCommit, calls: Calls, changes: tuple[int, ...], sizes: list[int]
) -> None:
    deletes = [a_delete(str(number), changes=count) for number, count in enumerate(changes)]

    outcomes = await group.commit(deletes)

    assert calls.sizes == sizes
    assert [one for batch in calls.batches for one in batch] == deletes
    assert outcomes == [Committed(Revision(number + 1)) for number in range(len(changes))]


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), OverflowError("a bug")])
async def test_a_failed_call_fails_its_callers_and_nobody_else(
    group: GroupCommit, calls: Calls, error: Exception
) -> None:
    calls.error = error

    with pytest.raises(type(error)):
        await group.commit([a_delete("a")])

    assert await group.commit([a_delete("b")]) == [Committed(Revision(1))]


async def test_a_caller_that_gives_up_disturbs_no_other(group: GroupCommit, calls: Calls) -> None:
    first = await started(group, calls, a_delete("first"))
    impatient = asyncio.create_task(group.commit([a_delete("impatient")]))
    patient = asyncio.create_task(group.commit([a_delete("patient")]))
    await asyncio.sleep(0)

    first.cancel()
    impatient.cancel()
    await asyncio.sleep(0)
    calls.let_go.set()

    assert await patient == [Committed(Revision(2))]
    assert calls.sizes == [1, 1]


async def test_too_many_waiting_writes_are_refused_at_once(group: GroupCommit, calls: Calls) -> None:
    in_flight = await started(group, calls, a_delete("in flight"))
    many = [a_request()] * TRANSACTIONS_WAITING_MAX
    waiting = asyncio.create_task(group.commit(many))
    await asyncio.sleep(0)

    with pytest.raises(Overloaded, match="20000 writes wait, at most 20000 may"):
        await group.commit([a_request()])

    calls.let_go.set()
    await asyncio.gather(in_flight, waiting)


async def test_launchers_and_the_leader_go_before_users_and_have_places_of_their_own(
    group: GroupCommit, calls: Calls
) -> None:
    in_flight = await started(group, calls, a_delete("in flight"))
    requests = asyncio.create_task(group.commit([a_request()] * TRANSACTIONS_WAITING_MAX))
    await asyncio.sleep(0)
    renewal = asyncio.create_task(group.commit([a_delete("renewal")]))
    await asyncio.sleep(0)

    calls.let_go.set()
    await asyncio.gather(in_flight, requests, renewal)

    assert [one.is_urgent for one in calls.batches[1]] == [True] + [False] * (CHANGES_PER_CALL_MAX - 1)


async def test_the_leader_is_never_refused(group: GroupCommit, calls: Calls) -> None:
    in_flight = await started(group, calls, a_delete("in flight"))
    urgent = asyncio.create_task(group.commit([a_delete("report")] * URGENT_TRANSACTIONS_WAITING_MAX))
    await asyncio.sleep(0)
    fenced = prepared(Transaction(deletes=(Key(Kind.JOB, "job"),), fence=Fence(1, "nonce")))
    control = asyncio.create_task(group.commit([fenced]))
    await asyncio.sleep(0)

    with pytest.raises(Overloaded, match="20001 writes wait"):
        await group.commit([a_delete("report")])

    calls.let_go.set()
    await asyncio.gather(in_flight, urgent, control)


async def test_closing_tells_everyone_that_waits(calls: Calls) -> None:
    group = GroupCommit(calls)
    running = asyncio.create_task(group.run())
    in_flight = await started(group, calls, a_delete("in flight"))
    waiting = asyncio.create_task(group.commit([a_delete("waiting")]))
    await asyncio.sleep(0)

    running.cancel()

    for task in (in_flight, waiting):
        with pytest.raises(StoreUnavailable):
            await task
    with pytest.raises(StoreUnavailable):
        await group.commit([a_delete("late")])


async def test_writes_that_arrive_while_the_loop_is_busy_share_a_call(
    group: GroupCommit, calls: Calls
) -> None:
    async def later(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await group.commit([a_request()])

    await asyncio.gather(*(later(turns) for turns in range(1, 20, 2)))

    assert calls.sizes == [10]
