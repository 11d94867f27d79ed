"""Writes that are computed from the mirror and carried out if what they rest on still holds."""

from collections.abc import Callable

from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import LostLeadership, StoreUnavailable
from scheduler.model.guidance import GUIDANCE_ID
from scheduler.model.ids import Revision
from scheduler.model.records import Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import (
    Committed,
    Conflict,
    Fence,
    IsAt,
    Outcome,
    StaleFence,
    Transaction,
)
from scheduler.ports import StateStore

ATTEMPTS_MAX = 20
NEVER = IsAt(
    Key(Kind.GUIDANCE, GUIDANCE_ID), Revision(0)
)  # a check that never holds: its conflict tells the revision


class RequestSeen(Exception):
    """The request id of the write has been used before; `key` is its record."""

    def __init__(self, key: Key) -> None:
        super().__init__(key.id)
        self.key = key


async def write(
    store: StateStore, mirror: Mirror, compute: Callable[[State], Transaction | None]
) -> Revision:
    """Carry out what `compute` makes of the state, again on newer state after a conflict.

    The mirror has seen the write when this returns. Nothing is written when `compute` gives None.

    Raises:
        RequestSeen: the transaction's idempotency record exists.
        LostLeadership: the fence is not the newest.
        StoreUnavailable: the outcome is unknown, or the record is too busy.
    """
    for _ in range(ATTEMPTS_MAX):
        transaction = compute(mirror.state)
        if transaction is None:
            return mirror.state.revision
        outcome = (await store.transact([transaction]))[0]
        revision = revision_of(outcome)
        await mirror.caught_up(revision)
        if isinstance(outcome, Committed):
            return revision
    raise StoreUnavailable(f"nothing was written: the record changed {ATTEMPTS_MAX} times meanwhile")


async def catch_up(store: StateStore, mirror: Mirror, *, fence: Fence | None) -> None:
    """Bring the mirror to the newest revision that the store has now; nothing is written.

    What a write without an answer has done is seen then, and with the newest fence nobody else controls
    any more.

    Raises:
        LostLeadership: the fence is not the newest.
        NotCaughtUp, StoreUnavailable
    """
    outcome = (await store.transact([Transaction(checks=(NEVER,), deletes=(NEVER.key,), fence=fence)]))[0]
    await mirror.caught_up(revision_of(outcome))


def revision_of(outcome: Outcome) -> Revision:
    """Up to where the mirror must be before one goes on.

    Raises:
        RequestSeen, LostLeadership: as `write`.
    """
    match outcome:
        case Committed(revision):
            return revision
        case Conflict(key, revision):
            if key.kind is Kind.IDEMPOTENCY:
                raise RequestSeen(key)
            return revision
        case StaleFence():
            raise LostLeadership("another leader has taken over")
