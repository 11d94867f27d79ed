"""A transaction: what must still hold, and what is then written, atomically."""

from dataclasses import dataclass

from scheduler.model.ids import Revision
from scheduler.model.limits import CHANGES_PER_TRANSACTION_MAX
from scheduler.model.records import Entity, Key, Record


@dataclass(frozen=True, slots=True)
class Fence:
    """A leader's right to control; compared for equality, never for order."""

    number: int
    nonce: str

    def __str__(self) -> str:
        return f"{self.number}:{self.nonce}"


@dataclass(frozen=True, slots=True)
class IsAbsent:
    """The record does not exist."""

    key: Key


@dataclass(frozen=True, slots=True)
class IsAt:
    """The record exists and has not been written since `version`."""

    key: Key
    version: Revision


@dataclass(frozen=True, slots=True)
class IsPlannedAt:
    """The record exists and nothing that can make a planned step invalid has happened since `version`."""

    key: Key
    planning_version: Revision


Check = IsAbsent | IsAt | IsPlannedAt


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write a record.

    Attributes:
        replans: whether the change can make a planned step invalid, so that the planning version rises.
            A new record always gets one.
        expires_after_ms: the store drops the record by itself after this long; unmirrored kinds only.
    """

    entity: Entity
    replans: bool = False
    expires_after_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Checks and writes that are carried out whole or not at all.

    Attributes:
        fence: the leader's, for control writes; None for intents, claims, reports and renewals.
    """

    checks: tuple[Check, ...] = ()
    puts: tuple[Put, ...] = ()
    deletes: tuple[Key, ...] = ()
    fence: Fence | None = None

    def __post_init__(self) -> None:
        changes = len(self.puts) + len(self.deletes)
        assert 1 <= changes <= CHANGES_PER_TRANSACTION_MAX, changes


@dataclass(frozen=True, slots=True)
class Committed:
    """The transaction was carried out; `revision` is its place in the history."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Conflict:
    """Nothing was written: `key` was not as checked. `revision` is the store's newest."""

    key: Key
    revision: Revision


@dataclass(frozen=True, slots=True)
class StaleFence:
    """Nothing was written: the fence is not the newest."""


Outcome = Committed | Conflict | StaleFence


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A transaction as the stream tells it: the mirrored records it wrote and removed."""

    revision: Revision
    records: tuple[Record, ...]
    removed: tuple[Key, ...]
