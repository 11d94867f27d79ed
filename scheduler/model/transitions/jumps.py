"""Moves of jumps: refused, or confirmed by an operator."""

from dataclasses import replace

from scheduler.model.errors import IllegalTransition
from scheduler.model.jumps import JumpOf, Word, is_price_jump, unconfirmed_jumps
from scheduler.model.pool import Pool, PoolSpec
from scheduler.model.records import Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import IsAt, Put, Transaction


def refuse_jump_by_market(old: Pool, spec: PoolSpec, word: Word) -> None:
    """Plans see reserved capacity as free, so that becoming reserved, or ceasing to be it, is a jump.

    It is refused rather than kept pending, because the limit goes with the market.

    Raises:
        IllegalTransition
    """
    if word.confirms_jumps or old.spec.is_rented == spec.is_rented:
        return
    prices = [each.marginal_usd_micros_per_accelerator_hour for each in (old.spec, spec)]
    if is_price_jump(*prices):
        raise IllegalTransition(
            f"pool {old.id} is {old.spec.market} and would become {spec.market}: what one more "
            f"accelerator costs jumps from {prices[0]} to {prices[1]} micro-dollars an hour; "
            "say confirm_jumps if it is meant"
        )


def price_and_capacity_confirmed(
    state: State, pool: Pool, *, price_usd_micros: int | None, accelerators: int | None
) -> Transaction:
    """The pool with these jumps taken over; None: not that one.

    Raises:
        IllegalTransition: a jump is not, or is no longer, this one.
    """
    key, spec, fresh = Key(Kind.POOL, pool.id), pool.spec, pool
    jumps = {jump.what: jump.unconfirmed for jump in unconfirmed_jumps(pool)}
    if price_usd_micros is not None:
        _expect(pool, "price", "micro-dollars", asked=price_usd_micros, waits=jumps.get(JumpOf.PRICE))
        spec = replace(spec, price_usd_micros_per_accelerator_hour=price_usd_micros)
        fresh = replace(fresh, spec=spec, pending_price=None)
    if accelerators is not None:
        _expect(pool, "capacity", "accelerators", asked=accelerators, waits=jumps.get(JumpOf.CAPACITY))
        fresh = replace(fresh, confirmed_accelerators=accelerators, capacity_fall=None)
    fresh = replace(fresh, spec_generation=pool.spec_generation + 1)
    return Transaction(checks=(IsAt(key, state.version(key)),), puts=(Put(entity=fresh, replans=True),))


def _expect(pool: Pool, what: str, unit: str, *, asked: int, waits: int | None) -> None:
    if asked != waits:
        is_so = f"no {what}" if waits is None else f"a {what} of {waits} {unit}"
        raise IllegalTransition(
            f"pool {pool.id} has {is_so} to confirm, not {asked} {unit}: look at it again"
        )
