"""A launcher session: its name, its life, and which one is the newest."""

import asyncio
from collections.abc import Coroutine

from placewright.launcher.log import log
from placewright.launcher.waiting import first_of

ANSWERS_S_MAX = 2.0  # a service that drains answers what it was asked before


class Session:
    """One session that the service opened.

    Attributes:
        name: how the service calls it; opaque.
        is_synchronised: both sides have taken over the other's full state.
        is_over: its stream has ended; the next one is being opened.
        is_superseded: the service said that the session no longer counts.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_synchronised = asyncio.Event()
        self.is_over = asyncio.Event()
        self.is_superseded = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def lose(self) -> None:
        """Take in that the service refused it: open a new one."""
        log.warning("session_refused session=%s", self.name)
        self.is_superseded.set()
        self.is_over.set()

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do work that ends with the session."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def end(self) -> None:
        """End its work; nothing of it goes on when this returns.

        What the service was asked may be answered meanwhile: a claim without its answer costs the run.
        """
        self.is_over.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ANSWERS_S_MAX)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("session_work_failed", exc_info=task.exception())


class SessionSlot:
    """The newest session."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._has_changed = asyncio.Event()

    def put(self, session: Session) -> None:
        """Make this the newest one."""
        self._session = session
        self._has_changed.set()
        self._has_changed = asyncio.Event()

    async def valid(self) -> Session:
        """The newest session that the service has not refused; it may be without a stream."""
        while self._session is None or self._session.is_superseded.is_set():
            await self._has_changed.wait()
        return self._session

    async def synchronised(self) -> Session:
        """The newest session, once both sides have taken over the other's full state."""
        while True:
            session = self._session
            if session is None or session.is_over.is_set():
                await self._has_changed.wait()
            elif session.is_synchronised.is_set():
                return session
            else:
                await first_of(session.is_synchronised, session.is_over)
