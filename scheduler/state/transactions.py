"""What both stores expect of a transaction beyond what its type says."""

from collections.abc import Sequence

from scheduler.model.records import UNMIRRORED, Key, key_of
from scheduler.model.transaction import Transaction


def put_keys_of(transaction: Transaction) -> Sequence[Key]:
    """The key of each put, once it is sure that the stores will understand the transaction alike.

    Each record is written or deleted at most once, and only unmirrored ones expire: a mirror hears of
    records through the stream alone, so one that vanished by itself would stay there.
    """
    keys = [key_of(put.entity) for put in transaction.puts]
    changed = {*keys, *transaction.deletes}
    assert len(changed) == len(keys) + len(transaction.deletes), changed
    for key, put in zip(keys, transaction.puts, strict=True):
        if put.expires_after_ms is not None:
            assert key.kind in UNMIRRORED, key
            assert put.expires_after_ms >= 1, put.expires_after_ms
    return keys
