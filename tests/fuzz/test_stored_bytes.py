"""Bytes and tokens that come back from outside, in any state: what cannot be read is refused by its name."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placewright.v1 import job_service_pb2
from scheduler.api.positions import (
    decode_cursor,
    decode_etag,
    decode_page_token,
    decode_session,
    encode_cursor,
    encode_etag,
    encode_page_token,
    encode_session,
)
from scheduler.codec.commits import decode_commit, encode_commit
from scheduler.codec.records import (
    SCHEMA_VERSION,
    UnreadableRecord,
    decode_entity,
    decode_record,
    encode_entity,
    encode_record,
)
from scheduler.model.errors import InvalidRequest
from scheduler.model.ids import History, Revision
from scheduler.model.records import Entity, Kind, Record, key_of
from scheduler.model.transaction import Commit
from scheduler.service.watch import Cursor
from tests.contract.entities import entities, mirrored_entities
from tests.fuzz.effort import effort

HISTORY = History("h")
FILTER = job_service_pb2.JobFilter(queues=["research"])
DECODERS: dict[str, Callable[[str], object]] = {
    "cursor": lambda text: decode_cursor("cursor", text, FILTER),
    "etag": lambda text: decode_etag(text, HISTORY),
    "session": lambda text: decode_session("session", text, HISTORY),
    "page_token": lambda text: decode_page_token("page_token", text, FILTER),
}
TOKENS = (
    encode_cursor(Cursor(HISTORY, Revision(7)), FILTER),
    encode_etag(HISTORY, 7),
    encode_session(HISTORY, 7),
    encode_page_token("job", FILTER, encode_cursor(Cursor(HISTORY, Revision(7)), FILTER)),
)


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
values = st.recursive(scalars, lambda inside: st.lists(inside, max_size=3), max_leaves=3)
lookalikes = st.tuples(st.sampled_from(["c1", "e1", "s1", "p1", "x"]), st.lists(values, max_size=4)).map(
    lambda parts: packed([parts[0], *parts[1]])
)


def unpacked(token: str) -> list[object]:
    parts: list[object] = json.loads(base64.urlsafe_b64decode(token))
    return parts


@st.composite
def near_misses(draw: st.DrawFn) -> str:
    """A token with one of its parts of another sort."""
    parts = unpacked(draw(st.sampled_from(TOKENS)))
    index = draw(st.integers(1, len(parts) - 1))
    return packed([*parts[:index], draw(values | st.just("\ud800") | st.just(2**70)), *parts[index + 1 :]])


deep = st.just(base64.urlsafe_b64encode(b"[" * 700).decode())


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes with a piece replaced, inserted or left out."""
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 4)))
    return whole[:start] + draw(st.binary(max_size=4)) + whole[end:]


mutated_tokens = (
    st.sampled_from(TOKENS)
    .flatmap(lambda token: mutated(token.encode()))
    .map(lambda raw: raw.decode("latin-1"))
)


@pytest.mark.parametrize("kind", DECODERS)
@effort(50)
@given(text=st.text() | st.sampled_from(TOKENS) | mutated_tokens | lookalikes | near_misses() | deep)
def test_a_token_of_any_sort_is_read_or_refused_by_the_name_of_its_field(kind: str, text: str) -> None:
    try:
        told = DECODERS[kind](text)
    except InvalidRequest as error:
        fields = [violation.field for violation in error.violations]
    else:
        _check_sendable(told)
        return
    assert fields == [kind]


def _check_sendable(told: Any) -> None:
    """That what was read can be sent on: whole numbers that fit and text that is Unicode."""
    parts = [told.history, told.revision] if isinstance(told, Cursor) else told
    for part in parts if isinstance(parts, (list, tuple)) else [parts]:
        assert part is None or type(part) in (int, str), told
        if isinstance(part, int):
            assert -(2**63) <= part < 2**63, told
        if isinstance(part, str):
            part.encode()


unlike = st.binary() | st.binary().map(lambda raw: bytes([SCHEMA_VERSION]) + raw)


def read(decode: Callable[[], object]) -> None:
    """It gives something or says that it cannot be read; nothing else."""
    with suppress(UnreadableRecord):
        decode()


@effort(50)
@given(
    kind=st.sampled_from(Kind), encoded=unlike, versions=st.sampled_from([b"", b"1 2 ", b"1 x ", b"-1 _ "])
)
def test_any_bytes_are_a_record_or_unreadable(kind: Kind, encoded: bytes, versions: bytes) -> None:
    read(lambda: decode_entity(kind, encoded))
    read(lambda: decode_record(kind, versions + encoded))
    read(lambda: decode_commit(encoded))


@effort(50)
@given(entity=entities, kind=st.sampled_from(Kind), data=st.data())
def test_a_broken_entity_is_read_or_unreadable(entity: Entity, kind: Kind, data: st.DataObject) -> None:
    encoded = data.draw(mutated(encode_entity(entity)))

    read(lambda: decode_entity(key_of(entity).kind, encoded))
    read(lambda: decode_entity(kind, encode_entity(entity)))


@effort(50)
@given(entity=mirrored_entities, data=st.data())
def test_a_broken_commit_is_read_or_unreadable(entity: Any, data: st.DataObject) -> None:
    record = Record(entity=entity, version=Revision(1), planning_version=Revision(1))
    commit = Commit(revision=Revision(1), records=(record,), removed=(key_of(entity),))

    broken_record, broken_commit = (
        data.draw(mutated(encode_record(record))),
        data.draw(mutated(encode_commit(commit))),
    )

    read(lambda: decode_record(key_of(entity).kind, broken_record))
    read(lambda: decode_commit(broken_commit))
