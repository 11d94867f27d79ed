"""Calls between programs: requests and replies that are lost, come twice, late or in another order."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, TypeVar

from scheduler.model.errors import PlacewrightError
from scheduler.simulation.process import ServiceProcess
from scheduler.simulation.surroundings import Surroundings

T = TypeVar("T")

CALL_TIMEOUT_MS = 10_000
DELAY_MS_MAX = 8
SLOW_MS_MAX = 15_000
REFUSED_AFTER_MS = 50


class Unreachable(Exception):
    """No answer: whether the call was carried out is not known."""


class Network:
    """The way to the service, whichever replica answers."""

    def __init__(self, around: Surroundings, replicas: Callable[[], Sequence[ServiceProcess]]) -> None:
        self._around, self._replicas = around, replicas
        self._draw = Random(f"{around.world.seed}/network")
        self._cut_off: set[str] = set()

    def cut_off(self, caller: str) -> None:
        """Nothing gets through from and to the caller."""
        self._cut_off.add(caller)

    def reconnect(self, caller: str) -> None:
        self._cut_off.discard(caller)

    def reconnect_all(self) -> None:
        self._cut_off.clear()

    @property
    def is_whole(self) -> bool:
        """Nobody is cut off."""
        return not self._cut_off

    def is_cut_off(self, caller: str) -> bool:
        return caller in self._cut_off

    def replica(self) -> ServiceProcess:
        """One that can be reached.

        Raises:
            Unreachable
        """
        up = [process for process in self._replicas() if process.is_up]
        if not up:
            raise Unreachable
        return self._draw.choice(up)

    async def call(self, caller: str, ask: Callable[[ServiceProcess], Coroutine[Any, Any, T]]) -> T:
        """The answer, or the error that the service gave.

        Raises:
            Unreachable
            PlacewrightError
        """
        try:
            process = self.replica()
        except Unreachable:
            await self.wait(REFUSED_AFTER_MS)
            raise
        if self._is_lost(self._around.faults.request_lost_permille, caller):
            await self.wait(CALL_TIMEOUT_MS)
            raise Unreachable
        await self.delay()
        if not process.is_up:
            raise Unreachable
        if self._happens(self._around.faults.duplicated_permille):
            process.spawn(self._later(process, ask))
        return await self._answer(caller, process.spawn(ask(process)))

    async def _answer(self, caller: str, task: asyncio.Task[T]) -> T:
        done, _ = await asyncio.wait((task,), timeout=CALL_TIMEOUT_MS / 1000)
        if not done:
            if self._draw.random() < 0.5:
                task.cancel()
            raise Unreachable
        if task.cancelled():
            raise Unreachable
        error = task.exception()
        await self.delay()
        if self._is_lost(self._around.faults.reply_lost_permille, caller):
            await self.wait(CALL_TIMEOUT_MS)
            raise Unreachable
        if error is not None and not isinstance(error, PlacewrightError):
            raise Unreachable from error
        return task.result()

    async def _later(
        self, process: ServiceProcess, ask: Callable[[ServiceProcess], Coroutine[Any, Any, T]]
    ) -> None:
        await self.wait(self._draw.randint(0, SLOW_MS_MAX))
        try:
            await ask(process)
        except PlacewrightError:
            return

    async def delay(self) -> None:
        """As long as a message takes."""
        slow = self._happens(self._around.faults.slow_permille)
        await self.wait(self._draw.randint(0, SLOW_MS_MAX if slow else DELAY_MS_MAX))

    def is_reply_lost(self) -> bool:
        return self._happens(self._around.faults.reply_lost_permille)

    async def wait(self, duration_ms: int) -> None:
        await asyncio.sleep(duration_ms / 1000)

    def _is_lost(self, permille: int, caller: str) -> bool:
        return caller in self._cut_off or self._happens(permille)

    def _happens(self, permille: int) -> bool:
        return permille > 0 and self._draw.randrange(1000) < permille
