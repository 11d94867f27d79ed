"""A replica that lags: it looks once more before it says no, and a watch resumed on it skips nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import NotFound, StaleSession
from scheduler.model.ids import JobId, Revision, RunId
from scheduler.model.records import Entity, Key
from scheduler.model.run import EndReason, RunState
from scheduler.service.fleet import Fleet
from scheduler.service.jobs import Accepted, JobFilter, Jobs, Submission
from scheduler.service.launchers import Launchers, Report, SessionRef
from scheduler.service.watch import EventKind, Watches, WatchEvent
from tests.builders import a_pool, a_spec
from tests.cell import USER, Cell, a_cell
from tests.unit.mirror.stores import FrailStore, a_mirror, following


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingReplica:
    """Another process of the cell; it sees nothing more until its mirror is followed."""

    store: FrailStore
    mirror: Mirror
    jobs: Jobs
    fleet: Fleet
    launchers: Launchers
    watches: Watches


async def a_lagging_replica(cell: Cell, store: FrailStore | None = None) -> LaggingReplica:
    store = store or FrailStore(cell.memory)
    mirror = await a_mirror(store, cell.clock)
    parts = replace(cell.parts, store=store, mirror=mirror)
    return LaggingReplica(
        store=store,
        mirror=mirror,
        jobs=Jobs(parts),
        fleet=Fleet(parts),
        launchers=Launchers(parts),
        watches=Watches(parts),
    )


async def cancel(
    jobs: Jobs, job_id: JobId, *, version: Revision | None = None, request_id: str = "cancel"
) -> Accepted:
    return await jobs.cancel(job_id, reason="enough", version=version, principal=USER, request_id=request_id)


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


async def test_a_job_that_is_not_known_here_yet_is_cancelled() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, replica):
        job_id = (await cell.submit()).view.job.id

        async with following(replica.mirror):
            cancelled = await cancel(replica.jobs, job_id)

        assert cancelled.view.job.is_cancelling


async def test_an_etag_that_is_newer_than_what_is_known_here_is_not_stale() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, _):
        job_id = (await cell.submit()).view.job.id
        replica = await a_lagging_replica(cell)
        version = (await cancel(cell.jobs, job_id)).view.version

        async with following(replica.mirror):
            again = await cancel(replica.jobs, job_id, version=version, request_id="again")

        assert again.view.version == version


async def test_a_repeated_cancel_shows_and_tells_what_the_first_one_did() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, _):
        job_id = (await cell.submit()).view.job.id
        replica = await a_lagging_replica(cell)
        first = await cancel(cell.jobs, job_id)

        async with following(replica.mirror):
            again = await cancel(replica.jobs, job_id)

        assert again.view.job.is_cancelling
        assert again.revision >= first.revision


async def test_a_repeated_submit_shows_the_job_that_is_not_known_here_yet() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, replica):
        first = await cell.submit(request_id="same")
        same = Submission(spec=a_spec(), command=("train",), env=(("SEED", "1"),), request_id="same")

        async with following(replica.mirror):
            again = await replica.jobs.submit(same, USER)

        assert again.view.job.id == first.view.job.id
        assert again.revision >= first.revision


async def test_a_pool_that_is_not_known_here_yet_is_cordoned_and_deleted() -> None:
    async with a_cell_and_a_lagging_replica() as (cell, replica):
        pool_id = await cell.apply_pool()

        async with following(replica.mirror):
            deleted = await replica.fleet.delete(pool_id, generation=None, caller=cell.caller())
            lagging = await a_lagging_replica(cell)
        other = await cell.apply_pool(a_pool("other"))
        async with following(lagging.mirror):
            cordoned = await lagging.fleet.cordon(other, reason="a test", caller=cell.caller())

        assert deleted.view.pool.deleting
        assert cordoned.view.pool.cordon is not None


async def test_a_pool_that_is_open_only_on_an_old_state_gets_another_launcher() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool()
        await cell.attach()
        replica = await a_lagging_replica(cell)
        await cell.fleet.cordon(pool_id, reason="a test", caller=cell.caller())
        spec = a_pool(launcher_id="another").spec

        async with following(replica.mirror):
            applied = await replica.fleet.apply(pool_id, spec, generation=None, caller=cell.caller())

        assert applied.view.pool.spec.launcher_id == "another"


class OvertakenStore(FrailStore):
    """Its first answer to a look-up comes after `meanwhile`, and is of before."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def get(self, key: Key) -> Entity | None:
        found = await super().get(key)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return found


async def test_a_cancel_that_was_overtaken_by_its_own_first_try_is_not_stale() -> None:
    async with a_cell() as cell:
        accepted = await cell.submit()
        job_id, etag = accepted.view.job.id, accepted.view.version
        store = OvertakenStore(cell.memory)
        replica = await a_lagging_replica(cell, store)

        async def first_try() -> None:
            await replica.mirror.caught_up((await cancel(cell.jobs, job_id, version=etag)).revision)

        store.meanwhile = first_try
        async with following(replica.mirror):
            again = await cancel(replica.jobs, job_id, version=etag)

        assert again.view.job.is_cancelling


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
