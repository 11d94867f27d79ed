"""The codec gives back what it was given, and says clearly what it cannot read."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.codec import records as codec
from scheduler.codec.commits import RECORDS_PER_CHUNK_MAX, commits_of, decode_commit, encode_commit
from scheduler.codec.records import (
    UnreadableRecord,
    decode_entity,
    decode_record,
    encode_entity,
    encode_record,
)
from scheduler.model.guidance import Guidance
from scheduler.model.ids import History, Revision
from scheduler.model.records import Entity, Key, Kind, Record, key_of
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from tests.builders import a_job
from tests.contract.entities import entities, ids, mirrored_entities

revisions = st.integers(1, 2**53).map(Revision)
records = st.builds(Record, entity=mirrored_entities, version=revisions, planning_version=revisions)
keys = st.builds(Key, kind=st.sampled_from(Kind), id=ids)
commits = st.builds(
    Commit,
    revision=revisions,
    records=st.lists(records, max_size=3).map(tuple),
    removed=st.lists(keys, max_size=3).map(tuple),
)


@given(entity=entities)
def test_an_entity_of_any_kind_comes_back_equal(entity: Entity) -> None:
    encoded = encode_entity(entity)

    assert decode_entity(key_of(entity).kind, encoded) == entity


@given(record=records)
def test_a_record_comes_back_equal(record: Record) -> None:
    assert decode_record(key_of(record.entity).kind, encode_record(record)) == record


@given(commit=commits)
def test_a_commit_comes_back_equal(commit: Commit) -> None:
    assert decode_commit(encode_commit(commit)) == commit


def test_an_unknown_schema_version_is_named() -> None:
    encoded = b"\x63" + encode_entity(Guidance())[1:]

    with pytest.raises(UnreadableRecord, match=r"schema version 99 is unknown; this version reads 1$"):
        decode_entity(Kind.GUIDANCE, encoded)
    with pytest.raises(UnreadableRecord, match="schema version 63 is unknown"):
        decode_commit(b"\x63")


BROKEN = {
    "nothing": b"",
    "no_messagepack": b"\x01\xc1",
    "another_type": b"\x01" + msgspec.msgpack.encode(["a"]),
    "a_field_of_another_type": b"\x01" + msgspec.msgpack.encode({"shadow_prices": 1}),
}


@pytest.mark.parametrize("encoded", BROKEN.values(), ids=BROKEN.keys())
def test_broken_bytes_are_refused(encoded: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        decode_entity(Kind.GUIDANCE, encoded)


def test_bytes_that_break_an_invariant_are_refused() -> None:
    encoded = encode_entity(a_job()).replace(b"\xaefinished_at_ms\xc0", b"\xaefinished_at_ms\x01")

    with pytest.raises(UnreadableRecord, match="a stored job"):
        decode_entity(Kind.JOB, encoded)


def test_a_record_without_versions_is_refused() -> None:
    with pytest.raises(UnreadableRecord, match="does not begin with its two versions"):
        decode_record(Kind.GUIDANCE, encode_entity(Guidance()))


def test_a_field_that_an_older_writer_did_not_know_takes_its_default() -> None:
    assert decode_entity(Kind.GUIDANCE, b"\x01" + msgspec.msgpack.encode({})) == Guidance()


def test_a_field_of_a_newer_writer_is_skipped() -> None:
    assert decode_entity(Kind.GUIDANCE, b"\x01" + msgspec.msgpack.encode({"mood": 1})) == Guidance()


def test_an_older_schema_version_is_brought_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(kind: Kind, fields: codec.Fields) -> codec.Fields:
        return {"shadow_prices": fields["prices"]} if kind is Kind.GUIDANCE else fields

    monkeypatch.setattr(codec, "MIGRATIONS", {0: renamed})

    entity = decode_entity(Kind.GUIDANCE, b"\x00" + msgspec.msgpack.encode({"prices": [["a", 1]]}))

    assert entity == Guidance(shadow_prices=(("a", 1),))


def test_a_state_is_rebuilt_from_its_commits() -> None:
    state = State(History("h"))
    for number in range(RECORDS_PER_CHUNK_MAX + 1):
        version = Revision(number + 1)
        record = Record(entity=a_job(f"job-{number}"), version=version, planning_version=version)
        state.apply(Commit(revision=version, records=(record,), removed=()))

    rebuilt = State(History("h"))
    for commit in commits_of(state):
        rebuilt.apply(decode_commit(encode_commit(commit)))

    assert rebuilt.revision == state.revision
    assert set(rebuilt.records(Kind.JOB)) == set(state.records(Kind.JOB))


def test_text_that_is_no_unicode_is_unreadable() -> None:
    broken = encode_entity(a_job("job")).replace(b"job", b"j\xffb", 1)
    commit = Commit(revision=Revision(1), records=(), removed=(Key(Kind.JOB, "job"),))

    with pytest.raises(UnreadableRecord, match="a stored job"):
        decode_entity(Kind.JOB, broken)
    with pytest.raises(UnreadableRecord, match="a commit"):
        decode_commit(encode_commit(commit).replace(b"job", b"j\xffb"))
