"""The stores that the contract suite runs on, each with a fresh cell for a test."""

import asyncio
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from scheduler.model.errors import StoreUnavailable
from scheduler.model.ids import CellId
from scheduler.state.memory import MemoryStore
from scheduler.state.redis_store import RedisSettings, RedisStore, open_redis_store
from scheduler.state.server_processes import client_at, takes_commands

Store = MemoryStore | RedisStore
T = TypeVar("T")

WAIT_SECONDS_MAX = 20
_cell_numbers = itertools.count()


class RealClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    async def sleep(self, duration_ms: int) -> None:
        await asyncio.sleep(duration_ms / 1000)


def a_cell() -> CellId:
    """A cell that no other test has."""
    return CellId(f"cell-{os.getpid()}-{next(_cell_numbers)}")


class World:
    """One cell's store, as any number of processes see it."""

    def __init__(self, url: str | None, stack: AsyncExitStack) -> None:
        self.url = url
        self.cell = a_cell()
        self._stack = stack
        self._memory: MemoryStore | None = None

    async def open(self, *, commits_retained: int = 100_000) -> Store:
        """The store; for Redis, with connections of its own."""
        if self.url is None:
            if self._memory is None:
                self._memory = MemoryStore(RealClock(), commits_retained=commits_retained)
            return self._memory
        settings = RedisSettings(url=self.url, cell=self.cell, commits_retained=commits_retained)
        return await self._stack.enter_async_context(open_redis_store(settings))


@asynccontextmanager
async def world_at(url: str | None) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(url, stack)


@contextmanager
def redis_server(binary: str, directory: Path, *options: str) -> Iterator[str]:
    """A server as somebody else would run it; gives its URL."""
    with running_redis(binary, directory, *options) as (url, _):
        yield url


@contextmanager
def running_redis(
    binary: str, directory: Path, *options: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """As `redis_server`, with its process."""
    socket = directory / "redis.sock"
    arguments = ["--port", "0", "--unixsocket", str(socket), "--dir", str(directory), "--save", "", *options]
    with subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL) as process:
        try:
            while not takes_commands(client_at(socket)):
                assert process.poll() is None, process.returncode
                time.sleep(0.01)
            yield f"unix://{socket}", process
        finally:
            process.kill()


def redis_binary() -> str | None:
    return shutil.which("redis-server")


async def eventually(attempt: Callable[[], Awaitable[T]]) -> T:
    """What the attempt gives once the store is back: a real process takes its time to start."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            try:
                return await attempt()
            except StoreUnavailable:
                await asyncio.sleep(0.02)
