"""Whether the store carried a transaction out whole, on what it was computed for, or not at all."""

from collections.abc import Iterator, Mapping

from scheduler.model.records import UNMIRRORED, Key, Record, key_of
from scheduler.model.transaction import Check, Commit, IsAbsent, IsAt, IsPlannedAt, Transaction


def step_faults(transaction: Transaction, commit: Commit, before: Mapping[Key, Record]) -> Iterator[str]:
    """What is wrong with a commit; `before` is every mirrored record until then."""
    for check in transaction.checks:
        if check.key.kind not in UNMIRRORED and not _held(check, before):
            yield f"commit {commit.revision} was written although {check} did not hold"
    asked = {key_of(put.entity): put.entity for put in transaction.puts}
    asked = {key: entity for key, entity in asked.items() if key.kind not in UNMIRRORED}
    written = {key_of(record.entity): record.entity for record in commit.records}
    if written != asked:
        yield f"commit {commit.revision} is torn: asked for {list(asked)}, wrote {list(written)}"
    removed = [key for key in transaction.deletes if key.kind not in UNMIRRORED]
    if set(commit.removed) != set(removed):
        yield f"commit {commit.revision} is torn: asked to remove {removed}, removed {commit.removed}"


def _held(check: Check, before: Mapping[Key, Record]) -> bool:
    record = before.get(check.key)
    match check:
        case IsAbsent():
            return record is None
        case IsAt(_, version):
            return record is not None and record.version == version
        case IsPlannedAt(_, version):
            return record is not None and record.planning_version == version
