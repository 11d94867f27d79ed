"""Jumps: what a price or a capacity that changes too much does before an operator confirms it."""

from dataclasses import replace

import pytest

from scheduler.model.errors import IllegalTransition
from scheduler.model.ids import LauncherId, Principal
from scheduler.model.job import Market
from scheduler.model.jumps import (
    JumpOf,
    Word,
    confirmed,
    is_capacity_fall,
    is_price_jump,
    unconfirmed_jumps,
)
from scheduler.model.pool import NodeGroup, Pool, PoolSpec, PoolStatus
from scheduler.model.session import LauncherSession
from scheduler.model.transitions.fleet import applied
from scheduler.model.transitions.jumps import price_and_capacity_confirmed
from scheduler.model.transitions.sessions import status_reported, synchronised
from scheduler.planning.planner import floor_plan
from scheduler.planning.verify import Rule, violations
from tests.builders import (
    DOLLAR,
    NOW_MS,
    PRINCIPAL,
    a_job,
    a_pool,
    a_rented_pool,
    a_session,
    a_snapshot,
    a_state,
)

LATER_MS = NOW_MS + 1_000
OTHER = Principal("bob")


def priced(pool: Pool, price: int) -> PoolSpec:
    return replace(pool.spec, price_usd_micros_per_accelerator_hour=price)


def after_apply(pool: Pool, spec: PoolSpec, *, by: Principal = PRINCIPAL, confirms: bool = False) -> Pool:
    word = Word(principal=by, said_at_ms=LATER_MS, confirms_jumps=confirms)
    transaction = applied(a_state(pool), pool.id, spec, word=word)
    if transaction is None:
        return pool
    (put,) = transaction.puts
    assert isinstance(put.entity, Pool)
    return put.entity


def after_report(pool: Pool, unavailable: int, session: LauncherSession | None = None) -> Pool:
    """The pool once its launcher said that its first nodes are away."""
    session = session or a_session()
    status = PoolStatus(ready=True, unavailable_nodes=tuple(range(unavailable)))
    transaction = status_reported(a_state(pool, session), pool, session, status=status, now_ms=LATER_MS)
    if transaction is None:
        return pool
    (put,) = transaction.puts
    assert isinstance(put.entity, Pool)
    return put.entity


def after_confirm(pool: Pool, *, price: int | None = None, accelerators: int | None = None) -> Pool:
    transaction = price_and_capacity_confirmed(
        a_state(pool), pool, price_usd_micros=price, accelerators=accelerators
    )
    (put,) = transaction.puts
    assert isinstance(put.entity, Pool)
    return put.entity


def a_reported_pool(nodes: int = 8) -> Pool:
    """A pool whose launcher has said that all its nodes are there."""
    return after_report(a_pool(nodes=nodes, ready=False), 0)


@pytest.mark.parametrize(
    ("old", "new", "jumps"),
    [
        (2, 2, False),
        (2, 6, False),
        (2, 7, True),
        (6, 2, False),
        (7, 2, True),
        (2, 0, True),
        (0, 2, True),
        (0, 0, False),
        (2 * DOLLAR, 2_000 * DOLLAR, True),
    ],
)
def test_a_price_jumps_beyond_three_times_up_or_down_or_from_or_to_nothing(
    old: int, new: int, jumps: bool
) -> None:
    assert is_price_jump(old, new) is jumps


@pytest.mark.parametrize(
    ("old", "new", "falls"),
    [(6, 2, False), (7, 2, True), (1, 0, True), (0, 0, False), (0, 9, False), (1, 100, False)],
)
def test_a_capacity_falls_beyond_a_third_or_to_nothing_and_never_by_rising(
    old: int, new: int, falls: bool
) -> None:
    assert is_capacity_fall(old, new) is falls


def test_the_first_price_of_a_pool_needs_no_confirmation() -> None:
    transaction = applied(
        a_state(), a_pool().id, a_pool().spec, word=Word(principal=PRINCIPAL, said_at_ms=NOW_MS)
    )

    assert transaction is not None
    (put,) = transaction.puts
    assert isinstance(put.entity, Pool)
    assert unconfirmed_jumps(put.entity) == ()


def test_a_price_that_jumps_waits_and_everything_else_of_the_spec_is_taken_over() -> None:
    pool = a_pool()

    after = after_apply(pool, replace(priced(pool, 2_000 * DOLLAR), lease_duration_ms=60_000))

    assert after.spec == replace(pool.spec, lease_duration_ms=60_000)
    assert confirmed(after).price_usd_micros_per_accelerator_hour == 2 * DOLLAR
    (jump,) = unconfirmed_jumps(after)
    assert (jump.what, jump.confirmed, jump.unconfirmed) == (JumpOf.PRICE, 2 * DOLLAR, 2_000 * DOLLAR)
    assert (jump.principal, jump.since_ms) == (PRINCIPAL, LATER_MS)
    assert after.spec_generation == pool.spec_generation + 1


