"""What both stores expect of a transaction beyond what its type says."""

from scheduler.model.records import UNMIRRORED, key_of
from scheduler.model.transaction import Transaction


def assert_well_formed(transaction: Transaction) -> None:
    """Each record is written or deleted at most once, and only unmirrored ones expire.

    A mirror hears of records through the stream alone, so one that vanished by itself would stay there.
    """
    keys = [key_of(put.entity) for put in transaction.puts]
    keys.extend(transaction.deletes)
    assert len(keys) == 1 or len(set(keys)) == len(keys), keys
    for key, put in zip(keys, transaction.puts, strict=False):
        if put.expires_after_ms is not None:
            assert key.kind in UNMIRRORED, key
            assert put.expires_after_ms >= 1, put.expires_after_ms
