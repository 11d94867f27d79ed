"""What the memory store does beside the contract: faults on demand, and nothing left to chance."""

import pytest

from scheduler.model.errors import CursorTooOld, StoreUnavailable
from scheduler.model.ids import REVISIONS_PER_SECOND, Revision
from scheduler.model.records import Key, Kind
from scheduler.model.transaction import Committed, Put, Transaction
from scheduler.state.memory import MemoryStore
from tests.builders import a_job


class StoppedClock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.time_ms = 0

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_ms(self) -> int:
        return self.time_ms

    async def sleep(self, duration_ms: int) -> None:
        self.time_ms += duration_ms


WRITE = Transaction(puts=(Put(entity=a_job()),))


async def test_a_restarted_store_is_written_to_once_the_leader_vouches_for_it() -> None:
    store = MemoryStore(StoppedClock())
    store.restart()

    with pytest.raises(StoreUnavailable):
        await store.transact([WRITE])
    with pytest.raises(StoreUnavailable):
        await store.ping()
    fence = await store.acquire("first", duration_ms=10)
    assert fence is not None
    await store.adopt_history(fence)

    assert await store.transact([WRITE]) == [Committed(Revision(1))]


async def test_a_new_history_keeps_records_and_makes_every_cursor_foreign() -> None:
    store = MemoryStore(StoppedClock())
    await store.transact([WRITE])
    before = await store.load()

    store.start_new_history()
    await store.transact([WRITE])

    after = await store.load()
    assert (after.history, after.revision, after.count(Kind.JOB)) == (
        "memory-2",
        before.revision + REVISIONS_PER_SECOND + 1,
        1,
    )
    with pytest.raises(CursorTooOld):
        await store.read_commits(before.history, Revision(1), wait_ms=0)
    with pytest.raises(CursorTooOld):
        await store.read_commits(after.history, Revision(0), wait_ms=0)
    assert len(await store.read_commits(after.history, Revision(after.revision - 1), wait_ms=0)) == 1


async def test_a_failover_to_a_replica_that_was_behind_loses_the_newest_writes_and_no_other() -> None:
    store = MemoryStore(StoppedClock())
    await store.acquire("leader", duration_ms=10)
    await store.transact([WRITE])
    before = await store.load()
    await store.transact([Transaction(deletes=(Key(Kind.JOB, before.ids(Kind.JOB)[0]),))])

    assert store.fail_over(lag_commits=1) == 1

    left = await store.load()
    assert list(left.records(Kind.JOB)) == list(before.records(Kind.JOB))
    assert left.revision > before.revision + 1
    with pytest.raises(StoreUnavailable):
        await store.transact([WRITE])


async def test_a_lease_ends_exactly_when_its_time_is_over() -> None:
    clock = StoppedClock()
    store = MemoryStore(clock)
    first = await store.acquire("first", duration_ms=10)

    clock.time_ms = 9
    assert await store.acquire("second", duration_ms=10) is None
    clock.time_ms = 10
    second = await store.acquire("second", duration_ms=10)

    assert second not in (None, first)


async def test_two_stores_with_the_same_past_are_the_same() -> None:
    one, two = MemoryStore(StoppedClock()), MemoryStore(StoppedClock())

    assert await one.acquire("a", duration_ms=1) == await two.acquire("a", duration_ms=1)
    assert one.history == two.history
