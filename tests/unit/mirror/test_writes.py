"""Writes: computed again until what they rest on holds, and seen by the mirror when they are done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from scheduler.mirror.mirror import Mirror
from scheduler.mirror.writes import ATTEMPTS_MAX, RequestSeen, catch_up, write
from scheduler.model.errors import LostLeadership, StoreUnavailable
from scheduler.model.records import IdempotencyRecord, key_of
from scheduler.model.state import State
from scheduler.model.transaction import Fence, IsAbsent, Put, Transaction
from scheduler.state.memory import MemoryStore
from tests.builders import a_job
from tests.cell import ManualClock
from tests.unit.mirror.stores import JOB, SUBMIT, BusyStore, FrailStore, a_mirror, following, note

REQUEST = IdempotencyRecord(id="alice/request", content_hash="1:a", resource_id=JOB.id)
STALE = Fence(0, "never given")


@asynccontextmanager
async def a_followed_store(*, rivals: int = 0) -> AsyncIterator[tuple[BusyStore, Mirror]]:
    """A store that holds the job, where others write `rivals` times before it comes to rest."""
    memory = MemoryStore(ManualClock())
    await memory.transact([SUBMIT])
    store = BusyStore(memory, rivals=rivals)
    mirror = await a_mirror(store, ManualClock())
    async with following(mirror):
        yield store, mirror


def noted(state: State) -> str:
    job = state.job(JOB.id)
    assert job is not None
    return job.cancel_reason


async def test_the_mirror_has_seen_a_write_that_is_done() -> None:
    async with a_followed_store() as (store, mirror):
        revision = await write(store, mirror, lambda state: note(state, "mine"))

        assert revision == mirror.state.revision == 2
        assert noted(mirror.state) == "mine"


async def test_a_write_that_comes_to_nothing_is_not_sent() -> None:
    async with a_followed_store() as (store, mirror):
        assert await write(store, mirror, lambda _state: None) == 1

        assert store.transacts == 0


async def test_after_a_conflict_the_write_is_computed_again_on_newer_state() -> None:
    async with a_followed_store(rivals=3) as (store, mirror):
        revision = await write(store, mirror, lambda state: note(state, "mine"))

        assert noted(mirror.state) == "rival rival rival mine"
        assert revision == 5
        assert store.transacts == 4


async def test_a_write_may_come_to_nothing_after_a_conflict() -> None:
    async with a_followed_store(rivals=1) as (store, mirror):
        await write(store, mirror, lambda state: None if noted(state) else note(state, "mine"))

        assert noted(mirror.state) == "rival"


async def test_the_last_attempt_counts() -> None:
    async with a_followed_store(rivals=ATTEMPTS_MAX - 1) as (store, mirror):
        await write(store, mirror, lambda state: note(state, "mine"))

        assert noted(mirror.state).endswith("rival mine")


async def test_a_write_gives_up_on_a_record_that_never_comes_to_rest() -> None:
    async with a_followed_store(rivals=ATTEMPTS_MAX + 1) as (store, mirror):
        with pytest.raises(StoreUnavailable, match=f"nothing was written: .* {ATTEMPTS_MAX} times"):
            await write(store, mirror, lambda state: note(state, "mine"))

        assert store.transacts == ATTEMPTS_MAX
        assert "mine" not in noted(await store.load())


async def test_a_request_that_came_before_is_told_and_writes_nothing() -> None:
    async with a_followed_store() as (store, mirror):
        key = key_of(REQUEST)
        await store.memory.transact([Transaction(puts=(Put(entity=REQUEST),))])
        again = Transaction(checks=(IsAbsent(key),), puts=(Put(entity=REQUEST), Put(entity=a_job("other"))))

        with pytest.raises(RequestSeen) as seen:
            await write(store, mirror, lambda _state: again)

        assert seen.value.key == key
        assert (await store.load()).revision == 2


async def test_a_deposed_leader_writes_nothing() -> None:
    async with a_followed_store() as (store, mirror):
        with pytest.raises(LostLeadership):
            await write(store, mirror, lambda _state: Transaction(puts=(Put(entity=JOB),), fence=STALE))

        assert (await store.load()).revision == 1


async def test_a_write_to_a_lost_store_is_not_repeated_because_it_may_have_been_done() -> None:
    async with a_followed_store() as (store, mirror):
        store.is_lost = True

        with pytest.raises(StoreUnavailable):
            await write(store, mirror, lambda state: note(state, "mine"))

        assert store.transacts == 1


async def test_catching_up_ends_at_the_newest_revision_of_the_store_and_writes_nothing() -> None:
    store = FrailStore(MemoryStore(ManualClock()))
    mirror = await a_mirror(store, ManualClock())
    await store.memory.transact([SUBMIT] * 3)

    catching_up = asyncio.ensure_future(catch_up(store, mirror, fence=None))
    await store.asked.wait()
    assert not catching_up.done()
    async with following(mirror):
        await catching_up

    assert mirror.state.revision == 3
    assert (await store.load()).revision == 3


async def test_with_the_newest_fence_a_leader_can_catch_up() -> None:
    async with a_followed_store() as (store, mirror):
        fence = await store.memory.acquire("leader", duration_ms=1_000)
        assert fence is not None
        await store.memory.transact([note(await store.load(), "earlier")])

        await catch_up(store, mirror, fence=fence)

        assert noted(mirror.state) == "earlier"


async def test_with_a_stale_fence_a_leader_learns_that_it_leads_no_more() -> None:
    async with a_followed_store() as (store, mirror):
        earlier = await store.memory.acquire("leader", duration_ms=1_000)
        assert earlier is not None
        await store.memory.release(earlier)
        await store.memory.acquire("another", duration_ms=1_000)

        with pytest.raises(LostLeadership, match="another leader"):
            await catch_up(store, mirror, fence=earlier)


async def test_catching_up_says_when_the_store_is_out_of_reach() -> None:
    async with a_followed_store() as (store, mirror):
        store.is_lost = True

        with pytest.raises(StoreUnavailable):
            await catch_up(store, mirror, fence=None)
