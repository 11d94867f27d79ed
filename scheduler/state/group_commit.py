"""Group commit: one call in flight; what arrives meanwhile is the next batch, urgent ones first. No timer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from scheduler.model.errors import Overloaded, StoreUnavailable
from scheduler.model.transaction import Outcome
from scheduler.state.batches import Prepared
from scheduler.state.limits import (
    CHANGES_PER_CALL_MAX,
    TRANSACTIONS_PER_CALL_MAX,
    TRANSACTIONS_WAITING_MAX,
    URGENT_TRANSACTIONS_WAITING_MAX,
)

Call = Callable[[Sequence[Prepared]], Awaitable[Sequence[Outcome | Overloaded]]]

ARRIVAL_TURNS_MAX = 200  # of the event loop
QUIET_TURNS_ALONE = 4  # without an arrival, after which nobody is on the way
QUIET_TURNS_SHARED = 16  # the same after a call that callers shared: who was answered comes back soon


@dataclass(frozen=True, slots=True)
class _Waiting:
    transaction: Prepared
    outcome: "asyncio.Future[Outcome]"


class GroupCommit:
    """Gathers transactions of all callers into calls; those of launchers and the leader go first.

    A caller that gives up takes what has not been sent of its own back, and disturbs nobody else's.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._urgent: deque[_Waiting] = deque()
        self._ordinary: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._quiet_turns = QUIET_TURNS_ALONE
        self._closed = False

    async def commit(self, transactions: Sequence[Prepared]) -> Sequence[Outcome]:
        """The outcome of each, in order.

        Raises:
            Overloaded: too many wait; none of these was taken.
        """
        if self._closed:
            raise StoreUnavailable("the store has been closed")
        lane = self._lane_of(transactions)
        loop = asyncio.get_running_loop()
        mine = [_Waiting(transaction, loop.create_future()) for transaction in transactions]
        lane.extend(mine)
        self._arrived.set()
        try:
            return [await waiting.outcome for waiting in mine]
        finally:
            for waiting in mine:
                _withdraw(waiting.outcome)

    def _lane_of(self, transactions: Sequence[Prepared]) -> deque[_Waiting]:
        """Where they wait; together, since a caller's are carried out in order."""
        is_urgent = all(transaction.is_urgent for transaction in transactions)
        lane, limit, most = self._ordinary, "WRITES_WAITING", TRANSACTIONS_WAITING_MAX
        if is_urgent:
            lane, limit, most = self._urgent, "LAUNCHER_WRITES_WAITING", URGENT_TRANSACTIONS_WAITING_MAX
        is_control = all(transaction.is_control for transaction in transactions)
        if len(lane) + len(transactions) > most and not is_control:
            raise Overloaded(f"{len(lane)} writes wait, at most {most} may", limit=limit)
        return lane

    async def run(self) -> None:
        """Carry out what arrives, until cancelled."""
        try:
            while True:
                await self._arrived.wait()
                await self._let_others_arrive()
                batch = self._next_batch()
                if batch:
                    await self._carry_out(batch)
        finally:
            self._closed = True
            for waiting in (*self._urgent, *self._ordinary):
                _fail(waiting, StoreUnavailable("the store has been closed"))

    async def _let_others_arrive(self) -> None:
        """Wait while the event loop brings more: a call costs as much CPU as several submits.

        No time passes for who comes alone to an idle service.
        """
        quiet, before = 0, self._waiting_count
        for _ in range(ARRIVAL_TURNS_MAX):
            if quiet == self._quiet_turns or before >= TRANSACTIONS_PER_CALL_MAX:
                return
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._waiting_count == before else 0
            before = self._waiting_count

    @property
    def _waiting_count(self) -> int:
        return len(self._urgent) + len(self._ordinary)

    def _next_batch(self) -> Sequence[_Waiting]:
        batch: list[_Waiting] = []
        changes = 0
        while (lane := self._urgent or self._ordinary) and len(batch) < TRANSACTIONS_PER_CALL_MAX:
            changes += lane[0].transaction.changes
            if batch and changes > CHANGES_PER_CALL_MAX:
                break
            waiting = lane.popleft()
            if not waiting.outcome.done():
                batch.append(waiting)
        if not (self._urgent or self._ordinary):
            self._arrived.clear()
        self._quiet_turns = QUIET_TURNS_SHARED if len(batch) > 1 else QUIET_TURNS_ALONE
        return batch

    async def _carry_out(self, batch: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._call([waiting.transaction for waiting in batch])
        except asyncio.CancelledError:
            for waiting in batch:
                _fail(waiting, StoreUnavailable("the store was closed during the call"))
            raise
        except Exception as error:  # whatever it is belongs to the callers, and the next batch must go on
            for waiting in batch:
                _fail(waiting, error)
            return
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Overloaded):
                _fail(waiting, outcome)
            elif not waiting.outcome.done():
                waiting.outcome.set_result(outcome)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)


def _withdraw(outcome: "asyncio.Future[Outcome]") -> None:
    """Cancel what is not done, and mark an error that nobody will look at as seen."""
    if not outcome.cancel() and not outcome.cancelled():
        outcome.exception()
