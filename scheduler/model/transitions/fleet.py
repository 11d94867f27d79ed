"""Moves of pools that operators ask for."""

from dataclasses import replace

from scheduler.model.errors import IllegalTransition
from scheduler.model.ids import PoolId
from scheduler.model.pool import Availability, Cordon, Pool, PoolSpec, PoolStatus
from scheduler.model.records import IdempotencyRecord, Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import Check, IsAbsent, IsAt, Put, Transaction
from scheduler.model.transitions.jobs import IDEMPOTENCY_KEPT_MS


def applied(
    state: State, pool_id: PoolId, spec: PoolSpec, *, idempotency: IdempotencyRecord, now_ms: int
) -> Transaction | None:
    """The pool with this spec, new or changed; None when it is so already.

    Raises:
        IllegalTransition: the accelerator changes, or the launcher or the fencing while runs may live.
    """
    key, old = Key(Kind.POOL, pool_id), state.pool(pool_id)
    if old is not None and old.spec == spec and not old.deleting:
        return None
    if old is None:
        check: Check = IsAbsent(key)
        pool = Pool(id=pool_id, spec=spec, availability=_availability(spec, None, now_ms))
    else:
        _refuse_what_runs_cannot_follow(state, old, spec)
        check = IsAt(key, state.version(key))
        availability = _availability(spec, old.availability, now_ms)
        status = old.status if spec.launcher_id == old.spec.launcher_id else PoolStatus()
        pool = replace(old, spec=spec, status=status, availability=availability, deleting=False)
    return _write(pool, check, idempotency)


def _availability(spec: PoolSpec, old: Availability | None, now_ms: int) -> Availability | None:
    if spec.limit_accelerators is None:
        return None
    return old or Availability(accelerators=spec.limit_accelerators, changed_at_ms=now_ms)


def _refuse_what_runs_cannot_follow(state: State, old: Pool, spec: PoolSpec) -> None:
    if spec.accelerator != old.spec.accelerator:
        raise IllegalTransition(
            f"pool {old.id} holds {old.spec.accelerator}: its accelerator cannot become {spec.accelerator}; "
            "make another pool"
        )
    begins_fencing = spec.self_fencing and not old.spec.self_fencing
    if not begins_fencing and spec.launcher_id == old.spec.launcher_id:
        return
    # While it is open, a run may be placed on it that this state does not show yet.
    if old.is_open or state.live_runs(old.id):
        raise IllegalTransition(
            f"pool {old.id} is open or has live runs: cordon it and wait until they end before its launcher "
            "changes or self_fencing becomes true"
        )


def cordoned(
    state: State, pool: Pool, cordon: Cordon | None, *, idempotency: IdempotencyRecord
) -> Transaction | None:
    """The pool with or without a cordon; None when it is so already."""
    if (pool.cordon is None) == (cordon is None):
        return None
    key = Key(Kind.POOL, pool.id)
    return _write(replace(pool, cordon=cordon), IsAt(key, state.version(key)), idempotency)


def deleting(state: State, pool: Pool, *, idempotency: IdempotencyRecord) -> Transaction | None:
    """The pool takes nothing new and goes away once empty; None when that is known."""
    if pool.deleting:
        return None
    key = Key(Kind.POOL, pool.id)
    return _write(replace(pool, deleting=True), IsAt(key, state.version(key)), idempotency)


def _write(pool: Pool, check: Check, idempotency: IdempotencyRecord) -> Transaction:
    return Transaction(
        checks=(check, IsAbsent(Key(Kind.IDEMPOTENCY, idempotency.id))),
        puts=(
            Put(entity=pool, replans=True),
            Put(entity=idempotency, expires_after_ms=IDEMPOTENCY_KEPT_MS),
        ),
    )
