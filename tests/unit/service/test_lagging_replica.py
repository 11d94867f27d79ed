"""A replica that lags: it looks once more before it says no, and a watch resumed on it skips nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import NotFound, StaleSession
from scheduler.model.ids import RunId
from scheduler.model.run import EndReason, RunState
from scheduler.service.jobs import JobFilter
from scheduler.service.launchers import Launchers, Report, SessionRef
from scheduler.service.watch import EventKind, Watches, WatchEvent
from tests.cell import Cell, a_cell
from tests.unit.mirror.stores import FrailStore, a_mirror, following


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingReplica:
    """Another process of the cell; it sees nothing more until its mirror is followed."""

    store: FrailStore
    mirror: Mirror
    launchers: Launchers
    watches: Watches


async def a_lagging_replica(cell: Cell) -> LaggingReplica:
    store = FrailStore(cell.memory)
    mirror = await a_mirror(store, cell.clock)
    parts = replace(cell.parts, store=store, mirror=mirror)
    return LaggingReplica(store=store, mirror=mirror, launchers=Launchers(parts), watches=Watches(parts))


@asynccontextmanager
async def a_cell_and_a_lagging_replica() -> AsyncIterator[tuple[Cell, LaggingReplica]]:
    async with a_cell() as cell:
        yield cell, await a_lagging_replica(cell)


async def offered(cell: Cell) -> tuple[SessionRef, RunId]:
    await cell.apply_pool()
    ref = await cell.attach()
    job_id = (await cell.submit()).view.job.id
    await cell.run_cycle()
    return ref, cell.live_run(job_id).id


async def test_a_run_and_a_session_that_are_not_known_here_yet_are_waited_for() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, replica):
        ref, run_id = await offered(cell)
        claiming = asyncio.ensure_future(replica.launchers.claim(ref, run_id))
        await replica.store.asked.wait()
        assert not claiming.done()

        async with following(replica.mirror):
            claim = await claiming

        assert claim.run.state is RunState.STARTING
        assert replica.store.transacts == 2  # one look and one claim


async def test_a_session_that_is_newer_than_what_is_known_here_is_not_stale() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, _):
        await cell.apply_pool()
        await cell.attach()
        replica = await a_lagging_replica(cell)
        newer = await cell.attach()
        renewing = asyncio.ensure_future(replica.launchers.renew(newer))
        await replica.store.asked.wait()

        async with following(replica.mirror):
            assert (await renewing).number == newer.number


async def test_a_report_of_a_run_that_is_not_known_here_yet_is_taken() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, replica):
        ref, run_id = await offered(cell)
        await cell.claim(ref, run_id)
        ending = Report(run_id=run_id, run_token=1, state=RunState.ENDED, end_reason=EndReason.SUCCEEDED)
        reporting = asyncio.ensure_future(replica.launchers.report(ref, ending))
        await replica.store.asked.wait()

        async with following(replica.mirror):
            revision = await reporting

        await cell.mirror.caught_up(revision)
        assert cell.run(run_id).end_reason is EndReason.SUCCEEDED


async def test_what_the_newest_state_does_not_know_either_is_not_found_after_one_look() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, replica):
        ref, _ = await offered(cell)

        async with following(replica.mirror):
            with pytest.raises(NotFound, match="nobody-0-1"):
                await replica.launchers.claim(ref, RunId("nobody-0-1"))

        assert replica.store.transacts == 1


async def test_a_session_that_is_stale_on_the_newest_state_too_is_refused_after_one_look() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, replica):
        await cell.apply_pool()
        ref = await cell.attach()
        await cell.attach()

        async with following(replica.mirror):
            with pytest.raises(StaleSession, match="not 2, the newest"):
                await replica.launchers.renew(ref)

        assert replica.store.transacts == 1


async def test_what_is_known_here_is_written_without_a_look_first() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, _):
        ref, run_id = await offered(cell)
        replica = await a_lagging_replica(cell)

        async with following(replica.mirror):
            await replica.launchers.claim(ref, run_id)

        assert replica.store.transacts == 1


async def test_a_watch_resumed_on_a_lagging_replica_waits_for_the_cursors_revision() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, replica):
        before = (await cell.submit()).view.job.id
        cursor = cell.watches.cursor()
        events = replica.watches.watch(JobFilter(), cursor=cursor, heartbeat_ms=60_000)
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        assert not first.done()

        async with following(replica.mirror):
            await replica.mirror.caught_up(cursor.revision)
            after = (await cell.submit()).view.job.id
            event = await first

        assert event.job_id == after != before
        await events.aclose()


async def test_a_watch_resumed_on_a_lagging_replica_skips_no_change() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, replica):
        await cell.submit()
        cursor = cell.watches.cursor()
        missed = [(await cell.submit()).view.job.id for _ in range(3)]  # before the replica saw the cursor's
        events = replica.watches.watch(JobFilter(), cursor=cursor, heartbeat_ms=60_000)
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)

        async with following(replica.mirror):
            told: list[WatchEvent] = [await first]
            later = [(await cell.submit()).view.job.id for _ in range(2)]
            told += [await anext(events) for _ in range(4)]

        assert [event.job_id for event in told] == [*missed, *later]
        assert {event.kind for event in told} == {EventKind.CHANGED}
        cursors = [event.cursor.revision for event in told if event.cursor is not None]
        assert cursors == sorted(cursors)
        assert len(cursors) == 5
        assert cursors[0] > cursor.revision
        await events.aclose()
