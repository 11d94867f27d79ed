"""People: users who submit, repeat, cancel and watch."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from random import Random
from typing import Any, TypeVar

from scheduler.model.errors import (
    CursorTooOld,
    NotCaughtUp,
    NotFound,
    PlacewrightError,
    RequestIdReused,
    StoreUnavailable,
)
from scheduler.model.ids import JobId, Principal, Revision
from scheduler.service.jobs import JobFilter, Submission
from scheduler.service.watch import Cursor, EventKind, WatchEvent
from scheduler.simulation.auditor.promises import PromisesAuditor, WatchLog
from scheduler.simulation.network import Network, Unreachable
from scheduler.simulation.process import ServiceProcess
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.world import PlannedJob

T = TypeVar("T")

ALICE = Principal("alice")
RETRY_MS_MAX = 5_000
HEARTBEAT_MS = 30_000
STREAM_MS_MAX = 300_000


class User:
    """Submits one job, perhaps again, and perhaps cancels it."""

    def __init__(self, around: Surroundings, network: Network, promises: PromisesAuditor) -> None:
        self._around, self._network, self._promises = around, network, promises

    async def live(self, planned: PlannedJob) -> None:
        draw = Random(f"{self._around.world.seed}/user/{planned.spec.name}")
        await asyncio.sleep(planned.submit_at_ms / 1000)
        job_id = await self._submit(planned, draw)
        if draw.random() < 0.3:
            await self._submit(planned, draw)
            await self._reuse(planned, job_id, draw=draw)
        if planned.cancel_after_ms is not None:
            await asyncio.sleep(planned.cancel_after_ms / 1000)
            await self._cancel(planned, job_id, draw=draw)

    async def _submit(self, planned: PlannedJob, draw: Random) -> JobId:
        request_id = f"submit-{planned.spec.name}"
        submission = Submission(spec=planned.spec, command=("train",), env=(), request_id=request_id)
        accepted = await self._until_answered(lambda p: p.jobs.submit(submission, ALICE), draw)
        job_id = accepted.view.job.id
        self._around.trace.add(f"{planned.spec.name} is {job_id} at revision {accepted.revision}")
        self._promises.job_acknowledged(request_id, job_id)
        await self._read(job_id, accepted.revision)
        return job_id

    async def _reuse(self, planned: PlannedJob, job_id: JobId, *, draw: Random) -> None:
        """The same request id with other content must be refused."""
        request_id = f"submit-{planned.spec.name}"
        other = Submission(spec=planned.spec, command=("other",), env=(), request_id=request_id)
        try:
            await self._until_answered(lambda p: p.jobs.submit(other, ALICE), draw)
        except RequestIdReused:
            return
        if self._promises.is_kept(job_id):
            self._around.violated(f"request id {request_id} was used twice for different jobs")

    async def _read(self, job_id: JobId, revision: Revision) -> None:
        """Whoever was told of a job finds it, at every replica."""
        try:
            await self._network.call(ALICE, lambda p: p.jobs.get(job_id, min_revision=revision))
        except NotFound:
            if self._promises.is_kept(job_id):
                self._around.violated(f"job {job_id} was acknowledged and is not found")
        except (Unreachable, PlacewrightError):
            return

    async def _cancel(self, planned: PlannedJob, job_id: JobId, *, draw: Random) -> None:
        def ask(process: ServiceProcess) -> Coroutine[Any, Any, object]:
            return process.jobs.cancel(
                job_id,
                reason="enough",
                version=None,
                principal=ALICE,
                request_id=f"cancel-{planned.spec.name}",
            )

        await self._until_answered(ask, draw)
        self._around.trace.add(f"{planned.spec.name} is cancelled")
        self._promises.cancel_acknowledged(job_id)

    async def _until_answered(
        self, ask: Callable[[ServiceProcess], Coroutine[Any, Any, T]], draw: Random
    ) -> T:
        while True:
            try:
                return await self._network.call(ALICE, ask)
            except (Unreachable, StoreUnavailable, NotCaughtUp):
                pass
            except NotFound:  # until the replica has seen it; what a lost tail took, for ever
                await self._around.bustle.wait()
            await asyncio.sleep(draw.randint(100, RETRY_MS_MAX) / 1000)


class Watcher:
    """Watches every job, on one stream after the other, from where the last one ended."""

    def __init__(
        self, around: Surroundings, network: Network, promises: PromisesAuditor, *, name: str
    ) -> None:
        self.name, self.log = name, WatchLog()
        self._around, self._network, self._promises = around, network, promises
        self._draw = Random(f"{around.world.seed}/{name}")
        self._cursor: Cursor | None = None

    async def live(self) -> None:
        while True:
            try:
                await self._watch(self._network.replica())
            except CursorTooOld:
                self._cursor = None
            except (Unreachable, PlacewrightError):
                pass
            await asyncio.sleep(self._draw.randint(10, RETRY_MS_MAX) / 1000)

    async def _watch(self, process: ServiceProcess) -> None:
        queue: asyncio.Queue[WatchEvent] = asyncio.Queue()
        stream = process.spawn(self._stream(process, queue))
        stream.add_done_callback(lambda _: queue.put_nowait(END))
        ends_at_ms = self._around.clock.elapsed_ms() + self._draw.randint(1_000, STREAM_MS_MAX)
        if self._cursor is None:
            self.log.known.clear()
        try:
            while self._around.clock.elapsed_ms() < ends_at_ms:
                event = await queue.get()
                if event is END:
                    break
                self._take(event)
        finally:
            stream.cancel()
        if stream.done() and not stream.cancelled():
            stream.result()

    async def _stream(self, process: ServiceProcess, queue: asyncio.Queue[WatchEvent]) -> None:
        events = process.watches.watch(JobFilter(), cursor=self._cursor, heartbeat_ms=HEARTBEAT_MS)
        async with aclosing(events):
            async for event in events:
                await self._network.delay()
                queue.put_nowait(event)

    def _take(self, event: WatchEvent) -> None:
        if event.kind is EventKind.CHANGED:
            assert event.view is not None, event
            self._promises.watched(self.log, event.view)
        elif event.kind in (EventKind.LEFT, EventKind.REMOVED):
            assert event.job_id is not None, event
            self.log.known.pop(event.job_id, None)
        if event.cursor is not None:
            self._take_cursor(event.cursor)

    def _take_cursor(self, cursor: Cursor) -> None:
        held = self._cursor
        if held is not None and held.history == cursor.history and cursor.revision < held.revision:
            self._around.violated(f"the cursor of {self.name} went from {held.revision} to {cursor.revision}")
        self._cursor = cursor


END = WatchEvent(kind=EventKind.REMOVED)