def test_a_price_that_waits_and_is_asked_for_again_keeps_who_asked_first() -> None:
    once = after_apply(a_pool(), priced(a_pool(), 0))

    assert after_apply(once, priced(once, 0), by=OTHER) is once


@pytest.mark.parametrize("price", [2 * DOLLAR, 5 * DOLLAR, DOLLAR])
def test_a_price_that_is_no_jump_withdraws_the_one_that_waits(price: int) -> None:
    waiting = after_apply(a_pool(), priced(a_pool(), 2_000 * DOLLAR))

    after = after_apply(waiting, priced(waiting, price))

    assert after.spec.price_usd_micros_per_accelerator_hour == price
    assert unconfirmed_jumps(after) == ()


def test_a_price_is_judged_by_the_confirmed_one_and_not_by_the_one_that_waits() -> None:
    waiting = after_apply(a_pool(), priced(a_pool(), 2_000 * DOLLAR))

    after = after_apply(waiting, priced(waiting, 1_000 * DOLLAR), by=OTHER)

    assert after.spec.price_usd_micros_per_accelerator_hour == 2 * DOLLAR
    assert [(j.unconfirmed, j.principal) for j in unconfirmed_jumps(after)] == [(1_000 * DOLLAR, OTHER)]


def test_a_jump_that_is_said_to_be_meant_is_in_force_at_once() -> None:
    waiting = after_apply(a_pool(), priced(a_pool(), 2_000 * DOLLAR))

    after = after_apply(waiting, priced(waiting, 2_000 * DOLLAR), confirms=True)

    assert after.spec.price_usd_micros_per_accelerator_hour == 2_000 * DOLLAR
    assert unconfirmed_jumps(after) == ()
    assert after_apply(after, after.spec, confirms=True) is after


def test_a_confirmed_price_is_in_force() -> None:
    waiting = after_apply(a_pool(), priced(a_pool(), 2_000 * DOLLAR))

    after = after_confirm(waiting, price=2_000 * DOLLAR)

    assert confirmed(after).price_usd_micros_per_accelerator_hour == 2_000 * DOLLAR
    assert unconfirmed_jumps(after) == ()
    assert after.spec_generation == waiting.spec_generation + 1


def test_only_the_jump_that_is_there_can_be_confirmed() -> None:
    waiting = after_apply(a_pool(), priced(a_pool(), 2_000 * DOLLAR))

    with pytest.raises(IllegalTransition, match=f"a price of {2_000 * DOLLAR} micro-dollars to confirm"):
        after_confirm(waiting, price=1_000 * DOLLAR)
    with pytest.raises(IllegalTransition, match="no capacity to confirm, not 0 accelerators"):
        after_confirm(waiting, price=2_000 * DOLLAR, accelerators=0)


def test_a_plan_at_the_price_that_waits_is_refused_and_one_at_the_confirmed_price_is_made() -> None:
    pool = after_apply(a_rented_pool(), priced(a_rented_pool(), 0))
    job = a_job()
    snapshot = a_snapshot(pools=[pool], jobs=[job])
    cheap = replace(pool, spec=priced(pool, 0), pending_price=None)

    (place,) = floor_plan(snapshot).places
    assert place.placement.charged_usd_micros_per_hour == 8 * 2 * DOLLAR
    at_pending = floor_plan(a_snapshot(pools=[cheap], jobs=[job]))
    assert {each.rule for each in violations(snapshot, at_pending)} == {Rule.NUMBERS}


def test_ceasing_to_be_reserved_is_a_jump_that_must_be_said_to_be_meant() -> None:
    pool = a_pool()
    spec = replace(pool.spec, market=Market.ON_DEMAND, limit_accelerators=8)

    with pytest.raises(IllegalTransition, match="confirm_jumps"):
        after_apply(pool, spec)
    assert after_apply(pool, spec, confirms=True).spec == spec


@pytest.mark.parametrize("unavailable", [0, 5, 8])
def test_the_first_report_needs_no_confirmation(unavailable: int) -> None:
    after = after_report(a_pool(nodes=8, ready=False), unavailable)

    assert unconfirmed_jumps(after) == ()
    assert confirmed(after).accelerators == 8 * (8 - unavailable)


