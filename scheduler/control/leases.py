"""Launcher leases, judged by the leader's monotonic clock from when it saw the last renewal."""

from collections.abc import Iterator

from scheduler.model.ids import LauncherId
from scheduler.model.records import Key, Kind
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.transaction import Fence, Transaction
from scheduler.model.transitions import runs as run_moves
from scheduler.model.transitions import sessions as session_moves

Renewal = tuple[int, int]  # session number, renewal number


class LeaseWatch:
    """When each launcher lease was last seen renewed. A new one starts every lease at full length."""

    def __init__(self) -> None:
        self._seen: dict[LauncherId, tuple[Renewal, int]] = {}

    def restart(self) -> None:
        """Every lease starts anew: time has passed in which renewals could not have been seen."""
        self._seen.clear()

    def run_out(self, state: State, *, monotonic_ms: int) -> list[LauncherSession]:
        """Sessions whose lease has run out and which have not been declared expired yet."""
        live = [session for session in state.sessions() if not session.is_expired]
        return [s for s in live if self._ends_ms(s, monotonic_ms) <= monotonic_ms]

    def next_end_ms(self, state: State, *, monotonic_ms: int) -> int | None:
        """When the next lease runs out if it is not renewed."""
        live = [session for session in state.sessions() if not session.is_expired]
        return min((self._ends_ms(session, monotonic_ms) for session in live), default=None)

    def _ends_ms(self, session: LauncherSession, monotonic_ms: int) -> int:
        renewal = session.number, session.renewal_number
        known = self._seen.get(session.launcher_id)
        if known is None or known[0] != renewal:
            known = self._seen[session.launcher_id] = renewal, monotonic_ms
        return known[1] + session.lease_duration_ms


def consequences(
    state: State, *, fence: Fence, now_ms: int, mass_loss_guard_runs: int
) -> Iterator[Transaction]:
    """What follows from expired sessions: pools unready, offers withdrawn, runs unreachable or lost.

    Runs on pools that fence themselves are surely stopped by now; beyond the guard an operator must say so.
    """
    runs = [run for run in state.all_live_runs() if _is_expired(state, run)]
    lost = [run for run in runs if run.state is RunState.UNREACHABLE and _fences_itself(state, run)]
    guarded = len(lost) > mass_loss_guard_runs
    yield from _unready_pools(state, fence=fence)
    for run in runs:
        yield from _of_run(state, run, fence=fence, now_ms=now_ms, guarded=guarded)


def guarded_runs(state: State, *, mass_loss_guard_runs: int) -> int:
    """Runs that would be declared lost but for the guard; 0 when it does not hold them."""
    runs = [run for run in state.all_live_runs() if _is_expired(state, run)]
    lost = [run for run in runs if run.state is RunState.UNREACHABLE and _fences_itself(state, run)]
    return len(lost) if len(lost) > mass_loss_guard_runs else 0


def _unready_pools(state: State, *, fence: Fence) -> Iterator[Transaction]:
    for pool in state.pools():
        session = state.session(pool.spec.launcher_id)
        if pool.status.ready and session is not None and session.is_expired:
            judged = run_moves.judged(state, session)
            yield session_moves.unready(state, pool, judged, fence=fence)


def _of_run(state: State, run: Run, *, fence: Fence, now_ms: int, guarded: bool) -> Iterator[Transaction]:
    session, found = state.session(run.launcher_id), run_moves.live_run(state, run.id)
    assert session is not None, run
    assert found is not None, run
    judged = run_moves.judged(state, session)
    if run.state is RunState.PLACED:
        message = "the launcher's lease ran out before it claimed the run"
        yield run_moves.withdrawn(
            found, EndReason.INFRASTRUCTURE, now_ms=now_ms, fence=fence, message=message
        )
    elif run.state is not RunState.UNREACHABLE:
        yield run_moves.became_unreachable(found, judged, fence=fence)
    elif _fences_itself(state, run) and not guarded:
        yield run_moves.lost(found, judged, now_ms=now_ms, fence=fence)


def _is_expired(state: State, run: Run) -> bool:
    session = state.session(run.launcher_id)
    return session is not None and session.is_expired


def _fences_itself(state: State, run: Run) -> bool:
    record = state.record(Key(Kind.POOL, run.pool_id))
    pool = None if record is None else state.pool(run.pool_id)
    return pool is not None and pool.spec.self_fencing
