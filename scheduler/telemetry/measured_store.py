"""A state store and a leadership that are measured: the same ports around the real ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

from scheduler.model.errors import StoreUnavailable
from scheduler.model.ids import History, Revision
from scheduler.model.records import Entity, Key
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Committed, Conflict, Fence, Outcome, StaleFence, Transaction
from scheduler.ports import Leadership, StateStore
from scheduler.telemetry.store_series import StoreOperation, StoreSeries, TransactionResult


class MeasuredStore:
    """A `StateStore` that records what each call took and what it said."""

    def __init__(self, store: StateStore, series: StoreSeries) -> None:
        self._store, self._series = store, series

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        self._series.record_batch(len(transactions))
        with _measured(self._series, StoreOperation.TRANSACT):
            outcomes = await self._store.transact(transactions)
        for outcome in outcomes:
            self._series.record_result(_result_of(outcome))
        return outcomes

    async def load(self) -> State:
        with _measured(self._series, StoreOperation.LOAD):
            return await self._store.load()

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        try:
            return await self._store.read_commits(history, after, wait_ms=wait_ms)
        except StoreUnavailable:
            self._series.record_error(StoreOperation.READ_COMMITS)
            raise

    async def get(self, key: Key) -> Entity | None:
        with _measured(self._series, StoreOperation.GET):
            return await self._store.get(key)

    async def ping(self) -> None:
        with _measured(self._series, StoreOperation.PING):
            await self._store.ping()


class MeasuredLeadership:
    """A `Leadership` that records what each call took."""

    def __init__(self, leadership: Leadership, series: StoreSeries) -> None:
        self._leadership, self._series = leadership, series

    async def acquire(self, holder: str, *, duration_ms: int) -> Fence | None:
        with _measured(self._series, StoreOperation.ACQUIRE):
            return await self._leadership.acquire(holder, duration_ms=duration_ms)

    async def release(self, fence: Fence) -> None:
        with _measured(self._series, StoreOperation.RELEASE):
            await self._leadership.release(fence)


@contextmanager
def _measured(series: StoreSeries, operation: StoreOperation) -> Iterator[None]:
    began = perf_counter()
    try:
        yield
    except StoreUnavailable:
        series.record_error(operation)
        raise
    series.record_call(operation, seconds=perf_counter() - began)


def _result_of(outcome: Outcome) -> TransactionResult:
    match outcome:
        case Committed():
            return TransactionResult.COMMITTED
        case Conflict():
            return TransactionResult.CONFLICT
        case StaleFence():
            return TransactionResult.STALE_FENCE
