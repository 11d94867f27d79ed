"""Jumps: a price or a capacity that changes so much that it is more likely a mistake than meant.

docs/decisions/jumps.md says what a jump may do before an operator confirms it, and why.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from scheduler.model.ids import Principal
from scheduler.model.limits import CAPACITY_FALL_FACTOR_MAX, PRICE_JUMP_FACTOR_MAX
from scheduler.model.pool import CapacityFall, PendingPrice, Pool, PoolSpec, PoolStatus
from scheduler.model.view import usable_accelerators


class JumpOf(StrEnum):
    """What jumps."""

    PRICE = "price"
    CAPACITY = "capacity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A jump that nobody has confirmed.

    Attributes:
        confirmed, unconfirmed: micro-dollars per accelerator-hour, or accelerators.
        principal: who asked for the price, or said that the capacity is gone.
    """

    what: JumpOf
    confirmed: int
    unconfirmed: int
    principal: Principal
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What a plan may take as a ground to stop runs; for new placements `usable_accelerators` counts."""

    price_usd_micros_per_accelerator_hour: int
    accelerators: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What an operator says comes from whom and when, and whether jumps in it are meant."""

    principal: Principal
    said_at_ms: int
    confirms_jumps: bool = False


def confirmed(pool: Pool) -> Confirmed:
    """The price in force, and the capacity without an unconfirmed fall."""
    before = pool.confirmed_accelerators
    return Confirmed(
        price_usd_micros_per_accelerator_hour=pool.spec.price_usd_micros_per_accelerator_hour,
        accelerators=usable_accelerators(pool) if pool.capacity_fall is None or before is None else before,
    )


def unconfirmed_jumps(pool: Pool) -> tuple[Jump, ...]:
    """What waits for an operator's confirmation."""
    found, now = [], confirmed(pool)
    if (asked := pool.pending_price) is not None:
        found.append(
            Jump(
                what=JumpOf.PRICE,
                confirmed=now.price_usd_micros_per_accelerator_hour,
                unconfirmed=asked.usd_micros_per_accelerator_hour,
                principal=asked.principal,
                since_ms=asked.asked_at_ms,
            )
        )
    if (fall := pool.capacity_fall) is not None:
        found.append(
            Jump(
                what=JumpOf.CAPACITY,
                confirmed=now.accelerators,
                unconfirmed=usable_accelerators(pool),
                principal=fall.principal,
                since_ms=fall.fallen_at_ms,
            )
        )
    return tuple(found)


def is_price_jump(old: int, new: int) -> bool:
    """Whether a price changes by more than the factor, up or down; from or to 0 always."""
    return max(old, new) > PRICE_JUMP_FACTOR_MAX * min(old, new)


def is_capacity_fall(old: int, new: int) -> bool:
    """Whether a capacity falls by more than the factor, or to 0."""
    return old > CAPACITY_FALL_FACTOR_MAX * new


def with_price_asked(old: Pool, spec: PoolSpec, word: Word) -> tuple[PoolSpec, PendingPrice | None]:
    """The spec that is in force when `old` is asked to become `spec`, and the price that waits.

    Asked for again it keeps who asked first; a price that is no jump withdraws the one that waits.
    """
    price = old.spec.price_usd_micros_per_accelerator_hour
    asked = spec.price_usd_micros_per_accelerator_hour
    if word.confirms_jumps or not is_price_jump(price, asked):
        return spec, None
    waits = old.pending_price
    if waits is None or waits.usd_micros_per_accelerator_hour != asked:
        waits = PendingPrice(
            usd_micros_per_accelerator_hour=asked, principal=word.principal, asked_at_ms=word.said_at_ms
        )
    return replace(spec, price_usd_micros_per_accelerator_hour=price), waits


def with_capacity_asked(old: Pool, new: Pool, word: Word) -> Pool:
    """`new`, which an operator made of `old`, with what its capacity falls by.

    An operator's word confirms a smaller spec that is no jump, or is meant; it does not confirm what the
    launcher says.
    """
    if new.spec.launcher_id != old.spec.launcher_id:
        return replace(new, confirmed_accelerators=None, capacity_fall=None)
    before, specified = _confirmed_accelerators(old), usable_accelerators(replace(new, status=PoolStatus()))
    if before is None:
        return new
    if word.confirms_jumps or not is_capacity_fall(before, specified):
        before = min(before, specified)
    return _with_capacity(new, before, principal=word.principal, now_ms=word.said_at_ms)


def with_status(pool: Pool, status: PoolStatus, *, principal: Principal, now_ms: int) -> Pool:
    """The pool as its launcher says it is. The first report is what later ones are compared with."""
    before = _confirmed_accelerators(pool) or 0
    return _with_capacity(replace(pool, status=status), before, principal=principal, now_ms=now_ms)


def _confirmed_accelerators(pool: Pool) -> int | None:
    """None before the first report; a pool of an earlier version was not asked to remember it."""
    if pool.confirmed_accelerators is None and pool.status.ready:
        return usable_accelerators(pool)
    return pool.confirmed_accelerators


def _with_capacity(pool: Pool, before: int, *, principal: Principal, now_ms: int) -> Pool:
    usable = usable_accelerators(pool)
    fall = None
    if is_capacity_fall(before, usable):
        fall = pool.capacity_fall or CapacityFall(principal=principal, fallen_at_ms=now_ms)
    return replace(pool, confirmed_accelerators=max(before, usable), capacity_fall=fall)
