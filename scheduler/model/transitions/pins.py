"""Moves of replicas' pins that operators ask for."""

from dataclasses import replace

from scheduler.model.brakes import Pin
from scheduler.model.errors import IllegalTransition
from scheduler.model.records import Key, Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.state import State
from scheduler.model.transaction import IsAt, Put, Transaction


def pinned(state: State, replica: Replica, pin: Pin) -> Transaction | None:
    """The replica with the pin; None when it is pinned to that pool already, and keeps the pin that it has.

    Raises:
        IllegalTransition: it is done, or it has a live run on another pool.
    """
    if replica.state is ReplicaState.DONE:
        raise IllegalTransition(f"replica {replica.id} is done: it needs no further place")
    run = None if replica.live_run is None else state.run(replica.live_run)
    if run is not None and run.pool_id != pin.pool_id:
        raise IllegalTransition(
            f"replica {replica.id} has a live run on pool {run.pool_id}: until that has ended, it can be "
            f"pinned only there, not to {pin.pool_id}"
        )
    if replica.pin is not None and replica.pin.pool_id == pin.pool_id:
        return None
    return _with(state, replica, pin)


def unpinned(state: State, replica: Replica) -> Transaction | None:
    """The replica without a pin; None when it has none."""
    return None if replica.pin is None else _with(state, replica, None)


def _with(state: State, replica: Replica, pin: Pin | None) -> Transaction:
    key = Key(Kind.REPLICA, replica.id)
    changed = replace(replica, pin=pin)
    return Transaction(checks=(IsAt(key, state.version(key)),), puts=(Put(entity=changed, replans=True),))
