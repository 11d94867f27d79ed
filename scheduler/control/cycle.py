"""One cycle of the leader. Each is equivalent to: load all state, settle, judge leases, plan, commit."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from scheduler.control import commit, leases
from scheduler.control.agenda import Agenda, next_timeout_ms, plan_due_at_ms
from scheduler.control.leases import LeaseWatch
from scheduler.mirror.mirror import Mirror
from scheduler.mirror.writes import catch_up, revision_of
from scheduler.model.errors import PlannerFailed
from scheduler.model.plan import Plan, PlanMethod, WorkLimits
from scheduler.model.transaction import Committed, Fence, Outcome, Transaction
from scheduler.model.transitions import sessions as session_moves
from scheduler.model.transitions.settling import removals, settlements
from scheduler.ports import Clock, Planner, StateStore
from scheduler.telemetry.control_series import CyclePhase
from scheduler.telemetry.metrics import Metrics

log = structlog.get_logger()

TRANSACTIONS_PER_CALL_MAX = 500
SETTLE_ROUNDS_MAX = 8  # moves that follow from moves: withdrawn, then done, then finished
REMOVALS_EVERY_MS = 60_000
PLAN_RETRY_MS = 1_000
RENEW_EVERY_MS = 3_000  # of the leader lease
ALIVE_GAP_MS_MAX = 2 * RENEW_EVERY_MS  # longer without a renewal: stalled, or the store was out of reach


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """How the leader behaves.

    Attributes:
        watchdog_ms: wall time after which a plan is cut off and the last verified one is committed.
        mass_loss_guard_runs: more runs than this are never declared lost at once without an operator.
    """

    limits: WorkLimits
    watchdog_ms: int
    mass_loss_guard_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a cycle works with."""

    store: StateStore
    mirror: Mirror
    clock: Clock
    planner: Planner
    metrics: Metrics
    settings: ControlSettings


