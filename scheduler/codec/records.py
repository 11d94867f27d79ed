"""Entities and records as bytes: a schema version in front of MessagePack.

A field with a default may be added without a new schema version: older bytes take the default, and
older code skips the field. Everything else (a new name, another type, another meaning) raises
`SCHEMA_VERSION` and adds one function to `MIGRATIONS`.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import Revision
from scheduler.model.records import CLASS_OF, Entity, Kind, Record

SCHEMA_VERSION = 1

Fields = dict[str, Any]  # MessagePack's own types, before they are an entity
Migration = Callable[[Kind, Fields], Fields]

MIGRATIONS: Mapping[int, Migration] = {}
"""What turns an entity of a schema version into one of the next; one function for each older version."""

_PREFIX = bytes([SCHEMA_VERSION])
_encoder = msgspec.msgpack.Encoder()
_decoders: Mapping[Kind, msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(cls) for kind, cls in CLASS_OF.items()
}


class UnreadableRecord(PlacewrightError):
    """Stored bytes are of another schema version, or are not what they should be."""


def encode_entity(entity: Entity) -> bytes:
    """The entity in the newest schema version."""
    return _PREFIX + _encoder.encode(entity)


def decode_entity(kind: Kind, encoded: bytes) -> Entity:
    """The entity, brought forward from the schema version that it was written in.

    Raises:
        UnreadableRecord: of an unknown schema version, or broken.
    """
    schema_version = schema_version_of(encoded)
    try:
        if schema_version == SCHEMA_VERSION:
            return cast(Entity, _decoders[kind].decode(memoryview(encoded)[1:]))
        return _migrated(kind, schema_version, msgspec.msgpack.decode(memoryview(encoded)[1:]))
    except (msgspec.MsgspecError, UnicodeDecodeError, AssertionError) as error:
        raise UnreadableRecord(f"a stored {kind} of schema version {schema_version}: {error}") from error


def schema_version_of(encoded: bytes) -> int:
    """The schema version in front of the bytes, if this code can read it."""
    if not encoded:
        raise UnreadableRecord("stored bytes are empty; a schema version is expected in front")
    if encoded[0] != SCHEMA_VERSION and encoded[0] not in MIGRATIONS:
        readable = ", ".join(str(version) for version in (*sorted(MIGRATIONS), SCHEMA_VERSION))
        raise UnreadableRecord(f"schema version {encoded[0]} is unknown; this version reads {readable}")
    return encoded[0]


def _migrated(kind: Kind, schema_version: int, fields: Fields) -> Entity:
    for version in range(schema_version, SCHEMA_VERSION):
        fields = MIGRATIONS[version](kind, fields)
    return cast(Entity, msgspec.convert(fields, CLASS_OF[kind]))


def encode_record(record: Record) -> bytes:
    """The record as the store keeps it: "<version> <planning_version> " and the entity."""
    return b"%d %d %b" % (record.version, record.planning_version, encode_entity(record.entity))


def decode_record(kind: Kind, encoded: bytes) -> Record:
    """The record that `encode_record`, or the store's function, wrote."""
    try:
        version, planning_version, entity = encoded.split(b" ", 2)
        versions = Revision(int(version)), Revision(int(planning_version))
    except ValueError as error:
        raise UnreadableRecord(f"a stored {kind} does not begin with its two versions") from error
    return Record(entity=decode_entity(kind, entity), version=versions[0], planning_version=versions[1])
