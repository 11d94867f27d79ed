"""What follows when launchers are out of reach: nothing that time in which we were out of reach explains."""

from collections.abc import Callable, Iterator

import structlog

from scheduler.control.leases import LeaseWatch, LossGuard
from scheduler.control.tools import Tools
from scheduler.model.quarantine import may_be_claimed_unknown
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.transaction import Fence, IsAt, Transaction
from scheduler.model.transitions import runs as run_moves
from scheduler.model.transitions import sessions as session_moves

log = structlog.get_logger()

RENEW_EVERY_MS = 2_000  # of the leader lease
ALIVE_GAP_MS_MAX = 3_500  # longer without a renewal: stalled, or the store was out of reach


class Expiry:
    """Judges launcher leases for one leader."""

    def __init__(self, tools: Tools, fence: Fence) -> None:
        self._tools, self._fence = tools, fence
        self._leases = LeaseWatch()
        self._guard = LossGuard(tools.settings.mass_loss_guard_runs)
        self._disconnections = tools.mirror.disconnections
        self._alive_ms = tools.clock.monotonic_ms()

    def restart_leases(self) -> None:
        """Start every lease at full length: renewals may have gone unseen."""
        self._leases.restart()

    def seen_alive(self) -> None:
        """The leader lease has just been renewed: this process runs and reaches the store."""
        self._restart_after_gap()
        self._alive_ms = self._tools.clock.monotonic_ms()

    def due_in_ms(self) -> int | None:
        """How long until the next lease runs out."""
        monotonic_ms = self._tools.clock.monotonic_ms()
        end_ms = self._leases.next_end_ms(self._tools.mirror.state, monotonic_ms=monotonic_ms)
        return None if end_ms is None else end_ms - monotonic_ms

    async def judge(self) -> None:
        """Declare what has run out, then what follows from it."""
        self._restart_after_gap()
        state, monotonic_ms = self._tools.mirror.state, self._tools.clock.monotonic_ms()
        run_out = self._leases.run_out(state, monotonic_ms=monotonic_ms)
        await self._tools.carry_out(session_moves.expired(state, s, fence=self._fence) for s in run_out)
        for session in run_out:
            self._tools.metrics.control.record_lease_expiry()
            log.warning("launcher_lease_ran_out", launcher_id=session.launcher_id, session=session.number)
        await self._tools.carry_out(unreachable(self._tools.mirror.state, self._now_ms(), fence=self._fence))
        await self._lose()

    async def _lose(self) -> None:
        candidates = losses(self._tools.mirror.state)
        if self._guard.lets_pass(len(candidates), monotonic_ms=self._tools.clock.monotonic_ms()):
            await self._tools.carry_out(
                run_moves.lost(found, judged, now_ms=self._now_ms(), fence=self._fence)
                for found, judged in candidates
            )
        else:
            log.error("mass_loss_guard_held", runs=len(candidates))

    def _now_ms(self) -> int:
        return self._tools.clock.now_ms()

    def _restart_after_gap(self) -> None:
        mirror = self._tools.mirror
        was_lost = not mirror.is_connected or mirror.disconnections != self._disconnections
        self._disconnections = mirror.disconnections
        if was_lost or self._tools.clock.monotonic_ms() - self._alive_ms > ALIVE_GAP_MS_MAX:
            self._leases.restart()


def unreachable(state: State, now_ms: int, *, fence: Fence) -> Iterator[Transaction]:
    """Pools of expired sessions unready, their offers withdrawn, their runs unreachable.

    So too a run that a synchronised session of its launcher did not name: nobody speaks for it.
    """
    for pool in state.pools():
        session = state.session(pool.spec.launcher_id)
        if pool.status.ready and session is not None and not counts(state, session):
            yield session_moves.unready(state, pool, run_moves.judged(state, session), fence=fence)
    for run, session in _held(
        state, lambda run, session: is_over(state, session) or is_orphaned(state, run, session)
    ):
        if may_be_claimed_unknown(state, run):
            continue
        found = run_moves.live_run(state, run.id)
        assert found is not None, run
        if run.state is RunState.PLACED:
            message = "nobody claimed it before the launcher's lease ran out, or the store lost its claim"
            yield run_moves.withdrawn(
                found, EndReason.INFRASTRUCTURE, now_ms=now_ms, fence=fence, message=message
            )
        elif run.state is not RunState.UNREACHABLE:
            yield run_moves.became_unreachable(found, run_moves.judged(state, session), fence=fence)


def counts(state: State, session: LauncherSession) -> bool:
    """Whether a session says what its launcher holds now: it is of this history and has not expired."""
    return session.history == state.history and not session.is_expired


def losses(state: State) -> list[tuple[run_moves.LiveRun, IsAt]]:
    """Unreachable runs that have surely fenced themselves, and the sessions that were judged."""
    runs = _held(state, lambda run, s: is_over(state, s) and run.state is RunState.UNREACHABLE)
    found = [(run_moves.live_run(state, run.id), run_moves.judged(state, session)) for run, session in runs]
    return [(live, judged) for live, judged in found if live is not None and _fences_itself(state, live.run)]


def is_over(state: State, session: LauncherSession) -> bool:
    """Whether the session was seen to expire in this history."""
    return session.history == state.history and session.is_expired


def is_orphaned(state: State, run: Run, session: LauncherSession) -> bool:
    """Whether an earlier session claimed the run and this one has said all that it holds without it."""
    if not session.is_synchronised or session.history != state.history:
        return False
    if run.state is RunState.PLACED:
        return run.history != state.history
    return run.claimed_by is not None and run.claimed_by != session.number


def _held(
    state: State, is_wanted: Callable[[Run, LauncherSession], bool]
) -> list[tuple[Run, LauncherSession]]:
    """Live runs and their launchers' newest sessions, where they are wanted."""
    held = ((run, state.session(run.launcher_id)) for run in state.all_live_runs())
    return [(run, session) for run, session in held if session is not None and is_wanted(run, session)]


def _fences_itself(state: State, run: Run) -> bool:
    pool = state.pool(run.pool_id)
    return pool is not None and pool.spec.self_fencing
