"""Moves of pools that operators ask for."""

from collections.abc import Iterator
from dataclasses import replace

from scheduler.model.errors import IllegalTransition
from scheduler.model.ids import PoolId
from scheduler.model.jumps import Word, with_capacity_asked, with_price_asked
from scheduler.model.pool import Availability, Cordon, Pool, PoolSpec, PoolStatus
from scheduler.model.records import Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import Check, IsAbsent, IsAt, Put, Transaction
from scheduler.model.transitions.jumps import refuse_jump_by_market


def applied(state: State, pool_id: PoolId, spec: PoolSpec, *, word: Word) -> Transaction | None:
    """The pool with this spec, new or changed; None when it is so already.

    A price that jumps waits for its confirmation, unless the word says that it is meant.

    Raises:
        IllegalTransition: the accelerator changes, or, while runs may live, the launcher, the fencing or
            the names of nodes; or the market changes what one more accelerator costs by a jump.
    """
    key, old = Key(Kind.POOL, pool_id), state.pool(pool_id)
    if old is None:
        availability = _availability(spec, None, word.said_at_ms)
        pool = Pool(id=pool_id, spec=spec, made_at_ms=word.said_at_ms, availability=availability)
        return _write(pool, IsAbsent(key))
    _refuse_what_runs_cannot_follow(state, old, spec)
    refuse_jump_by_market(old, spec, word)
    in_force, pending = with_price_asked(old, spec, word)
    pool = replace(
        old,
        spec=in_force,
        status=old.status if spec.launcher_id == old.spec.launcher_id else PoolStatus(),
        availability=_availability(in_force, old.availability, word.said_at_ms),
        deleting=False,
        node_cordons=tuple(each for each in old.node_cordons if each.node < spec.node_count),
        pending_price=pending,
    )
    pool = with_capacity_asked(old, pool, word)
    if pool == old:
        return None
    return _write(replace(pool, spec_generation=old.spec_generation + 1), IsAt(key, state.version(key)))


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
    changes = [what for what, is_changed in _changes_for_runs(old.spec, spec) if is_changed]
    # While it is open, a run may be placed on it that this state does not show yet.
    if changes and (old.is_open or state.live_runs(old.id)):
        raise IllegalTransition(
            f"pool {old.id} is open or has live runs: cordon it and wait until they ended before "
            f"{' and '.join(changes)}"
        )


def _changes_for_runs(old: PoolSpec, new: PoolSpec) -> Iterator[tuple[str, bool]]:
    """What live runs could not follow, and whether it changes."""
    yield "its launcher changes", new.launcher_id != old.launcher_id
    yield "self_fencing becomes true", new.self_fencing and not old.self_fencing
    kept = zip([*old.node_devices()], [*new.node_devices()], strict=False)
    yield "nodes other than the last ones change", any(before != after for before, after in kept)
    slices = zip([*old.slices()], [*new.slices()], strict=False)
    yield (
        "slices other than the last ones change",
        any(before.topology != after.topology for before, after in slices),
    )


def cordoned(state: State, pool: Pool, cordon: Cordon | None) -> Transaction | None:
    """The pool with or without a cordon; None when it is so already."""
    if (pool.cordon is None) == (cordon is None):
        return None
    key = Key(Kind.POOL, pool.id)
    return _write(replace(pool, cordon=cordon), IsAt(key, state.version(key)))


def deleting(state: State, pool: Pool) -> Transaction | None:
    """The pool takes nothing new and goes away once empty; None when that is known."""
    if pool.deleting:
        return None
    key = Key(Kind.POOL, pool.id)
    gone = replace(pool, deleting=True, spec_generation=pool.spec_generation + 1)
    return _write(gone, IsAt(key, state.version(key)))


def _write(pool: Pool, check: Check) -> Transaction:
    return Transaction(checks=(check,), puts=(Put(entity=pool, replans=True),))
