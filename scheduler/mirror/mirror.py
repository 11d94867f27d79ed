"""The mirror: a process's own copy of the live state, kept up to date by the event stream."""

import asyncio
import itertools
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Protocol

import structlog

from scheduler.model.errors import CursorTooOld, NotCaughtUp, StoreUnavailable
from scheduler.model.ids import Revision
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.ports import Clock, StateStore
from scheduler.telemetry.control_series import UnknownRun
from scheduler.telemetry.metrics import Metrics

log = structlog.get_logger()

READ_WAIT_MS = 5_000
RETRY_AFTER_MS = 200
BEHIND_COMMITS = 200  # that came with one read: there may be more
BEHIND_MS_MAX = 15_000  # longer than a read that waits for news may take


class Listener(Protocol):
    """Told of every change, in order and without a gap, after the mirror took it over. Must not block."""

    def committed(self, commits: Sequence[Commit]) -> None: ...

    def reloaded(self, state: State) -> None:
        """The mirror started over: what was known before may have changed in any way."""


class Mirror:
    """`state` is at one revision at any time; it changes only between awaits.

    Attributes:
        is_connected: the last read of the stream worked.
        disconnections: how often the store went out of reach or the state was loaded anew; a rise means that
            time has passed unseen.
    """

    def __init__(self, store: StateStore, clock: Clock, metrics: Metrics, *, state: State) -> None:
        self._store, self._clock, self._metrics = store, clock, metrics
        self.state = state
        self.is_connected = True
        self.disconnections = 0
        self._level_ms: int | None = clock.monotonic_ms()  # when a read last gave all that there was
        self._listeners: list[Listener] = []
        self._waiting: list[tuple[Revision, int, asyncio.Future[bool]]] = []  # a heap
        self._tickets = itertools.count()
        self._disconnected = asyncio.Event()

    @classmethod
    async def load(cls, store: StateStore, clock: Clock, metrics: Metrics) -> "Mirror":
        return cls(store, clock, metrics, state=await store.load())

    @property
    def is_caught_up(self) -> bool:
        """Whether it has seen all that there was, since the store was out of reach and not long ago.

        A burst of writes does not make it untrue: who is called ready must not flap under load.
        """
        return self._level_ms is not None and self._clock.monotonic_ms() - self._level_ms < BEHIND_MS_MAX

    def add_listener(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    async def run(self) -> None:
        """Follow the stream until cancelled."""
        while True:
            try:
                await self._follow()
            except CursorTooOld:
                await self._reload()
            except StoreUnavailable as error:
                await self._wait_for_store(error)

    async def caught_up(self, revision: Revision, *, timeout_ms: int = READ_WAIT_MS) -> None:
        """Wait until the mirror is at least at `revision`.

        Raises:
            NotCaughtUp: it was not within `timeout_ms`.
        """
        if self.state.revision >= revision:
            return
        loop = asyncio.get_running_loop()
        seen = loop.create_future()
        heappush(self._waiting, (revision, next(self._tickets), seen))
        timer = loop.call_later(timeout_ms / 1000, _resolve, seen, False)
        try:
            is_seen = await seen
        finally:
            timer.cancel()
        if not is_seen:
            raise NotCaughtUp(
                f"this replica is at revision {self.state.revision} and has not seen {revision} "
                f"within {timeout_ms} ms"
            )

    def record_unknown_run(self, result: UnknownRun) -> None:
        """Count a run that a launcher held and this process's state did not know."""
        self._metrics.control.record_unknown_run(result)

    async def disconnected(self) -> None:
        """Wait until the store goes out of reach the next time, or the state is loaded anew."""
        await self._disconnected.wait()

    async def _follow(self) -> None:
        commits = await self._store.read_commits(
            self.state.history, self.state.revision, wait_ms=READ_WAIT_MS if self.is_connected else 0
        )
        self.is_connected = True
        if len(commits) < BEHIND_COMMITS:
            self._level_ms = self._clock.monotonic_ms()
        for commit in commits:
            self._metrics.lifecycle.record_commit(self.state, commit)
            self.state.apply(commit)
        self._metrics.store.record_mirror(revision=self.state.revision, now_ms=self._clock.now_ms())
        if commits:
            for listener in tuple(self._listeners):
                listener.committed(commits)
            self._announce()

    def start_over(self, state: State) -> None:
        """Take over a state that was loaded, in place of the one at hand."""
        self.state = state
        self._level_ms = self._clock.monotonic_ms()
        log.warning("mirror_reloaded", history=state.history, revision=state.revision)
        self._time_passed_unseen()
        for listener in tuple(self._listeners):
            listener.reloaded(state)
        self._announce()

    async def _reload(self) -> None:
        before = self.state.history
        try:
            loaded = await self._store.load()
        except StoreUnavailable as error:
            await self._wait_for_store(error)
            return
        self.start_over(loaded)
        if loaded.history != before:
            self._metrics.control.record_history_change()

    async def _wait_for_store(self, error: StoreUnavailable) -> None:
        if self.is_connected:
            log.warning("store_lost", error=str(error))
            self._time_passed_unseen()
        self.is_connected, self._level_ms = False, None
        await self._clock.sleep(RETRY_AFTER_MS)

    def _time_passed_unseen(self) -> None:
        self.disconnections += 1
        self._disconnected.set()
        self._disconnected = asyncio.Event()

    def _announce(self) -> None:
        """Wake who waits for a revision that is reached; nobody else, for many may wait."""
        while self._waiting and self._waiting[0][0] <= self.state.revision:
            _, _, seen = heappop(self._waiting)
            _resolve(seen, True)


def _resolve(seen: asyncio.Future[bool], is_seen: bool) -> None:
    if not seen.done():
        seen.set_result(is_seen)
