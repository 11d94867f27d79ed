"""A batch of transactions as the arguments of the store's `transact`, and its reply as outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from scheduler.codec.records import UnreadableRecord, decode_record, encode_entity
from scheduler.model.ids import Revision
from scheduler.model.records import UNMIRRORED, Key, Kind
from scheduler.model.transaction import (
    Check,
    Commit,
    Committed,
    Conflict,
    IsAbsent,
    IsAt,
    Outcome,
    StaleFence,
    Transaction,
)
from scheduler.state.keys import MIRRORED, Keys
from scheduler.state.transactions import put_keys_of

WireCheck = tuple[int, str, str, int]
WirePut = tuple[int, str, str, bool, int, int]
WireDelete = tuple[int, str, str]
WireTransaction = tuple[str, list[WireCheck], list[WirePut], list[WireDelete]]

TAKEN_ON = frozenset({Kind.JOB, Kind.POOL})
ENTITIES_BEFORE = 2  # of ARGV, where Lua counts from 1
NOTHING = b"."  # the only field of a commit that changed nothing mirrored

KIND_OF_NAME = {kind.value: kind for kind in Kind}

_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transaction with its entities as bytes: made by its caller, so that no other pays or fails for it."""

    transaction: Transaction
    keys: Sequence[Key]
    encoded: Sequence[bytes]

    @property
    def changes(self) -> int:
        return len(self.transaction.puts) + len(self.transaction.deletes)

    @property
    def is_urgent(self) -> bool:
        """Whether it is a launcher's or the leader's: users' requests have the record of a request id."""
        return all(key.kind is not Kind.IDEMPOTENCY for key in self.keys)

    @property
    def takes_on(self) -> bool:
        """Whether it makes a job or a pool: what may not use the store's last memory."""
        checks = self.transaction.checks
        return any(isinstance(check, IsAbsent) and check.key.kind in TAKEN_ON for check in checks)

    @property
    def is_control(self) -> bool:
        """Whether it is the leader's, which writes one call's worth at a time."""
        return self.transaction.fence is not None


def prepared(transaction: Transaction) -> Prepared:
    keys = put_keys_of(transaction)
    return Prepared(transaction, keys, [encode_entity(put.entity) for put in transaction.puts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What `transact` takes beside the commits to retain."""

    keys: Sequence[str]
    packed: bytes
    entities: Sequence[bytes]


def arguments_of(batch: Sequence[Prepared], keys: Keys) -> Arguments:
    """The batch with every key that it touches."""
    places = _Places(keys)
    entities: list[bytes] = []
    packed = _encoder.encode([_wire(one, places, entities) for one in batch])
    return Arguments(keys=places.keys, packed=packed, entities=entities)


class _Places:
    """Where records lie: the index of their key among a call's KEYS, and their field there."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.keys = [keys.meta, keys.stream, *(keys.records(kind) for kind in MIRRORED)]
        self._index_of_hash = {kind: 3 + position for position, kind in enumerate(MIRRORED)}
        self._index_of_string: dict[Key, int] = {}

    def of(self, key: Key) -> tuple[int, str]:
        assert key.id, key
        if key.kind not in UNMIRRORED:
            return self._index_of_hash[key.kind], key.id
        index = self._index_of_string.get(key)
        if index is None:
            self.keys.append(self._keys.record(key))
            index = self._index_of_string[key] = len(self.keys)
        return index, ""


def _wire(one: Prepared, places: _Places, entities: list[bytes]) -> WireTransaction:
    transaction = one.transaction
    checks = [_wire_check(check, places) for check in transaction.checks]
    puts: list[WirePut] = []
    for put, key, encoded in zip(transaction.puts, one.keys, one.encoded, strict=True):
        entities.append(encoded)
        index = ENTITIES_BEFORE + len(entities)
        puts.append((*places.of(key), _name(key), put.replans, put.expires_after_ms or 0, index))
    deletes = [(*places.of(key), _name(key)) for key in transaction.deletes]
    return str(transaction.fence or ""), checks, puts, deletes


def _wire_check(check: Check, places: _Places) -> WireCheck:
    if isinstance(check, IsAbsent):
        return (*places.of(check.key), "absent", 0)
    if isinstance(check, IsAt):
        return (*places.of(check.key), "at", check.version)
    return (*places.of(check.key), "planned", check.planning_version)


def _name(key: Key) -> str:
    return f"{key.kind}:{key.id}"


def outcomes_of(batch: Sequence[Prepared], replies: Sequence[Sequence[int]]) -> list[Outcome]:
    """The outcome of each transaction of a batch."""
    return [_outcome_of(one.transaction, reply) for one, reply in zip(batch, replies, strict=True)]


def _outcome_of(transaction: Transaction, reply: Sequence[int]) -> Outcome:
    match reply:
        case [0, revision]:
            return Committed(Revision(revision))
        case [1, revision, check]:
            return Conflict(transaction.checks[check - 1].key, Revision(revision))
        case _:
            return StaleFence()


def commit_of(entry_id: bytes, fields: Sequence[bytes]) -> Commit:
    """The commit of a stream entry; `fields` are names and values in turn."""
    records, removed = [], []
    for name, stored in zip(fields[::2], fields[1::2], strict=True):
        if name == NOTHING:
            continue
        kind, id_ = _kind_and_id(name[1:].decode())
        if name.startswith(b"+"):
            records.append(decode_record(kind, stored))
        else:
            removed.append(Key(kind, id_))
    revision = Revision(int(entry_id.partition(b"-")[0]))
    return Commit(revision=revision, records=tuple(records), removed=tuple(removed))


def _kind_and_id(name: str) -> tuple[Kind, str]:
    text, _, id_ = name.partition(":")
    kind = KIND_OF_NAME.get(text)
    if kind is None:
        raise UnreadableRecord(f"records of kind {text!r} are unknown to this version")
    return kind, id_


def commits_of_entries(entries: object) -> list[Commit]:
    """The commits of a part of the stream, as XRANGE and XREAD give it."""
    return [commit_of(*entry) for entry in cast(list[tuple[bytes, list[bytes]]], entries)]
