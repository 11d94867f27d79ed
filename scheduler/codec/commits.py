"""Commits as bytes, for the way to the planner process."""

from collections.abc import Iterator

import msgspec

from scheduler.codec.records import SCHEMA_VERSION, UnreadableRecord, decode_record, encode_record
from scheduler.model.ids import Revision
from scheduler.model.records import UNMIRRORED, Key, Kind, key_of
from scheduler.model.state import State
from scheduler.model.transaction import Commit

RECORDS_PER_CHUNK_MAX = 500
"""So that neither end holds up its event loop for more than a few milliseconds at a time."""

_PREFIX = bytes([SCHEMA_VERSION])


class _Commit(msgspec.Struct, array_like=True):
    revision: Revision
    records: list[tuple[Kind, bytes]]
    removed: list[Key]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Commit)


def encode_commit(commit: Commit) -> bytes:
    """The commit as one value."""
    records = [(key_of(record.entity).kind, encode_record(record)) for record in commit.records]
    return _PREFIX + _encoder.encode(_Commit(commit.revision, records, list(commit.removed)))


def decode_commit(encoded: bytes) -> Commit:
    """The commit that `encode_commit` wrote.

    Raises:
        UnreadableRecord: it, or a record in it, is of an unknown schema version, or broken.
    """
    if encoded[:1] != _PREFIX:
        raise UnreadableRecord(
            f"a commit of schema version {encoded[:1].hex()} is unknown; this version reads {_PREFIX.hex()}"
        )
    try:
        commit = _decoder.decode(memoryview(encoded)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"a commit: {error}") from error
    return Commit(
        revision=commit.revision,
        records=tuple(decode_record(kind, record) for kind, record in commit.records),
        removed=tuple(commit.removed),
    )


def commits_of(state: State) -> Iterator[Commit]:
    """Commits that rebuild the state when they are applied to an empty one of its history.

    All carry the state's revision. There is always at least one.
    """
    for kind in Kind:
        if kind in UNMIRRORED:
            continue
        records = tuple(state.records(kind))
        for start in range(0, len(records), RECORDS_PER_CHUNK_MAX):
            chunk = records[start : start + RECORDS_PER_CHUNK_MAX]
            yield Commit(revision=state.revision, records=chunk, removed=())
    yield Commit(revision=state.revision, records=(), removed=())
