"""Stores that stand in front of the memory store and fail, or are busy, as a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import StoreUnavailable
from scheduler.model.ids import History, JobId, Revision
from scheduler.model.records import Entity, Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import Commit, IsAt, Outcome, Put, Transaction
from scheduler.ports import StateStore
from scheduler.state.memory import MemoryStore
from scheduler.telemetry.metrics import Metrics
from tests.builders import a_job
from tests.cell import ManualClock

JOB = a_job("job")
JOB_KEY = Key(Kind.JOB, JOB.id)
SUBMIT = Transaction(puts=(Put(entity=JOB),))


class FrailStore:
    """The memory store, out of reach while `is_lost`; counts what is sent to it."""

    def __init__(self, memory: MemoryStore) -> None:
        self.memory = memory
        self.is_lost = False
        self.loads = 0
        self.transacts = 0
        self.asked = asyncio.Event()  # set with the first write

    def _expect_reachable(self) -> None:
        if self.is_lost:
            raise StoreUnavailable("the test has taken the store away")

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        self.transacts += 1
        self.asked.set()
        self._expect_reachable()
        return await self.memory.transact(transactions)

    async def load(self) -> State:
        self.loads += 1
        self._expect_reachable()
        return await self.memory.load()

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        self._expect_reachable()
        commits = await self.memory.read_commits(history, after, wait_ms=wait_ms)
        self._expect_reachable()  # what was on its way when the store went is lost, too
        return commits

    async def get(self, key: Key) -> Entity | None:
        self._expect_reachable()
        return await self.memory.get(key)

    async def ping(self) -> None:
        self._expect_reachable()


class BusyStore(FrailStore):
    """Somebody else notes something at the job just before each of the next `rivals` writes."""

    def __init__(self, memory: MemoryStore, *, rivals: int) -> None:
        super().__init__(memory)
        self.rivals = rivals

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        if self.rivals:
            self.rivals -= 1
            await self.memory.transact([note(await self.memory.load(), "rival")])
        return await super().transact(transactions)


def note(state: State, text: str, job_id: JobId = JOB.id) -> Transaction:
    """Adds to what the job has noted so far, so that a lost write shows."""
    job, key = state.job(job_id), Key(Kind.JOB, job_id)
    assert job is not None, job_id
    noted = replace(job, cancel_reason=f"{job.cancel_reason} {text}".strip())
    return Transaction(checks=(IsAt(key, state.version(key)),), puts=(Put(entity=noted),))


async def a_mirror(store: StateStore, clock: ManualClock) -> Mirror:
    """A mirror that does not follow yet."""
    return await Mirror.load(store, clock, Metrics())


@asynccontextmanager
async def following(*mirrors: Mirror) -> AsyncIterator[None]:
    """The mirrors follow their stores meanwhile."""
    running = [asyncio.ensure_future(mirror.run()) for mirror in mirrors]
    try:
        yield
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until it holds."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")
