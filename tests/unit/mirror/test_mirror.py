"""The mirror: follows the store's stream, and knows when time has passed that it did not see."""

import asyncio
from collections.abc import Sequence

import pytest

from scheduler.mirror.mirror import BEHIND_MS_MAX, Mirror
from scheduler.model.errors import NotCaughtUp
from scheduler.model.ids import Revision
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Committed, Put, Transaction
from scheduler.state.limits import COMMITS_PER_READ_MAX
from scheduler.state.memory import MemoryStore
from tests.builders import a_job
from tests.cell import ManualClock
from tests.unit.mirror.stores import JOB, JOB_KEY, SUBMIT, FrailStore, a_mirror, following, until


class Heard:
    """What a listener was told, in order: revisions of commits, and states that replaced what was known."""

    def __init__(self) -> None:
        self.revisions: list[int] = []
        self.reloads: list[State] = []

    def committed(self, commits: Sequence[Commit]) -> None:
        self.revisions += [commit.revision for commit in commits]

    def reloaded(self, state: State) -> None:
        self.reloads.append(state)


async def write_jobs(memory: MemoryStore, *names: str) -> None:
    for name in names:
        await memory.transact([Transaction(puts=(Put(entity=a_job(name)),))])


async def mirror_of(store: FrailStore) -> tuple[Mirror, Heard]:
    mirror, heard = await a_mirror(store, ManualClock()), Heard()
    mirror.add_listener(heard)
    return mirror, heard


def a_store(*, commits_retained: int = 100) -> FrailStore:
    return FrailStore(MemoryStore(ManualClock(), commits_retained=commits_retained))


async def test_what_is_in_the_store_is_there_once_it_is_loaded() -> None:
    store = a_store()
    await store.transact([SUBMIT])

    mirror = await a_mirror(store, ManualClock())

    assert mirror.state.job(JOB.id) == JOB
    assert mirror.state.revision == 1


async def test_what_is_written_later_comes_with_the_stream() -> None:
    store = a_store()
    mirror, heard = await mirror_of(store)

    async with following(mirror):
        await write_jobs(store.memory, "a", "b", "c")
        await mirror.caught_up(Revision(3))
        await store.transact([Transaction(deletes=(JOB_KEY,))])
        await store.transact([SUBMIT])
        await mirror.caught_up(Revision(5))

    assert [job.id for job in mirror.state.unfinished_jobs()] == ["a", "b", "c", "job"]
    assert heard.revisions == [1, 2, 3, 4, 5]
    assert store.loads == 1


async def test_a_listener_that_was_removed_hears_nothing_more() -> None:
    store = a_store()
    mirror, heard = await mirror_of(store)

    async with following(mirror):
        await write_jobs(store.memory, "a")
        await mirror.caught_up(Revision(1))
        mirror.remove_listener(heard)
        await write_jobs(store.memory, "b")
        await mirror.caught_up(Revision(2))

    assert heard.revisions == [1]


async def test_a_revision_that_has_been_seen_is_not_waited_for() -> None:
    store = a_store()
    await store.transact([SUBMIT])
    mirror = await a_mirror(store, ManualClock())

    await mirror.caught_up(Revision(1), timeout_ms=0)


async def test_a_reader_waits_until_its_revision_has_come() -> None:
    store = a_store()
    mirror, _ = await mirror_of(store)

    async with following(mirror):
        reading = asyncio.ensure_future(mirror.caught_up(Revision(3)))
        await write_jobs(store.memory, "a", "b")
        await mirror.caught_up(Revision(2))
        await asyncio.sleep(0)
        assert not reading.done()

        await write_jobs(store.memory, "c")
        await reading

    assert mirror.state.revision == 3


async def test_a_reader_is_told_when_its_revision_does_not_come_in_time() -> None:
    store = a_store()
    await store.transact([SUBMIT])
    mirror = await a_mirror(store, ManualClock())

    with pytest.raises(NotCaughtUp, match="at revision 1 and has not seen 2 within 1 ms"):
        await mirror.caught_up(Revision(2), timeout_ms=1)


async def test_a_new_history_is_loaded_anew_and_counts_as_time_that_passed_unseen() -> None:
    store = a_store()
    mirror, heard = await mirror_of(store)

    async with following(mirror):
        unseen = asyncio.ensure_future(mirror.disconnected())
        await store.transact([SUBMIT])
        await mirror.caught_up(Revision(1))
        assert not unseen.done()

        store.memory.start_new_history()
        await unseen

    assert mirror.state.history == store.memory.history
    assert mirror.state.job(JOB.id) == JOB
    assert heard.reloads == [mirror.state]
    assert mirror.disconnections == 1
    assert mirror.is_connected


