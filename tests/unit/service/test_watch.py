"""Watches: every change, in order, without a gap, wherever one starts."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from scheduler.model.errors import CursorTooOld
from scheduler.model.ids import History, JobId, Revision
from scheduler.model.job import JobPhase
from scheduler.service.jobs import JobFilter
from scheduler.service.watch import Cursor, EventKind, WatchEvent
from scheduler.state.memory import MemoryStore
from tests.builders import a_spec
from tests.cell import USER, Cell, ManualClock, a_cell

HEARTBEAT_MS = 60_000


def watch(
    cell: Cell, *, cursor: Cursor | None = None, wanted: JobFilter | None = None
) -> AsyncIterator[WatchEvent]:
    return cell.watches.watch(wanted or JobFilter(), cursor=cursor, heartbeat_ms=HEARTBEAT_MS)


async def cancel(cell: Cell, job_id: JobId) -> None:
    await cell.jobs.cancel(
        job_id, reason="", version=None, principal=USER, request_id=f"r-{next(cell.request_numbers)}"
    )


async def test_a_new_watch_starts_with_every_matching_job_and_an_end_marker() -> None:
    async with a_cell() as cell:
        ids = [(await cell.submit()).view.job.id for _ in range(2)]

        events = watch(cell)
        initial = [await anext(events) for _ in range(3)]

        assert [event.kind for event in initial] == [EventKind.CHANGED] * 2 + [EventKind.INITIAL_END]
        assert [event.job_id for event in initial[:2]] == sorted(ids)
        assert initial[0].cursor is None
        assert initial[2].cursor is not None


async def test_a_change_after_the_list_is_told_with_the_full_state() -> None:
    async with a_cell() as cell:
        cursor = cell.watches.cursor()
        job_id = (await cell.submit()).view.job.id

        event = await anext(watch(cell, cursor=cursor))

        assert (event.kind, event.job_id) == (EventKind.CHANGED, job_id)
        assert event.view is not None
        assert event.view.phase is JobPhase.PENDING


async def test_list_and_watch_miss_nothing_when_changes_come_in_between() -> None:
    async with a_cell() as cell:
        cursor = cell.watches.cursor()
        ids = [(await cell.submit()).view.job.id for _ in range(5)]
        events = watch(cell, cursor=cursor)
        later = (await cell.submit()).view.job.id

        told = [(await anext(events)).job_id for _ in range(6)]

        assert told == [*ids, later]


async def test_going_on_from_any_cursor_tells_everything_after_it() -> None:
    async with a_cell() as cell:
        start = cell.watches.cursor()
        ids = [(await cell.submit()).view.job.id for _ in range(4)]
        first = watch(cell, cursor=start)
        cursors = [(await anext(first)).cursor for _ in range(4)]

        for number, cursor in enumerate(cursors[:-1], start=1):
            events = watch(cell, cursor=cursor)
            told = [(await anext(events)).job_id for _ in ids[number:]]
            assert told == ids[number:]


async def test_a_slow_watcher_skips_overtaken_states_and_misses_no_job() -> None:
    async with a_cell() as cell:
        events = watch(cell)
        assert (await anext(events)).kind is EventKind.INITIAL_END
        first, second = [(await cell.submit()).view.job.id for _ in range(2)]
        await cancel(cell, first)

        told = [await anext(events) for _ in range(2)]

        assert [event.job_id for event in told] == [first, second]
        assert told[0].view is not None
        assert told[0].view.job.is_cancelling
        assert told[0].cursor is not None
        assert told[1].cursor is not None
        assert told[0].cursor.revision < told[1].cursor.revision


async def test_a_job_that_no_longer_matches_is_told_once_as_having_left() -> None:
    async with a_cell() as cell:
        job_id = (await cell.submit()).view.job.id
        events = watch(cell, wanted=JobFilter(phases=frozenset({JobPhase.PENDING})))
        await anext(events)
        await anext(events)
        await cancel(cell, job_id)
        await cell.run_cycle()

        told = await anext(events)

        assert (told.kind, told.job_id) == (EventKind.LEFT, job_id)


async def test_other_jobs_than_the_filter_chooses_are_not_told() -> None:
    async with a_cell() as cell:
        events = watch(cell, cursor=cell.watches.cursor(), wanted=JobFilter(name="mine"))
        await cell.submit(a_spec(name="other"))
        mine = (await cell.submit(a_spec(name="mine"))).view.job.id

        assert (await anext(events)).job_id == mine


async def test_silence_is_told_by_heartbeats_that_carry_a_cursor() -> None:
    async with a_cell() as cell:
        events = cell.watches.watch(JobFilter(), cursor=cell.watches.cursor(), heartbeat_ms=1)

        event = await anext(events)

        assert event.kind is EventKind.HEARTBEAT
        assert event.cursor == cell.watches.cursor()


async def test_changes_that_a_watch_does_not_tell_do_not_put_off_its_heartbeat() -> None:
    async with a_cell() as cell:
        events = cell.watches.watch(JobFilter(name="mine"), cursor=cell.watches.cursor(), heartbeat_ms=50)
        waiting = asyncio.ensure_future(anext(events))

        while not waiting.done():
            await cell.submit(a_spec(name="other"))
            await asyncio.sleep(0.005)

        event = waiting.result()
        assert event.kind is EventKind.HEARTBEAT
        assert event.cursor is not None
        assert event.cursor.revision > 0


async def test_a_cursor_of_another_history_is_refused() -> None:
    async with a_cell() as cell:
        with pytest.raises(CursorTooOld, match="another history"):
            await anext(watch(cell, cursor=Cursor(History("other"), Revision(0))))


async def test_a_trimmed_cursor_is_refused() -> None:
    clock = ManualClock()
    async with a_cell(clock=clock, memory=MemoryStore(clock, commits_retained=2)) as cell:
        cursor = cell.watches.cursor()
        for _ in range(5):
            await cell.submit()

        with pytest.raises(CursorTooOld):
            await anext(watch(cell, cursor=cursor))


async def test_a_new_history_ends_the_watch() -> None:
    async with a_cell() as cell:
        events = watch(cell)
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        cell.memory.start_new_history()
        await cell.memory.acquire("test", duration_ms=10**12)

        with pytest.raises(CursorTooOld):
            await waiting
