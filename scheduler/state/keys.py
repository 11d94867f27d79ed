"""The key table: every key that a cell has in Redis, what is in it, who writes it and when it goes.

All keys of a cell share the hash tag `{cell}`, so that a cell is one slot and each function is atomic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.model.ids import CellId
from scheduler.model.records import UNMIRRORED, Key, Kind

MIRRORED: Sequence[Kind] = tuple(kind for kind in Kind if kind not in UNMIRRORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPattern:
    """One row of the key table.

    Attributes:
        writer: the functions of `functions/placewright.lua` that write it.
    """

    pattern: str
    type: str
    content: str
    writer: str
    expiry: str

    def of(self, cell: CellId, **parts: str) -> str:
        return self.pattern.format(cell=cell, **parts)


META = KeyPattern(
    pattern="pw:{{{cell}}}:meta",
    type="hash",
    content="history; revision, of the newest commit; server_run_id, of the server the history was made or "
    "kept on; fence_number, the highest given; fence, '<number>:<nonce>' that writes are compared with; "
    "schema, of keys and fields",
    writer="transact, transact_reserved, lead, release, adopt_history",
    expiry="never",
)
RECORDS = KeyPattern(
    pattern="pw:{{{cell}}}:{kind}",
    type="hash",
    content="by record id: '<version> <planning_version> ' and the entity's bytes",
    writer="transact, transact_reserved",
    expiry="never; records of jobs that finished long ago are deleted by the leader",
)
RECORD = KeyPattern(
    pattern="pw:{{{cell}}}:{kind}:{id}",
    type="string",
    content="one record of an unmirrored kind, as in a hash of records",
    writer="transact, transact_reserved",
    expiry="as its put says (PX), else never",
)
STREAM = KeyPattern(
    pattern="pw:{{{cell}}}:stream",
    type="stream",
    content="entry '<revision>-0' is a commit: field '+<kind>:<id>' with the record as stored, "
    "field '-<kind>:<id>' for a removed one, field '.' alone when nothing mirrored changed",
    writer="transact, transact_reserved; adopt_history removes it when it makes a new history",
    expiry="trimmed to about COMMITS_RETAINED_MAX entries",
)
LEADER = KeyPattern(
    pattern="pw:{{{cell}}}:leader",
    type="string",
    content="'<fence number>:<nonce> <holder>'",
    writer="lead, release",
    expiry="the lease's duration after its newest renewal (PX)",
)

KEY_TABLE: Sequence[KeyPattern] = (META, RECORDS, RECORD, STREAM, LEADER)


class Keys:
    """The keys of one cell."""

    def __init__(self, cell: CellId) -> None:
        self._cell = cell
        self.meta = META.of(cell)
        self.stream = STREAM.of(cell)
        self.leader = LEADER.of(cell)

    def records(self, kind: Kind) -> str:
        """The hash of a mirrored kind."""
        assert kind not in UNMIRRORED, kind
        return RECORDS.of(self._cell, kind=kind)

    def record(self, key: Key) -> str:
        """The string of one record of an unmirrored kind."""
        assert key.kind in UNMIRRORED, key
        return RECORD.of(self._cell, kind=key.kind, id=key.id)