async def test_after_a_new_history_the_stream_is_followed_on() -> None:
    store = a_store()
    mirror, heard = await mirror_of(store)

    async with following(mirror):
        store.memory.start_new_history()
        await mirror.disconnected()
        (outcome,) = await store.transact([SUBMIT])
        assert isinstance(outcome, Committed)
        await mirror.caught_up(outcome.revision)

    assert heard.revisions == [outcome.revision]
    assert mirror.disconnections == 1


async def test_a_mirror_that_fell_too_far_behind_is_loaded_anew() -> None:
    store = a_store(commits_retained=2)
    mirror, heard = await mirror_of(store)
    await write_jobs(store.memory, "a", "b", "c")

    async with following(mirror):
        await mirror.caught_up(Revision(3))

    assert heard.revisions == []
    assert [state.revision for state in heard.reloads] == [3]
    assert mirror.disconnections == 1


async def test_a_store_that_was_lost_and_found_is_followed_on_without_a_gap() -> None:
    store = a_store()
    mirror, heard = await mirror_of(store)

    async with following(mirror):
        await write_jobs(store.memory, "a")
        await mirror.caught_up(Revision(1))
        store.is_lost = True
        await write_jobs(store.memory, "b")
        await mirror.disconnected()
        assert not mirror.is_connected
        await write_jobs(store.memory, "c")
        assert mirror.state.revision == 1

        store.is_lost = False
        await mirror.caught_up(Revision(3))

    assert mirror.is_connected
    assert heard.revisions == [1, 2, 3]
    assert heard.reloads == []
    assert store.loads == 1


async def test_however_often_a_lost_store_is_tried_it_was_lost_once() -> None:
    store, clock = a_store(), ManualClock()
    mirror = await a_mirror(store, clock)
    store.is_lost = True
    start_ms = clock.now_ms()

    async with following(mirror):
        await until(lambda: clock.now_ms() - start_ms > 10_000)  # a try each 200 ms
        assert mirror.disconnections == 1

        store.is_lost = False
        await store.memory.transact([SUBMIT])
        await until(lambda: mirror.is_connected)
        store.is_lost = True
        await write_jobs(store.memory, "a")
        await until(lambda: mirror.disconnections == 2)


async def test_a_store_that_is_lost_with_a_new_history_is_loaded_anew_once_it_is_found() -> None:
    store = a_store()
    mirror, heard = await mirror_of(store)

    async with following(mirror):
        await write_jobs(store.memory, "a")
        await mirror.caught_up(Revision(1))
        store.is_lost = True
        store.memory.start_new_history()
        await until(lambda: not mirror.is_connected)
        await write_jobs(store.memory, "b")

        store.is_lost = False
        await mirror.caught_up(store.memory.revision)
        await write_jobs(store.memory, "c")
        await mirror.caught_up(store.memory.revision)

    assert mirror.is_connected
    assert mirror.state.history == store.memory.history
    assert heard.reloads == [mirror.state]
    assert heard.revisions == [1, store.memory.revision]


class LostWhileLoading(FrailStore):
    """Its first reload fails; `read_commits` goes on to say that the cursor is foreign."""

    async def load(self) -> State:
        self.is_lost = self.loads == 1
        try:
            return await super().load()
        finally:
            self.is_lost = False


async def test_a_reload_that_fails_is_tried_again() -> None:
    store = LostWhileLoading(MemoryStore(ManualClock()))
    mirror, heard = await mirror_of(store)
    store.memory.start_new_history()
    await store.memory.transact([SUBMIT])

    async with following(mirror):
        await mirror.caught_up(Revision(1))

    assert store.loads == 3
    assert len(heard.reloads) == 1
    assert mirror.disconnections == 2


async def test_a_mirror_is_caught_up_again_once_it_has_read_all_that_it_missed() -> None:
    store = a_store(commits_retained=1_000)
    mirror, _ = await mirror_of(store)
    caught_up = list[bool]()

    class Noting(Heard):
        def committed(self, commits: Sequence[Commit]) -> None:
            super().committed(commits)
            caught_up.append(mirror.is_caught_up)

    mirror.add_listener(Noting())
    store.is_lost = True
    async with following(mirror):
        await until(lambda: not mirror.is_connected)
        assert not mirror.is_caught_up
        await write_jobs(store.memory, *(f"job-{number}" for number in range(COMMITS_PER_READ_MAX + 1)))
        store.is_lost = False
        await until(lambda: len(caught_up) == 2)

    assert caught_up == [False, True]


async def test_a_mirror_that_reads_nothing_for_long_is_not_caught_up() -> None:
    clock = ManualClock()
    mirror = await a_mirror(a_store(), clock)
    assert mirror.is_caught_up

    clock.pass_ms(BEHIND_MS_MAX)

    assert not mirror.is_caught_up
