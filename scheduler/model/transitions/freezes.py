"""Moves of freezes that operators ask for."""

from scheduler.model.brakes import Freeze
from scheduler.model.records import Key, Kind, key_of
from scheduler.model.state import State
from scheduler.model.transaction import IsAbsent, IsAt, Put, Transaction


def frozen(state: State, freeze: Freeze) -> Transaction | None:
    """The freeze; None when its scope is frozen already, and keeps the freeze that it has."""
    key = key_of(freeze)
    if state.record(key) is not None:
        return None
    return Transaction(checks=(IsAbsent(key),), puts=(Put(entity=freeze, replans=True),))


def unfrozen(state: State, freeze_id: str) -> Transaction | None:
    """Without the freeze; None when there is none."""
    key = Key(Kind.FREEZE, freeze_id)
    if state.record(key) is None:
        return None
    return Transaction(checks=(IsAt(key, state.version(key)),), deletes=(key,))
