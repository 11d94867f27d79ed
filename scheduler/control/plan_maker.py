"""Plans: when one is due, the best that comes in time, and what of it still holds."""

import asyncio
from contextlib import aclosing
from dataclasses import asdict

import structlog

from scheduler.control import commit
from scheduler.control.agenda import Agenda, has_waiting_replicas, waiting_replicas
from scheduler.control.tools import Tools
from scheduler.model import quarantine, shadow
from scheduler.model.errors import PlannerFailed
from scheduler.model.plan import Plan, PlanMethod, Step
from scheduler.model.transaction import Committed, Fence
from scheduler.telemetry.control_series import CyclePhase

log = structlog.get_logger()

REPLAN_AFTER_MS = 60_000  # while something waits: beliefs about rented capacity change with time
PLAN_RETRY_MS = 1_000


class PlanMaker:
    """Plans and commits for one leader, or only plans beside one. Deadlines are of the monotonic clock."""

    def __init__(self, tools: Tools, agenda: Agenda, fence: Fence | None) -> None:
        """`fence`: None to write nothing, in shadow mode only."""
        assert fence is not None or tools.settings.is_shadow
        self._tools, self._agenda, self._fence = tools, agenda, fence
        self._due_ms = tools.clock.monotonic_ms()

    def due_in_ms(self) -> int | None:
        """How long until time alone calls for a plan; None while nothing waits."""
        if not has_waiting_replicas(self._tools.mirror.state):
            return None
        return max(0, self._due_ms - self._tools.clock.monotonic_ms())

    async def plan_if_due(self) -> None:
        if self._agenda.backlog.is_stale:
            await self._inform_planner()  # before anything waits: starting the planner takes a while
        due_in_ms = self.due_in_ms()
        if due_in_ms is None:
            self._agenda.plan_due = False
        elif self._agenda.plan_due or due_in_ms == 0:
            await self._plan()

    async def _plan(self) -> None:
        started_ms, now_ms = self._tools.clock.monotonic_ms(), self._tools.clock.now_ms()
        self._agenda.plan_due = False
        self._due_ms = started_ms + self._replan_after_ms(now_ms)
        history = self._tools.mirror.state.history
        try:
            await self._inform_planner()
            self._record(CyclePhase.SNAPSHOT, started_ms)
            plan = await self._best_plan(now_ms)
        except PlannerFailed as error:
            log.error("planner_failed", error=str(error))
            self._agenda.backlog.start_over()
            plan = None
        if plan is None or self._tools.mirror.state.history != history:  # what it took for free may be in use
            self._due_ms = self._tools.clock.monotonic_ms() + PLAN_RETRY_MS
        else:
            await self._carry_out(plan, started_ms)

    def _replan_after_ms(self, now_ms: int) -> int:
        """Until the next back-off ends, or the beliefs that the plan rests on have aged."""
        waiting = waiting_replicas(self._tools.mirror.state)
        back_offs = [end_ms - now_ms for r in waiting if (end_ms := r.backs_off_until(now_ms)) is not None]
        return min([REPLAN_AFTER_MS, *back_offs])

    async def _inform_planner(self) -> None:
        await self._agenda.backlog.give(self._tools.planner, self._tools.mirror.state)

    async def _best_plan(self, now_ms: int) -> Plan | None:
        """The improved plan, or, when it takes too long, the last verified one; None if there is none."""
        best: Plan | None = None
        plans = self._tools.planner.plan(now_ms=now_ms, limits=self._tools.settings.limits)
        began_ms = self._tools.clock.monotonic_ms()
        try:
            async with asyncio.timeout(self._tools.settings.watchdog_ms / 1000), aclosing(plans):
                async for plan in plans:
                    best, is_floor = plan, plan.method is PlanMethod.FLOOR
                    began_ms = self._record(CyclePhase.FLOOR if is_floor else CyclePhase.IMPROVE, began_ms)
        except TimeoutError:
            log.warning("plan_cut_off", watchdog_ms=self._tools.settings.watchdog_ms)
            self._tools.metrics.control.record_watchdog()
            await self._tools.planner.interrupt()
        return best

    async def _carry_out(self, plan: Plan, started_ms: int) -> None:
        state = self._tools.mirror.state
        steps = quarantine.allowed(state, commit.steps_that_hold(state, plan))
        if self._tools.settings.is_shadow:
            await self._only_tell(plan, steps)
        else:
            await self._commit(plan, steps, started_ms)

    async def _only_tell(self, plan: Plan, steps: list[Step]) -> None:
        """Compare with what runs and, in office, note why each replica waits; place and stop nothing."""
        comparison = shadow.compared(self._tools.mirror.state, steps)
        if self._fence is not None:
            await self._note(shadow.only_told(plan, steps), self._fence)
            self._tools.metrics.plan.record_plan(plan)
        if len(steps) < len(plan.steps):
            self._due_ms = self._tools.clock.monotonic_ms() + PLAN_RETRY_MS
        self._tools.metrics.shadow.record(comparison, gap=plan.quality.gap)
        log.info(
            "shadow_plan",
            revision=plan.revision,
            method=plan.method,
            deferred=len(plan.deferrals),
            gap=plan.quality.gap,
            planned=asdict(comparison.planned),
            running=asdict(comparison.running),
            stopped=asdict(comparison.stopped),
            stops=[{"run": stop.run_id, "by": stop.by} for stop in comparison.stops],
            pools=[
                {"pool": pool_id, "planned": asdict(planned), "running": asdict(running)}
                for pool_id, planned, running in comparison.pools
            ],
        )

    async def _note(self, plan: Plan, fence: Fence) -> None:
        """Write why the others wait, and what the next plan starts from."""
        tools = self._tools
        await tools.carry_out(commit.deferrals(tools.mirror.state, plan, fence=fence))
        await tools.carry_out(commit.guidance(tools.mirror.state, plan, fence=fence))

    async def _commit(self, plan: Plan, steps: list[Step], started_ms: int) -> None:
        tools, fence = self._tools, self._fence
        assert fence is not None
        began_ms = tools.clock.monotonic_ms()
        outcomes = await tools.carry_out(
            commit.placements(tools.mirror.state, steps, now_ms=tools.clock.now_ms(), fence=fence)
        )
        committed = sum(isinstance(outcome, Committed) for outcome in outcomes)
        await self._note(plan, fence)
        self._record(CyclePhase.COMMIT, began_ms)
        self._report(plan, fence, started_ms, committed=committed)

    def _report(self, plan: Plan, fence: Fence, started_ms: int, *, committed: int) -> None:
        rejected = len(plan.steps) - committed
        if rejected:
            self._due_ms = self._tools.clock.monotonic_ms()
        self._tools.metrics.control.record_steps(committed=committed, rejected=rejected)
        self._tools.metrics.plan.record_plan(plan)
        log.info(
            "plan_committed",
            revision=plan.revision,
            fence=fence.number,
            method=plan.method,
            placed=committed,
            rejected=rejected,
            deferred=len(plan.deferrals),
            took_ms=self._tools.clock.monotonic_ms() - started_ms,
        )

    def _record(self, phase: CyclePhase, began_ms: int) -> int:
        """Take down how long a phase took; when it ended."""
        ended_ms = self._tools.clock.monotonic_ms()
        self._tools.metrics.control.record_phase(phase, seconds=(ended_ms - began_ms) / 1000)
        return ended_ms
