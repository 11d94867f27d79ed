"""Moves of launcher sessions: opened, synchronised, renewed, expired."""

from collections.abc import Mapping
from dataclasses import replace

from scheduler.model.errors import StaleSession
from scheduler.model.ids import LauncherId, PoolId, Principal
from scheduler.model.jumps import with_status
from scheduler.model.limits import CHANGES_PER_TRANSACTION_MAX
from scheduler.model.pool import Pool, PoolStatus
from scheduler.model.records import Entity, Key, Kind, key_of
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.transaction import Check, Fence, IsAbsent, IsAt, Put, Transaction
from scheduler.model.transitions.runs import same_session

LEASE_WITHOUT_POOLS_MS = 10_000  # short, because a lease is easily made longer but not shorter


def served_pools(state: State, launcher_id: LauncherId) -> list[Pool]:
    """The launcher's pools by id."""
    return [pool for pool in state.pools() if pool.spec.launcher_id == launcher_id]


def lease_duration_ms(state: State, launcher_id: LauncherId) -> int:
    """The shortest lease of the launcher's pools; never shorter than one that it may still count on.

    Whether the answer to a renewal got through is not known, so a lease gets shorter only after it ran out.
    """
    durations = [pool.spec.lease_duration_ms for pool in served_pools(state, launcher_id)]
    shortest, old = min(durations, default=LEASE_WITHOUT_POOLS_MS), state.session(launcher_id)
    return shortest if old is None or old.is_expired else max(shortest, old.lease_duration_ms)


def opened(
    state: State, launcher_id: LauncherId, *, principal: Principal, version: str, now_ms: int
) -> Transaction:
    """A new session, which makes every older one of the launcher stale."""
    key = Key(Kind.SESSION, launcher_id)
    old = state.session(launcher_id)
    check: Check = IsAbsent(key) if old is None else IsAt(key, state.version(key))
    session = LauncherSession(
        launcher_id=launcher_id,
        number=1 if old is None else old.number + 1,
        principal=principal,
        lease_duration_ms=lease_duration_ms(state, launcher_id),
        renewal_number=1 if old is None else old.renewal_number + 1,
        opened_at_ms=now_ms,
        version=version,
        history=state.history,
    )
    return Transaction(checks=(check,), puts=(Put(entity=session, replans=True),))


def current_session(state: State, launcher_id: LauncherId, number: int) -> LauncherSession:
    """The launcher's session, if it is the newest, of this history and has not expired.

    Raises:
        StaleSession: attach again.
    """
    session = state.session(launcher_id)
    if session is None:
        raise StaleSession(f"launcher {launcher_id!r} has no session: attach first")
    if session.number != number:
        raise StaleSession(
            f"session {number} of launcher {launcher_id!r} is not {session.number}, the newest"
        )
    if session.history != state.history:
        raise StaleSession(
            f"session {number} of launcher {launcher_id!r} is of an earlier history: attach again"
        )
    if session.is_expired:
        raise StaleSession(f"session {number} of launcher {launcher_id!r} has expired: attach again")
    return session


def synchronised(
    state: State, session: LauncherSession, statuses: Mapping[PoolId, PoolStatus], *, now_ms: int
) -> Transaction | None:
    """The launcher has sent its full state: its pools become ready together; None when that is known.

    Together, so that no plan is made for the first of them alone.
    """
    pools = [pool for pool in served_pools(state, session.launcher_id) if pool.id in statuses]
    changed = [
        with_status(pool, statuses[pool.id], principal=session.principal, now_ms=now_ms)
        for pool in pools
        if pool.status != statuses[pool.id]
    ]
    if session.is_synchronised and not changed:
        return None
    entities: list[Entity] = [*changed[: CHANGES_PER_TRANSACTION_MAX - 1]]
    if len(entities) == len(changed):
        entities.append(replace(session, is_synchronised=True))
    keys = [key_of(entity) for entity in entities]
    return Transaction(
        checks=(same_session(state, session), *(IsAt(key, state.version(key)) for key in keys)),
        puts=tuple(Put(entity=entity, replans=True) for entity in entities),
    )


def renewed(state: State, session: LauncherSession) -> Transaction:
    """The launcher lease starts anew, with the lengths that hold now."""
    key = Key(Kind.SESSION, session.launcher_id)
    fresh = replace(
        session,
        renewal_number=session.renewal_number + 1,
        lease_duration_ms=lease_duration_ms(state, session.launcher_id),
    )
    return Transaction(checks=(IsAt(key, state.version(key)),), puts=(Put(entity=fresh),))


def expired(state: State, session: LauncherSession, *, fence: Fence) -> Transaction:
    """The leader saw no renewal for a whole lease of this history."""
    key = Key(Kind.SESSION, session.launcher_id)
    is_known = session.is_synchronised and session.history == state.history
    over = replace(session, is_expired=True, is_synchronised=is_known, history=state.history)
    return Transaction(
        checks=(IsAt(key, state.version(key)),),
        puts=(Put(entity=over, replans=True),),
        fence=fence,
    )


def status_reported(
    state: State, pool: Pool, session: LauncherSession, *, status: PoolStatus, now_ms: int
) -> Transaction | None:
    """What the launcher says of a pool; None when it said so before."""
    if pool.status == status:
        return None
    key = Key(Kind.POOL, pool.id)
    said = with_status(pool, status, principal=session.principal, now_ms=now_ms)
    return Transaction(
        checks=(IsAt(key, state.version(key)), same_session(state, session)),
        puts=(Put(entity=said, replans=True),),
    )


def unready(state: State, pool: Pool, session: IsAt, *, fence: Fence) -> Transaction:
    """A pool whose launcher session no longer counts takes nothing new."""
    key = Key(Kind.POOL, pool.id)
    return Transaction(
        checks=(IsAt(key, state.version(key)), session),
        puts=(Put(entity=replace(pool, status=replace(pool.status, ready=False)), replans=True),),
        fence=fence,
    )
