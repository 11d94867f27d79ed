"""The key table: one slot per cell, no two keys alike."""

from scheduler.model.ids import CellId
from scheduler.model.records import UNMIRRORED, Key, Kind
from scheduler.state.keys import KEY_TABLE, MIRRORED, Keys

KEYS = Keys(CellId("blue"))
ALL = [
    KEYS.meta,
    KEYS.stream,
    KEYS.leader,
    *(KEYS.records(kind) for kind in MIRRORED),
    *(KEYS.record(Key(kind, "x")) for kind in Kind if kind in UNMIRRORED),
]


def test_all_keys_of_a_cell_share_its_hash_tag() -> None:
    assert all(key.startswith("pw:{blue}:") for key in ALL)


def test_no_two_keys_are_alike() -> None:
    assert len(set(ALL)) == len(ALL)


def test_every_key_has_a_row_in_the_table() -> None:
    prefixes = [row.pattern.split("}}}:")[1].split(":")[0] for row in KEY_TABLE]

    assert {"meta", "stream", "leader", "{kind}"} == set(prefixes)
