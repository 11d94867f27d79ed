"""The twin of the Redis store in plain memory: for tests, simulation and `simulate`."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scheduler.model.errors import CursorTooOld, LostLeadership, StoreUnavailable
from scheduler.model.ids import History, Revision, first_revision
from scheduler.model.records import UNMIRRORED, Entity, Key, Kind, Record
from scheduler.model.state import State
from scheduler.model.transaction import (
    Check,
    Commit,
    Committed,
    Conflict,
    Fence,
    IsAbsent,
    IsAt,
    IsPlannedAt,
    Outcome,
    Put,
    StaleFence,
    Transaction,
)
from scheduler.ports import SHADOW_HOLDER_PREFIX, Clock
from scheduler.state.limits import COMMITS_PER_READ_MAX, COMMITS_RETAINED_MAX
from scheduler.state.transactions import put_keys_of

COMMITS_LOST_MAX = 1_000  # by a failover


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lease:
    holder: str
    fence: Fence
    ends_at_ms: int


class MemoryStore:
    """`StateStore` and `Leadership` in one process; shared by all that would share a Redis.

    Deterministic: histories and nonces are counted, not drawn. Waiting uses the event loop's time.
    """

    def __init__(self, clock: Clock, *, commits_retained: int = COMMITS_RETAINED_MAX) -> None:
        self._clock = clock
        self._histories = 1
        self._revision = Revision(0)
        self._records: Mapping[Kind, dict[str, Record]] = {kind: {} for kind in Kind}
        self._expiry_ms: dict[Key, int] = {}
        self._commits: deque[Commit] = deque(maxlen=commits_retained)
        self._journal: deque[list[tuple[Key, Record | None]]] = deque(maxlen=COMMITS_LOST_MAX)
        self._committed = asyncio.Event()
        self._lease: _Lease | None = None
        self._fence: Fence | None = None
        self._fence_number = 0
        self._is_vouched_for = True

    @property
    def history(self) -> History:
        return History(f"memory-{self._histories}")

    @property
    def revision(self) -> Revision:
        return self._revision

    def restart(self) -> None:
        """As a server that lost nothing comes back: nothing is written until the leader vouches for it."""
        self._is_vouched_for = False

    def fail_over(self, *, lag_commits: int) -> int:
        """A replica that was behind takes over: the newest commits are gone; how many.

        Nothing is written until the leader has vouched for it. Fences stay unique, as random nonces do.
        """
        lost = min(lag_commits, len(self._journal))
        for _ in range(lost):
            for key, held in self._journal.pop():
                if held is None:
                    self._remove(key)
                else:
                    self._records[key.kind][key.id] = held
        self.restart()
        self.start_new_history()
        return lost

    def start_new_history(self) -> None:
        """As after a failover: records stay, revisions go on far above, every cursor is foreign."""
        self._histories += 1
        self._revision = first_revision(self._revision, now_s=self._clock.now_ms() // 1000)
        self._journal.clear()
        self._commits.clear()
        self._wake_readers()

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        """As the port says."""
        self._expect_vouched_for()
        return [self._transact(transaction) for transaction in transactions]

    def _expect_vouched_for(self) -> None:
        if not self._is_vouched_for:
            raise StoreUnavailable("the store has been restarted; the leader has not yet judged what it lost")

    def _transact(self, transaction: Transaction) -> Outcome:
        keys = put_keys_of(transaction)
        if transaction.fence is not None and transaction.fence != self._fence:
            return StaleFence()
        for check in transaction.checks:
            if not self._holds(check):
                return Conflict(check.key, self._revision)
        self._revision = Revision(self._revision + 1)
        self._journal.append([(key, self._record(key)) for key in (*keys, *transaction.deletes)])
        written = [(key, self._put(key, put)) for key, put in zip(keys, transaction.puts, strict=True)]
        for key in transaction.deletes:
            self._remove(key)
        self._commits.append(_mirrored(self._revision, written, transaction.deletes))
        self._wake_readers()
        return Committed(self._revision)

    def _holds(self, check: Check) -> bool:
        record = self._record(check.key)
        match check:
            case IsAbsent():
                return record is None
            case IsAt():
                return record is not None and record.version == check.version
            case IsPlannedAt():
                return record is not None and record.planning_version == check.planning_version

    def _record(self, key: Key) -> Record | None:
        if key.kind in UNMIRRORED:
            expires_at_ms = self._expiry_ms.get(key)
            if expires_at_ms is not None and self._clock.now_ms() >= expires_at_ms:
                self._remove(key)
        return self._records[key.kind].get(key.id)

    def _put(self, key: Key, put: Put) -> Record:
        held = self._record(key)
        planning_version = self._revision if held is None or put.replans else held.planning_version
        record = Record(entity=put.entity, version=self._revision, planning_version=planning_version)
        self._records[key.kind][key.id] = record
        if put.expires_after_ms is not None:
            self._expiry_ms[key] = self._clock.now_ms() + put.expires_after_ms
        elif key.kind in UNMIRRORED:
            self._expiry_ms.pop(key, None)
        return record

    def _remove(self, key: Key) -> None:
        self._records[key.kind].pop(key.id, None)
        if key.kind in UNMIRRORED:
            self._expiry_ms.pop(key, None)

    def _wake_readers(self) -> None:
        self._committed.set()
        self._committed = asyncio.Event()

    async def load(self) -> State:
        """As the port says."""
        state = State(self.history)
        for kind in Kind:
            if kind not in UNMIRRORED:
                for record in self._records[kind].values():
                    state.put(record)
        state.revision = self._revision
        return state

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        """As the port says; at most `COMMITS_PER_READ_MAX` at once."""
        if history == self.history and after == self._revision and wait_ms > 0:
            try:
                async with asyncio.timeout(wait_ms / 1000):
                    await self._committed.wait()
            except TimeoutError:
                pass
        return self._commits_after(history, after)

    def _commits_after(self, history: History, after: Revision) -> Sequence[Commit]:
        if history != self.history:
            raise CursorTooOld(f"cursor of history {history}; the store's is {self.history}")
        missing = self._revision - after
        if not 0 <= missing <= len(self._commits):
            raise CursorTooOld(
                f"cursor at revision {after}; commits are kept from {self._revision - len(self._commits)} "
                f"to {self._revision}"
            )
        start = len(self._commits) - missing
        end = min(len(self._commits), start + COMMITS_PER_READ_MAX)
        return [self._commits[index] for index in range(start, end)]

    async def get(self, key: Key) -> Entity | None:
        """As the port says."""
        record = self._record(key)
        return None if record is None else record.entity

    async def ping(self) -> None:
        """As the port says."""
        self._expect_vouched_for()

    async def acquire(self, holder: str, *, duration_ms: int) -> Fence | None:
        """As the port says."""
        now_ms = self._clock.monotonic_ms()
        held = self._lease if self._lease is not None and now_ms < self._lease.ends_at_ms else None
        if held is not None and held.holder != holder:
            if _is_shadow(holder) or not _is_shadow(held.holder):
                return None
            held = None
        fence = self._next_fence() if held is None else held.fence
        self._lease = _Lease(holder=holder, fence=fence, ends_at_ms=now_ms + duration_ms)
        await self.adopt_history(fence)
        return fence

    def _next_fence(self) -> Fence:
        self._fence_number += 1
        self._fence = Fence(self._fence_number, f"memory-{self._fence_number}")
        return self._fence

    async def adopt_history(self, fence: Fence) -> History:
        """As the port says."""
        if fence != self._fence:
            raise LostLeadership(f"fence {fence} is not the newest")
        self._is_vouched_for = True
        return self.history

    async def release(self, fence: Fence) -> None:
        """As the port says; a released fence writes nothing any more."""
        if fence == self._fence:
            self._lease = self._fence = None


def _is_shadow(holder: str) -> bool:
    return holder.startswith(SHADOW_HOLDER_PREFIX)


def _mirrored(revision: Revision, written: Sequence[tuple[Key, Record]], deletes: Sequence[Key]) -> Commit:
    return Commit(
        revision=revision,
        records=tuple(record for key, record in written if key.kind not in UNMIRRORED),
        removed=tuple(key for key in deletes if key.kind not in UNMIRRORED),
    )
