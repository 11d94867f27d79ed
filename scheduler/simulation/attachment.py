"""The Attach stream without a wire: what is desired comes in order, until the stream breaks."""

import asyncio
from collections.abc import Coroutine, Mapping
from enum import Enum, auto
from typing import Any, TypeVar

from scheduler.model.errors import NotCaughtUp, NotFound, PlacewrightError, StoreUnavailable
from scheduler.model.ids import LauncherId, PoolId, Principal
from scheduler.model.pool import PoolStatus
from scheduler.model.run import RunState
from scheduler.model.session import LauncherSession
from scheduler.model.transitions.runs import live_run
from scheduler.service.desired import NOTHING_DESIRED, Delta, delta, desired
from scheduler.service.launchers import Changed, Report, SessionRef
from scheduler.simulation.network import Network, Unreachable
from scheduler.simulation.process import ServiceProcess
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.virtual_time import upkeep

T = TypeVar("T")

HEARTBEAT_MS = 10_000
STREAM_SILENCE_MS_MAX = 25_000


class StreamEnded(Exception):
    """The stream broke, fell silent, or its session no longer counts."""


class Word(Enum):
    """What a stream says besides deltas."""

    HEARTBEAT = auto()
    END = auto()


class Stream:
    """One open stream; its session was opened by the same process."""

    def __init__(
        self, network: Network, process: ServiceProcess, session: LauncherSession, *, principal: Principal
    ) -> None:
        self.process, self.session = process, session
        self.ref = SessionRef(session.launcher_id, session.number, principal, session.history)
        self._network = network
        self._is_stopping_unknown = False
        self._in_order = asyncio.Lock()  # the service takes one message of a stream after the other
        self._queue: asyncio.Queue[Delta | Word] = asyncio.Queue()
        self._serving = process.spawn(self._serve())
        self._serving.add_done_callback(lambda _: self.break_off())

    def break_off(self) -> None:
        """Whoever reads learns that the stream has ended."""
        self._queue.put_nowait(Word.END)

    def close(self) -> None:
        self._serving.cancel()

    async def read(self) -> Delta:
        """The next delta; the first is everything.

        Raises:
            StreamEnded
        """
        while True:
            try:
                with upkeep():
                    async with asyncio.timeout(STREAM_SILENCE_MS_MAX / 1000):
                        said = await self._queue.get()
            except TimeoutError:
                raise StreamEnded("silent") from None
            if said is Word.END:
                raise StreamEnded("broken")
            if isinstance(said, Delta):
                return said

    async def tell_of_run(self, report: Report) -> bool:
        """Report a held run; whether the service needs nothing more of it."""
        try:
            await self.ask(self.process.launchers.report(self.ref, report))
        except NotFound:
            pass
        except (StoreUnavailable, NotCaughtUp):
            raise  # as the service does: the launcher says it all again in a new session
        except PlacewrightError:
            self.process.launchers.session(self.ref)  # a refused report does not end the stream
        state = self.process.parts.state
        is_unknown = state.run(report.run_id) is None
        self._is_stopping_unknown |= is_unknown and report.state is not RunState.ENDED
        return live_run(state, report.run_id) is None

    async def synchronise(self, statuses: Mapping[PoolId, PoolStatus]) -> None:
        """The full state has been told; it counts once nothing unknown is left of it.

        Raises:
            StreamEnded, PlacewrightError
        """
        if self._is_stopping_unknown:
            raise StreamEnded("runs that the service does not know are being stopped")
        await self.ask(self.process.launchers.synchronise(self.ref, statuses))

    async def tell_of_pool(self, pool_id: PoolId, status: PoolStatus) -> None:
        async with self._in_order:
            await self.ask(self.process.launchers.report_pool(self.ref, pool_id, status))

    async def tell_of_change(self, pool_id: PoolId, status: PoolStatus) -> None:
        """As `tell_of_pool`, or else the stream ends: the next one begins with every status."""
        try:
            await self.tell_of_pool(pool_id, status)
        except (StreamEnded, PlacewrightError):
            self.break_off()

    async def ask(self, handler: Coroutine[Any, Any, T]) -> T:
        """Let the process do something for the stream.

        Raises:
            StreamEnded, PlacewrightError
        """
        if not self.process.is_up:
            handler.close()
            raise StreamEnded("the process is gone")
        return await outcome_of(self.process.spawn(handler))

    async def _serve(self) -> None:
        changed, said, is_first = Changed(), NOTHING_DESIRED, True
        mirror = self.process.parts.mirror
        mirror.add_listener(changed)
        try:
            while True:
                changed.event.clear()
                self.process.launchers.session(self.ref)
                now = desired(mirror.state, self.ref.launcher_id)
                change, said = delta(said, now), now
                if is_first or not is_empty(change):
                    await self._send(change)
                is_first = False
                await self._wait(changed)
        finally:
            mirror.remove_listener(changed)

    async def _wait(self, changed: Changed) -> None:
        try:
            with upkeep():
                async with asyncio.timeout(HEARTBEAT_MS / 1000):
                    await changed.event.wait()
        except TimeoutError:
            await self._send(Word.HEARTBEAT)

    async def _send(self, message: Delta | Word) -> None:
        if message is not Word.HEARTBEAT:
            await self._network.delay()
        if self._network.is_cut_off(self.ref.launcher_id):
            await asyncio.get_running_loop().create_future()  # nobody hears it, and nobody knows
        self._queue.put_nowait(message)


def is_empty(change: Delta) -> bool:
    return not (change.pools or change.removed_pools or change.runs or change.released)


async def outcome_of(task: asyncio.Task[T]) -> T:
    """What a task in another process gave; it ends with that process.

    Raises:
        StreamEnded
    """
    await asyncio.wait((task,))
    if task.cancelled():
        raise StreamEnded("the process is gone")
    return task.result()


async def attach(
    network: Network, around: Surroundings, launcher_id: LauncherId, *, principal: Principal
) -> Stream:
    """Open a session and its stream.

    Raises:
        Unreachable, StreamEnded, PlacewrightError
    """
    if network.is_cut_off(launcher_id):
        raise Unreachable
    process = network.replica()
    await network.delay()
    if not process.is_up:
        raise Unreachable
    opening = process.launchers.open_session(launcher_id, principal=principal, version="simulated")
    session = await outcome_of(process.spawn(opening))
    await network.delay()
    if network.is_cut_off(launcher_id) or network.is_reply_lost() or not process.is_up:
        raise Unreachable
    around.trace.add(f"{launcher_id} opens session {session.number} at {process.name}")
    return Stream(network, process, session, principal=principal)
