"""The leader preempts: in one step, not on changed grounds, and nobody waits for ever."""

from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from scheduler.model.brakes import FreezeScope
from scheduler.model.deferral import DeferralReason
from scheduler.model.disruption import DisruptionBudget
from scheduler.model.errors import IllegalTransition
from scheduler.model.ids import JobId
from scheduler.model.job import JobSpec
from scheduler.model.plan import Plan, WorkLimits
from scheduler.model.replica import ReplicaState
from scheduler.model.run import EndReason, RunState
from scheduler.model.transitions.settling import AWAITED_END_MS_MAX
from scheduler.planner_process.inline import InlinePlanner
from scheduler.service.freezes import Freezes
from scheduler.service.launchers import SessionRef
from tests.builders import PRIORITY_CLASSES, a_spec
from tests.cell import Cell, a_cell

BATCH: JobSpec = a_spec(priority_class="batch", queue="other", grace_period_ms=30_000)
FRONTIER: JobSpec = a_spec(priority_class="frontier")


async def contended(cell: Cell) -> tuple[SessionRef, JobId, JobId]:
    """A pool full of batch, and a frontier job that waits."""
    await cell.apply_pool()
    ref = await cell.attach()
    batch = await cell.running_job(ref, BATCH)
    frontier = (await cell.submit(FRONTIER)).view.job.id
    return ref, batch, frontier


async def test_the_victim_stops_and_the_place_is_claimed_when_it_has_ended() -> None:
    async with a_cell() as cell:
        ref, batch, frontier = await contended(cell)

        await cell.run_cycle()

        victim, waiting = cell.live_run(batch), cell.live_run(frontier)
        assert (victim.state, victim.stop_reason) == (RunState.STOPPING, EndReason.PREEMPTED)
        assert waiting.after_runs == (victim.id,)
        with pytest.raises(IllegalTransition, match="not offered yet"):
            await cell.claim(ref, waiting.id)

        await cell.report(ref, victim.id, RunState.ENDED, EndReason.PREEMPTED)
        await cell.claim(ref, waiting.id)

        assert cell.run(victim.id).end_reason is EndReason.PREEMPTED
        assert cell.replica(batch).state is ReplicaState.WAITING
        assert len(cell.replica(batch).preemptions) == 1


async def test_nothing_more_happens_while_the_victim_uses_its_grace() -> None:
    async with a_cell() as cell:
        _, batch, frontier = await contended(cell)
        for _ in range(30):  # the smoothed shadow prices settle
            await cell.run_cycle()
        runs = cell.live_run(batch).id, cell.live_run(frontier).id
        revision = cell.mirror.state.revision

        await cell.run_cycle()

        assert cell.mirror.state.revision == revision
        assert runs == (cell.live_run(batch).id, cell.live_run(frontier).id)


async def test_a_place_whose_victim_does_not_end_is_given_up() -> None:
    async with a_cell() as cell:
        _, batch, frontier = await contended(cell)
        await cell.run_cycle()
        waiting = cell.live_run(frontier).id

        cell.clock.pass_ms(BATCH.grace_period_ms + AWAITED_END_MS_MAX)
        await cell.run_cycle()

        assert cell.run(waiting).end_reason is EndReason.INFRASTRUCTURE
        assert "does not end" in cell.run(waiting).message
        assert cell.live_run(batch).state is RunState.STOPPING


async def test_cancelled_while_it_waits_the_place_is_withdrawn() -> None:
    async with a_cell() as cell:
        _, _, frontier = await contended(cell)
        await cell.run_cycle()
        waiting = cell.live_run(frontier).id

        await cell.jobs.cancel(
            frontier, reason="", version=None, principal=cell.caller().principal, request_id="cancel"
        )
        await cell.run_cycle()

        assert cell.run(waiting).end_reason is EndReason.CANCELLED


class InterferingPlanner(InlinePlanner):
    """Lets something happen while it plans."""

    def __init__(self) -> None:
        super().__init__(PRIORITY_CLASSES)
        self.happens: Callable[[], Awaitable[object]] | None = None

    async def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        async for plan in super().plan(now_ms=now_ms, limits=limits):
            if self.happens is not None:
                happens, self.happens = self.happens, None
                await happens()
            yield plan


async def test_a_freeze_of_the_victims_queue_comes_first_or_not_at_all() -> None:
    planner = InterferingPlanner()
    async with a_cell(planner=planner) as cell:
        _, batch, frontier = await contended(cell)
        freezes = Freezes(cell.parts)

        async def freeze() -> None:
            await freezes.freeze(FreezeScope.QUEUE, "other", reason="now", caller=cell.caller())

        planner.happens = freeze
        await cell.run_cycle()

        assert cell.live_run(batch).state is RunState.RUNNING
        assert cell.replica(frontier).state is ReplicaState.WAITING


async def test_a_victim_that_ends_meanwhile_is_not_preempted() -> None:
    planner = InterferingPlanner()
    async with a_cell(planner=planner) as cell:
        ref, batch, frontier = await contended(cell)
        run_id = cell.live_run(batch).id

        async def end() -> None:
            await cell.report(ref, run_id, RunState.ENDED, EndReason.SUCCEEDED)

        planner.happens = end
        await cell.run_cycle()
        assert cell.replica(frontier).state is ReplicaState.WAITING
        await cell.run_cycle()

        assert cell.run(run_id).end_reason is EndReason.SUCCEEDED
        assert cell.live_run(frontier).after_runs == ()


async def test_without_a_budget_nothing_is_stopped_and_the_reason_is_told() -> None:
    planner = InlinePlanner(PRIORITY_CLASSES, DisruptionBudget(pool_stops_per_hour_max=0))
    async with a_cell(planner=planner) as cell:
        _, batch, frontier = await contended(cell)

        await cell.run_cycle()

        deferral = cell.replica(frontier).deferral
        assert cell.live_run(batch).state is RunState.RUNNING
        assert deferral is not None
        assert deferral.reason is DeferralReason.DISRUPTION_BUDGET
