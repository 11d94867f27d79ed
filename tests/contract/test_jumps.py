"""Jumps as each store keeps them: read back whole, confirmed on what was seen or not at all."""

from dataclasses import replace

import pytest

from scheduler.model.errors import IllegalTransition
from scheduler.model.jumps import JumpOf, Word, unconfirmed_jumps
from scheduler.model.pool import Pool, PoolStatus
from scheduler.model.records import Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import Committed, Conflict, IsPlannedAt, Put, Transaction
from scheduler.model.transitions.fleet import applied
from scheduler.model.transitions.jumps import price_and_capacity_confirmed
from scheduler.model.transitions.sessions import status_reported
from tests.builders import NOW_MS, PRINCIPAL, a_job, a_pool, a_session
from tests.contract.stores import Store, World

KEY = Key(Kind.POOL, "pool")
ASKED = 900_000_000


async def written(store: Store, transaction: Transaction | None) -> State:
    """The state after a transaction that is carried out."""
    assert transaction is not None
    (outcome,) = await store.transact([transaction])
    assert isinstance(outcome, Committed), outcome
    return await store.load()


def pool_in(state: State) -> Pool:
    pool = state.pool(a_pool().id)
    assert pool is not None
    return pool


def reported(state: State, unavailable: int) -> Transaction | None:
    status = PoolStatus(ready=True, unavailable_nodes=tuple(range(unavailable)))
    return status_reported(state, pool_in(state), a_session(), status=status, now_ms=NOW_MS)


def confirming(state: State, *, price: int | None = None, accelerators: int | None = None) -> Transaction:
    return price_and_capacity_confirmed(
        state, pool_in(state), price_usd_micros=price, accelerators=accelerators
    )


async def with_jumps(store: Store) -> State:
    """A pool of 8 nodes whose price waits, and of which its launcher lacks 6 nodes."""
    new = (Put(entity=a_pool(nodes=8, ready=False)), Put(entity=a_session()))
    state = await written(store, Transaction(puts=new))
    state = await written(store, reported(state, 0))
    spec = replace(pool_in(state).spec, price_usd_micros_per_accelerator_hour=ASKED)
    word = Word(principal=PRINCIPAL, said_at_ms=NOW_MS)
    state = await written(store, applied(state, a_pool().id, spec, word=word))
    return await written(store, reported(state, 6))


async def test_what_waits_is_read_back_and_gone_once_it_is_confirmed(world: World) -> None:
    store = await world.open()

    state = await with_jumps(store)

    found = [(jump.what, jump.confirmed, jump.unconfirmed) for jump in unconfirmed_jumps(pool_in(state))]
    assert found == [(JumpOf.PRICE, 2_000_000, ASKED), (JumpOf.CAPACITY, 64, 16)]
    state = await written(store, confirming(state, price=ASKED, accelerators=16))
    assert unconfirmed_jumps(pool_in(state)) == ()
    assert pool_in(state).spec.price_usd_micros_per_accelerator_hour == ASKED


async def test_a_confirmation_does_not_reach_a_pool_that_fell_further(world: World) -> None:
    store = await world.open()
    seen = await with_jumps(store)
    newer = await written(store, reported(seen, 8))

    (outcome,) = await store.transact([confirming(seen, accelerators=16)])

    assert isinstance(outcome, Conflict)
    assert outcome.key == KEY
    with pytest.raises(IllegalTransition, match="a capacity of 0 accelerators to confirm, not 16"):
        confirming(newer, accelerators=16)


async def test_a_step_planned_at_the_old_price_is_refused_once_the_new_one_is_confirmed(
    world: World,
) -> None:
    store = await world.open()
    state = await with_jumps(store)
    step = Transaction(checks=(IsPlannedAt(KEY, state.planning_version(KEY)),), puts=(Put(entity=a_job()),))

    await written(store, confirming(state, price=ASKED))

    (outcome,) = await store.transact([step])
    assert isinstance(outcome, Conflict)
