"""The one store of a world, watched by the auditor, and each process's unreliable way to it."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from scheduler.model.errors import StoreUnavailable
from scheduler.model.ids import History, Revision
from scheduler.model.records import Entity, Key
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Committed, Fence, Outcome, Transaction
from scheduler.ports import Leadership, StateStore
from scheduler.simulation.world import Faults
from scheduler.state.memory import MemoryStore

LATENCIES_MS = (0, 0, 1, 4)
SLOW_MS_MAX = 7_000


class Store(StateStore, Leadership, Protocol):
    """Both ports in one."""


class StoreAuditor(Protocol):
    """Told of everything at the instant at which it happens in the store."""

    def transacted(self, transaction: Transaction, outcome: Outcome) -> None: ...

    def carried_out(self, transaction: Transaction, commit: Commit) -> None: ...

    def committed(self, history: History, commit: Commit) -> None: ...

    def led(self, holder: str, fence: Fence | None) -> None: ...

    def released(self, fence: Fence) -> None: ...


class CommitAuditor(Protocol):
    """Told of each commit after the store's auditor."""

    def committed(self, commit: Commit) -> None: ...


class AuditedStore:
    """`StateStore` and `Leadership`: the memory store, with the auditors looking on."""

    def __init__(
        self, memory: MemoryStore, store: Store, auditor: StoreAuditor, rules: CommitAuditor
    ) -> None:
        self._memory, self._store, self._auditor, self._rules = memory, store, auditor, rules
        self._audited = Revision(0)

    def history_began(self) -> None:
        """Revisions go on elsewhere."""
        self._audited = self._memory.revision

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        outcomes = await self._store.transact(transactions)
        history = self._memory.history
        commits = await self._memory.read_commits(history, self._audited, wait_ms=0)
        asked: dict[Revision, Transaction] = {}
        for transaction, outcome in zip(transactions, outcomes, strict=True):
            self._auditor.transacted(transaction, outcome)
            if isinstance(outcome, Committed):
                asked[outcome.revision] = transaction
        for commit in commits:
            self._audited = commit.revision
            if commit.revision in asked:
                self._auditor.carried_out(asked[commit.revision], commit)
            self._auditor.committed(history, commit)
            self._rules.committed(commit)
        return outcomes

    async def load(self) -> State:
        return await self._store.load()

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        return await self._store.read_commits(history, after, wait_ms=wait_ms)

    async def get(self, key: Key) -> Entity | None:
        return await self._store.get(key)

    async def ping(self) -> None:
        await self._store.ping()

    async def acquire(self, holder: str, *, duration_ms: int) -> Fence | None:
        fence = await self._store.acquire(holder, duration_ms=duration_ms)
        self._auditor.led(holder, fence)
        return fence

    async def release(self, fence: Fence) -> None:
        await self._store.release(fence)
        self._auditor.released(fence)


class Outage:
    """Whether the store can be reached at all, and how often it could not."""

    def __init__(self) -> None:
        self.is_on = False
        self.reads_work = False
        self.count = 0
        self.began_ms = 0

    def begin(self, *, reads_work: bool, now_ms: int) -> None:
        self.is_on, self.reads_work, self.began_ms = True, reads_work, now_ms
        self.count += 1

    def end(self) -> None:
        self.is_on = False


class StoreLink:
    """One process's way to the store: slow, broken at times, and the place where the process may die.

    A call that fails may have been carried out; a process that dies may have been answered.
    """

    def __init__(
        self,
        store: Store,
        outage: Outage,
        *,
        draw: Random,
        faults: Callable[[], Faults],
        die: Callable[[], None],
    ) -> None:
        self._store, self._outage = store, outage
        self._draw, self._faults, self._die = draw, faults, die
        self._runs = asyncio.Event()
        self._runs.set()
        self._lag_ms = 0
        self._is_cut = False

    @property
    def is_stalled(self) -> bool:
        return not self._runs.is_set()

    def stall(self) -> None:
        """From now on nothing of the process goes on."""
        self._runs.clear()

    def cut(self) -> None:
        """Nothing gets through any more: the process is dead."""
        self._is_cut = True
        self.resume()

    def resume(self) -> None:
        self._runs.set()

    def lag(self, lag_ms: int) -> None:
        """Reads of the stream take this much longer from now on."""
        self._lag_ms = lag_ms

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        await self._before_write()
        outcomes = await self._store.transact(transactions)
        await self._after_write()
        return outcomes

    async def acquire(self, holder: str, *, duration_ms: int) -> Fence | None:
        await self._before_write()
        fence = await self._store.acquire(holder, duration_ms=duration_ms)
        await self._after_write()
        return fence

    async def release(self, fence: Fence) -> None:
        await self._before_write()
        await self._store.release(fence)
        await self._after_write()

    async def _before_write(self) -> None:
        await self._way()
        if self._outage.is_on or self._fails():
            raise StoreUnavailable("the call did not get through")
        await self._perhaps_die()

    async def _after_write(self) -> None:
        await self._perhaps_die()
        count = self._outage.count
        await self._way()
        if self._outage.count != count or self._fails():
            raise StoreUnavailable("the answer did not get through")

    async def load(self) -> State:
        self._refuse_read()
        await self._way()
        return await self._store.load()

    async def get(self, key: Key) -> Entity | None:
        self._refuse_read()
        await self._way()
        return await self._store.get(key)

    async def ping(self) -> None:
        await self._before_write()
        await self._store.ping()

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        self._refuse_read()
        count = self._outage.count
        commits = await self._store.read_commits(history, after, wait_ms=wait_ms)
        if self._lag_ms and commits:
            await asyncio.sleep(self._draw.randint(0, self._lag_ms) / 1000)
        await self._runs.wait()
        if self._outage.count != count and not self._outage.reads_work:
            raise StoreUnavailable("the connection broke")
        return commits

    def _refuse_read(self) -> None:
        if self._outage.is_on and not self._outage.reads_work:
            raise StoreUnavailable("the store is out of reach")

    def _fails(self) -> bool:
        return self._happens(self._faults().store_error_permille)

    def _happens(self, permille: int) -> bool:
        return permille > 0 and self._draw.randrange(1000) < permille

    async def _way(self) -> None:
        if self._is_cut:
            raise StoreUnavailable("the process is dead")
        if not self._runs.is_set():
            await self._runs.wait()
        if self._happens(self._faults().slow_permille):
            await asyncio.sleep(self._draw.randint(0, SLOW_MS_MAX) / 1000)
        elif latency_ms := self._draw.choice(LATENCIES_MS):
            await asyncio.sleep(latency_ms / 1000)
        if not self._runs.is_set():
            await self._runs.wait()

    async def _perhaps_die(self) -> None:
        if self._happens(self._faults().crash_permille):
            self._die()
            await asyncio.get_running_loop().create_future()  # cancelled with the process
