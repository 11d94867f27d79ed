"""Lease lengths: the shortest of a launcher's pools, but never shorter than one it may still count on."""

from dataclasses import replace

import pytest

from scheduler.model.ids import LauncherId, Principal
from scheduler.model.jumps import Word
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.transaction import Transaction
from scheduler.model.transitions.fleet import applied
from scheduler.model.transitions.sessions import (
    LEASE_WITHOUT_POOLS_MS,
    lease_duration_ms,
    opened,
    renewed,
)
from tests.builders import NOW_MS, PRINCIPAL, a_pool, a_session, a_state

LAUNCHER = LauncherId("launcher")
SHORT_MS, LONG_MS = 30_000, 300_000


def with_pools(*lease_durations_ms: int, session: LauncherSession | None = None) -> State:
    """The launcher's pools with these leases, its session, and a pool of another launcher."""
    pools = [a_pool(f"pool-{i}", lease_duration_ms=ms) for i, ms in enumerate(lease_durations_ms)]
    foreign = a_pool("foreign", launcher_id=LauncherId("other"), lease_duration_ms=6_000)
    return a_state(foreign, *pools, *([] if session is None else [session]))


def session_of(transaction: Transaction) -> LauncherSession:
    (put,) = transaction.puts
    assert isinstance(put.entity, LauncherSession)
    return put.entity


def newly_opened(state: State) -> LauncherSession:
    return session_of(opened(state, LAUNCHER, principal=Principal("p"), version="1", now_ms=NOW_MS))


def test_a_lease_is_as_long_as_the_shortest_of_the_launchers_own_pools() -> None:
    assert newly_opened(with_pools(LONG_MS, SHORT_MS)).lease_duration_ms == SHORT_MS


def test_a_launcher_without_pools_gets_a_short_lease() -> None:
    assert newly_opened(with_pools()).lease_duration_ms == LEASE_WITHOUT_POOLS_MS == 10_000


def test_a_short_lease_becomes_long_with_the_first_pool() -> None:
    session = a_session(lease_duration_ms=LEASE_WITHOUT_POOLS_MS)

    fresh = session_of(renewed(with_pools(LONG_MS, session=session), session))

    assert fresh.lease_duration_ms == LONG_MS


def test_a_renewal_never_shortens_the_lease() -> None:
    session = a_session(lease_duration_ms=LONG_MS)

    fresh = session_of(renewed(with_pools(SHORT_MS, session=session), session))

    assert fresh.lease_duration_ms == LONG_MS
    assert fresh.renewal_number == session.renewal_number + 1


def test_a_new_session_does_not_shorten_the_lease_that_the_one_before_may_still_count_on() -> None:
    newer = newly_opened(with_pools(SHORT_MS, session=a_session(lease_duration_ms=LONG_MS)))

    assert newer.lease_duration_ms == LONG_MS
    assert newer.number == 2


def test_a_lease_gets_shorter_once_it_has_run_out() -> None:
    over = a_session(lease_duration_ms=LONG_MS, is_expired=True)

    newer = newly_opened(with_pools(SHORT_MS, session=over))

    assert newer.lease_duration_ms == SHORT_MS
    assert not newer.is_expired


def test_the_last_pool_that_goes_does_not_shorten_the_lease() -> None:
    state = with_pools(session=a_session(lease_duration_ms=LONG_MS))

    assert lease_duration_ms(state, LAUNCHER) == LONG_MS


@pytest.mark.parametrize("other", [LAUNCHER, LauncherId("other")])
def test_only_another_launcher_makes_a_pool_start_without_a_status(other: LauncherId) -> None:
    pool = replace(a_pool(cordoned=True, unavailable_nodes=(0,)), spec_generation=4)
    spec = a_pool(nodes=2, launcher_id=other).spec

    transaction = applied(a_state(pool), pool.id, spec, word=Word(principal=PRINCIPAL, said_at_ms=NOW_MS))

    assert transaction is not None
    (put,) = transaction.puts
    kept = (pool.status, 8) if other == LAUNCHER else (type(pool.status)(), None)
    assert put.entity == replace(
        pool, spec=spec, spec_generation=5, status=kept[0], confirmed_accelerators=kept[1]
    )