def test_a_capacity_that_a_launcher_reports_away_is_unconfirmed_and_comes_back_without_a_word() -> None:
    pool = a_reported_pool()

    gone = after_report(pool, 8)

    (jump,) = unconfirmed_jumps(gone)
    assert (jump.what, jump.confirmed, jump.unconfirmed) == (JumpOf.CAPACITY, 64, 0)
    assert (jump.principal, jump.since_ms) == (Principal("launcher"), LATER_MS)
    assert confirmed(gone).accelerators == 64
    back = after_report(gone, 0)
    assert unconfirmed_jumps(back) == ()
    assert confirmed(back).accelerators == 64


def test_a_full_state_that_lacks_most_of_the_pool_is_a_fall_too() -> None:
    pool, session = a_reported_pool(), a_session()
    status = PoolStatus(ready=True, unavailable_nodes=tuple(range(7)))

    transaction = synchronised(a_state(pool, session), session, {pool.id: status}, now_ms=LATER_MS)

    assert transaction is not None
    (gone,) = [put.entity for put in transaction.puts if isinstance(put.entity, Pool)]
    assert [(jump.confirmed, jump.unconfirmed) for jump in unconfirmed_jumps(gone)] == [(64, 8)]


def test_nodes_that_go_one_after_the_other_fall_as_if_they_went_at_once() -> None:
    pool = a_reported_pool()

    for unavailable in range(1, 7):
        pool = after_report(pool, unavailable)
        jumps = [(jump.confirmed, jump.unconfirmed) for jump in unconfirmed_jumps(pool)]
        assert jumps == ([(64, 16)] if unavailable == 6 else [])


def test_a_confirmed_fall_is_what_later_ones_are_compared_with() -> None:
    gone = after_report(a_reported_pool(), 7)

    known = after_confirm(gone, accelerators=8)

    assert unconfirmed_jumps(known) == ()
    assert confirmed(known).accelerators == 8
    assert [jump.confirmed for jump in unconfirmed_jumps(after_report(known, 8))] == [8]
    back = after_report(known, 0)
    assert [jump.confirmed for jump in unconfirmed_jumps(after_report(back, 8))] == [64]


def test_a_pool_kept_by_an_earlier_version_is_compared_with_what_was_usable() -> None:
    pool = a_pool(nodes=8)
    assert pool.confirmed_accelerators is None

    assert [jump.confirmed for jump in unconfirmed_jumps(after_report(pool, 8))] == [64]


def with_nodes(pool: Pool, nodes: int) -> PoolSpec:
    return replace(pool.spec, node_groups=(NodeGroup(nodes=nodes, devices_per_node=8),))


@pytest.mark.parametrize(("nodes", "falls"), [(3, False), (2, True)])
def test_an_operator_who_takes_most_nodes_away_must_confirm_it(nodes: int, falls: bool) -> None:
    pool = a_reported_pool()

    after = after_apply(pool, with_nodes(pool, nodes))

    assert after.spec == with_nodes(pool, nodes)
    assert bool(unconfirmed_jumps(after)) is falls
    assert confirmed(after).accelerators == (64 if falls else 8 * nodes)
    assert unconfirmed_jumps(after_apply(pool, with_nodes(pool, nodes), confirms=True)) == ()


def test_a_limit_of_nothing_must_be_confirmed() -> None:
    pool = after_report(a_rented_pool(ready=False), 0)

    after = after_apply(pool, replace(pool.spec, limit_accelerators=0))

    assert [(jump.confirmed, jump.unconfirmed) for jump in unconfirmed_jumps(after)] == [(64, 0)]


def test_another_change_of_the_spec_does_not_confirm_a_fall() -> None:
    pool = a_reported_pool()
    by_spec = after_apply(pool, with_nodes(pool, 1))
    by_launcher = after_report(pool, 8)

    for fallen in (by_spec, by_launcher):
        after = after_apply(fallen, replace(fallen.spec, jurisdiction="eu"))
        assert unconfirmed_jumps(after) == unconfirmed_jumps(fallen)
    meant = after_apply(by_launcher, replace(by_launcher.spec, jurisdiction="eu"), confirms=True)
    assert unconfirmed_jumps(meant) == unconfirmed_jumps(by_launcher)


def test_another_launcher_starts_anew() -> None:
    pool = replace(after_report(a_reported_pool(), 8), cordon=a_pool(cordoned=True).cordon)

    after = after_apply(pool, replace(pool.spec, launcher_id=LauncherId("other")))

    assert unconfirmed_jumps(after) == ()
    assert after.confirmed_accelerators is None