class Cycle:
    """Runs cycles under one fence."""

    def __init__(self, tools: Tools, agenda: Agenda, fence: Fence) -> None:
        self._tools, self._agenda, self._fence = tools, agenda, fence
        self._leases = LeaseWatch()
        self._disconnections = tools.mirror.disconnections
        self._planned_at_ms = 0
        self._retry_at_ms: int | None = None
        self._removed_at_ms = tools.clock.now_ms()
        self._alive_ms = tools.clock.monotonic_ms()
        self._number = 0
        self._is_caught_up = False

    async def run(self) -> None:
        """One cycle.

        Raises:
            LostLeadership: another leads; nothing more may be done under this fence.
            StoreUnavailable: the outcome of what was being written is unknown; the next cycle sees it.
        """
        self._number += 1
        self._agenda.changed.clear()
        await self._catch_up()
        await self._settle()
        await self._judge_leases()
        if self._is_plan_due():
            await self._plan()

    def sleep_ms(self) -> int | None:
        """How long nothing is due unless something changes; None for ever."""
        state, clock = self._tools.mirror.state, self._tools.clock
        now_ms, monotonic_ms = clock.now_ms(), clock.monotonic_ms()
        lease_ms = self._leases.next_end_ms(state, monotonic_ms=monotonic_ms)
        plan_ms = plan_due_at_ms(state, now_ms=now_ms, planned_at_ms=self._planned_at_ms)
        due = [t - now_ms for t in (plan_ms, next_timeout_ms(state), self._retry_at_ms) if t is not None]
        due += [] if lease_ms is None else [lease_ms - monotonic_ms]
        due += [self._removed_at_ms + REMOVALS_EVERY_MS - now_ms] if state.finished_jobs() else []
        return max(0, min(due)) if due else None

    def seen_alive(self) -> None:
        """The leader lease has just been renewed: this process runs and reaches the store."""
        self._restart_leases_after_gap()
        self._alive_ms = self._tools.clock.monotonic_ms()

    def _restart_leases_after_gap(self) -> None:
        if self._tools.clock.monotonic_ms() - self._alive_ms > ALIVE_GAP_MS_MAX:
            self._leases.restart()

    def broken_off(self) -> None:
        """What was being written may be there or not, and renewals may have gone unseen."""
        self._is_caught_up = False
        self._leases.restart()

    async def _catch_up(self) -> None:
        """Before deciding anything, see what earlier leaders wrote, and what this one wrote unanswered."""
        if not self._is_caught_up:
            await catch_up(self._tools.store, self._tools.mirror, fence=self._fence)
            self._is_caught_up = True

    async def _settle(self) -> None:
        for _ in range(SETTLE_ROUNDS_MAX):
            now_ms = self._tools.clock.now_ms()
            due = list(settlements(self._tools.mirror.state, now_ms=now_ms, fence=self._fence))
            if not due:
                break
            await self._carry_out(due)
        await self._remove_finished()

    async def _remove_finished(self) -> None:
        now_ms = self._tools.clock.now_ms()
        if now_ms - self._removed_at_ms >= REMOVALS_EVERY_MS:
            self._removed_at_ms = now_ms
            await self._carry_out(removals(self._tools.mirror.state, now_ms=now_ms, fence=self._fence))

    async def _judge_leases(self) -> None:
        mirror, clock = self._tools.mirror, self._tools.clock
        if not mirror.is_connected or mirror.disconnections != self._disconnections:
            self._disconnections = mirror.disconnections
            self._leases.restart()
        self._restart_leases_after_gap()
        run_out = self._leases.run_out(mirror.state, monotonic_ms=clock.monotonic_ms())
        await self._carry_out(
            session_moves.expired(mirror.state, session, fence=self._fence) for session in run_out
        )
        for session in run_out:
            self._tools.metrics.control.record_lease_expiry()
            log.warning("launcher_lease_ran_out", launcher_id=session.launcher_id, session=session.number)
        await self._follow_expired_sessions()

    async def _follow_expired_sessions(self) -> None:
        guard = self._tools.settings.mass_loss_guard_runs
        for _ in range(2):  # unreachable first, then lost
            moves = leases.consequences(
                self._tools.mirror.state,
                fence=self._fence,
                now_ms=self._tools.clock.now_ms(),
                mass_loss_guard_runs=guard,
            )
            await self._carry_out(moves)
        held = leases.guarded_runs(self._tools.mirror.state, mass_loss_guard_runs=guard)
        if held:
            log.error("mass_loss_guard_held", runs=held, guard_runs=guard)

    def _is_plan_due(self) -> bool:
        now_ms = self._tools.clock.now_ms()
        if self._retry_at_ms is not None and self._retry_at_ms <= now_ms:
            return True
        state = self._tools.mirror.state
        due_ms = plan_due_at_ms(state, now_ms=now_ms, planned_at_ms=self._planned_at_ms)
        return due_ms is not None and (self._agenda.plan_due or due_ms <= now_ms)

    async def _plan(self) -> None:
        started_ms = self._tools.clock.monotonic_ms()
        now_ms = self._tools.clock.now_ms()
        self._agenda.plan_due, self._retry_at_ms = False, None
        try:
            await self._inform_planner()
            seconds = (self._tools.clock.monotonic_ms() - started_ms) / 1000
            self._tools.metrics.control.record_phase(CyclePhase.SNAPSHOT, seconds=seconds)
            plan = await self._best_plan(now_ms)
        except PlannerFailed as error:
            log.error("planner_failed", cycle=self._number, error=str(error))
            self._agenda.planner_is_stale = True
            plan = None
        self._planned_at_ms = now_ms
        if plan is None:
            self._retry_at_ms = self._tools.clock.now_ms() + PLAN_RETRY_MS
            return
        await self._commit(plan, started_ms)

    async def _inform_planner(self) -> None:
        agenda, planner = self._agenda, self._tools.planner
        if agenda.planner_is_stale:
            agenda.planner_is_stale = False
            agenda.unseen.clear()
            await planner.reset(self._tools.mirror.state)
        else:
            commits, agenda.unseen = agenda.unseen, []
            await planner.observe(commits)

    async def _best_plan(self, now_ms: int) -> Plan | None:
        """The improved plan, or, when it takes too long, the last verified one; None if there is none."""
        best: Plan | None = None
        plans = self._tools.planner.plan(now_ms=now_ms, limits=self._tools.settings.limits)
        phase_started_ms = self._tools.clock.monotonic_ms()
        try:
            async with asyncio.timeout(self._tools.settings.watchdog_ms / 1000), aclosing(plans):
                async for plan in plans:
                    best = plan
                    phase_started_ms = self._record_phase(plan, phase_started_ms)
        except TimeoutError:
            log.warning("plan_cut_off", cycle=self._number, watchdog_ms=self._tools.settings.watchdog_ms)
            self._tools.metrics.control.record_watchdog()
            await self._tools.planner.interrupt()
        return best

    def _record_phase(self, plan: Plan, started_ms: int) -> int:
        ended_ms = self._tools.clock.monotonic_ms()
        phase = CyclePhase.FLOOR if plan.method is PlanMethod.FLOOR else CyclePhase.IMPROVE
        self._tools.metrics.control.record_phase(phase, seconds=(ended_ms - started_ms) / 1000)
        return ended_ms

    async def _commit(self, plan: Plan, started_ms: int) -> None:
        state, clock = self._tools.mirror.state, self._tools.clock
        commit_started_ms = clock.monotonic_ms()
        steps = commit.steps_that_hold(state, plan)
        moves = commit.placements(state, steps, now_ms=clock.now_ms(), fence=self._fence)
        outcomes = await self._carry_out(moves)
        committed = sum(isinstance(outcome, Committed) for outcome in outcomes)
        state = self._tools.mirror.state
        await self._carry_out(commit.deferrals(state, plan, fence=self._fence))
        await self._carry_out(commit.guidance(state, plan, fence=self._fence))
        rejected = len(plan.steps) - committed
        if rejected:
            self._retry_at_ms = clock.now_ms()
        self._report(plan, committed=committed, rejected=rejected)
        seconds = (clock.monotonic_ms() - commit_started_ms) / 1000
        self._tools.metrics.control.record_phase(CyclePhase.COMMIT, seconds=seconds)
        log.info(
            "plan_committed",
            cycle=self._number,
            revision=plan.revision,
            fence=self._fence.number,
            method=plan.method,
            placed=committed,
            rejected=rejected,
            deferred=len(plan.deferrals),
            took_ms=clock.monotonic_ms() - started_ms,
        )

    def _report(self, plan: Plan, *, committed: int, rejected: int) -> None:
        self._tools.metrics.control.record_steps(committed=committed, rejected=rejected)
        self._tools.metrics.plan.record_plan(plan)

    async def _carry_out(self, moves: Iterable[Transaction]) -> list[Outcome]:
        """Write each move that still holds; what does not is computed anew in the next cycle."""
        pending, outcomes = list(moves), list[Outcome]()
        for start in range(0, len(pending), TRANSACTIONS_PER_CALL_MAX):
            chunk = pending[start : start + TRANSACTIONS_PER_CALL_MAX]
            outcomes += await self._tools.store.transact(chunk)
        if outcomes:
            await self._tools.mirror.caught_up(max(revision_of(outcome) for outcome in outcomes))
        return outcomes
