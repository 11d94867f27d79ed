"""Watches are bounded: slow readers are cut off and go on by cursor, and nobody opens too many."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from scheduler.model.errors import TooManyWatches, WatchTooSlow
from scheduler.model.ids import JobId, Principal
from scheduler.service.jobs import JobFilter
from scheduler.service.watch import EventKind, Watches, WatchEvent
from scheduler.service.watch_pump import WatchLimits
from tests.builders import a_spec
from tests.cell import Cell, a_cell

HEARTBEAT_MS = 60_000
QUEUE_JOBS = 3


def limited(cell: Cell) -> Watches:
    limits = WatchLimits(watches=3, watches_per_principal=2, queue_jobs=QUEUE_JOBS)
    return Watches(cell.parts, limits)


async def submitted(cell: Cell, count: int, *, name: str = "job") -> list[JobId]:
    return [(await cell.submit(a_spec(name=name))).view.job.id for _ in range(count)]


async def test_a_watch_that_is_not_read_is_cut_off_and_goes_on_from_its_cursor() -> None:
    async with a_cell() as cell:
        watches, wanted = limited(cell), JobFilter()
        events = watches.watch(wanted, cursor=None, heartbeat_ms=HEARTBEAT_MS)
        last = await anext(events)
        ids = await submitted(cell, QUEUE_JOBS + 1)

        with pytest.raises(WatchTooSlow, match="3 changed jobs"):
            await anext(events)

        resumed = watches.watch(wanted, cursor=last.cursor, heartbeat_ms=HEARTBEAT_MS)
        assert [(await anext(resumed)).job_id for _ in ids] == ids


async def test_many_changes_of_one_job_do_not_make_a_watch_slow() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        events = limited(cell).watch(JobFilter(), cursor=None, heartbeat_ms=HEARTBEAT_MS)
        start = await anext(events)
        job_id = await cell.running_job(ref)

        told = await anext(events)

        assert told.job_id == job_id
        assert start.cursor is not None
        assert told.cursor == cell.watches.cursor()
        assert told.cursor.revision - start.cursor.revision > QUEUE_JOBS


async def test_what_was_missed_before_a_watch_began_does_not_count() -> None:
    async with a_cell() as cell:
        watches = limited(cell)
        cursor = watches.cursor()
        ids = await submitted(cell, 3 * QUEUE_JOBS)
        events = watches.watch(JobFilter(), cursor=cursor, heartbeat_ms=HEARTBEAT_MS)
        told = [(await anext(events)).job_id]
        ids += await submitted(cell, QUEUE_JOBS)

        told += [(await anext(events)).job_id for _ in ids[1:]]

        assert told == ids


async def test_a_watch_of_some_jobs_is_not_slowed_by_others() -> None:
    async with a_cell() as cell:
        (mine,) = await submitted(cell, 1, name="mine")
        wanted = JobFilter(job_ids=frozenset({mine}))
        events = limited(cell).watch(wanted, cursor=None, heartbeat_ms=HEARTBEAT_MS)
        assert [(await anext(events)).kind for _ in range(2)] == [EventKind.CHANGED, EventKind.INITIAL_END]
        await submitted(cell, 2 * QUEUE_JOBS)
        await cell.jobs.cancel(mine, reason="", version=None, principal=Principal("user"), request_id="r")

        told = await anext(events)

        assert told.job_id == mine
        assert told.cursor == cell.watches.cursor()


async def test_the_start_of_a_long_watch_lets_changes_through_and_tells_them_after_it() -> None:
    async with a_cell() as cell:
        first, second = await submitted(cell, 2)
        events = cell.watches.watch(JobFilter(), cursor=None, heartbeat_ms=HEARTBEAT_MS)
        told = [await anext(events)]
        (late,) = await submitted(cell, 1)

        told += [await anext(events) for _ in range(3)]

        assert [event.job_id for event in told] == [first, second, None, late]
        assert told[2].kind is EventKind.INITIAL_END


async def test_open_watches_are_limited_by_principal_and_by_process() -> None:
    async with a_cell() as cell:
        watches = limited(cell)

        def opened(name: str) -> AsyncGenerator[WatchEvent, None]:
            return watches.watch(
                JobFilter(), cursor=None, heartbeat_ms=HEARTBEAT_MS, principal=Principal(name)
            )

        async with aclosing(opened("ann")) as first, aclosing(opened("ann")) as second:
            await asyncio.gather(anext(first), anext(second))
            with pytest.raises(TooManyWatches, match="ann may have 2 watches"):
                await anext(opened("ann"))
            async with aclosing(opened("bob")) as third:
                await anext(third)
                with pytest.raises(TooManyWatches, match="this replica may have 3 watches"):
                    await anext(opened("cid"))
            await anext(opened("cid"))  # a watch that has ended makes room
