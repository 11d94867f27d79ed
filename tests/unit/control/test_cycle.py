"""The cycle: settles, plans, commits, and changes nothing when nothing is due."""

from collections.abc import AsyncGenerator, Sequence

from scheduler.model.deferral import DeferralReason
from scheduler.model.errors import PlannerFailed
from scheduler.model.ids import PoolId, RunId
from scheduler.model.job import JobPhase
from scheduler.model.plan import Plan, PlanMethod, WorkLimits
from scheduler.model.records import Key, Kind
from scheduler.model.replica import ReplicaState
from scheduler.model.retention import RETENTION_DEFAULT, Retention
from scheduler.model.run import EndReason, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.model.transitions.runs import RUNS_KEPT_PER_REPLICA
from scheduler.planner_process.inline import InlinePlanner
from tests.builders import PRIORITY_CLASSES, a_pool, a_spec
from tests.cell import USER, Cell, a_cell, control_settings


async def cancel(cell: Cell, job_id: str) -> None:
    await cell.jobs.cancel(
        cell.job(job_id).id,  # type: ignore[arg-type]  # a plain id in tests
        reason="",
        version=None,
        principal=USER,
        request_id=f"r-{next(cell.request_numbers)}",
    )


async def test_a_job_that_fits_gets_a_run_with_a_reason() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        await cell.attach()
        job_id = (await cell.submit()).view.job.id

        await cell.run_cycle()

        run = cell.live_run(job_id)
        assert (run.state, run.pool_id, run.run_token) == (RunState.PLACED, PoolId("pool"), 1)
        assert run.placement.term_usd_micros_per_hour > 0
        assert cell.replica(job_id).live_run == run.id


async def test_a_job_that_does_not_fit_waits_with_a_reason_and_numbers() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        await cell.attach()
        job_id = (await cell.submit(a_spec("h100:64"))).view.job.id

        await cell.run_cycle()

        deferral = cell.replica(job_id).deferral
        assert deferral is not None
        assert deferral.reason is DeferralReason.FITS_NO_POOL
        assert deferral.accelerators_needed == 64


async def test_a_second_cycle_without_a_change_writes_nothing() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        await cell.attach()
        await cell.submit()
        await cell.submit(a_spec("h100:64"))
        for _ in range(30):  # the smoothed shadow prices settle
            await cell.run_cycle()
        revision = cell.mirror.state.revision

        await cell.run_cycle()

        assert cell.mirror.state.revision == revision


async def test_nothing_is_due_until_something_changes() -> None:
    async with a_cell() as cell:
        await cell.run_cycle()

        assert cell.cycle.sleep_ms() is None


async def test_a_cancelled_offer_is_withdrawn_and_the_job_finishes() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        await cell.attach()
        job_id = (await cell.submit()).view.job.id
        await cell.run_cycle()
        await cancel(cell, job_id)

        await cell.run_cycle()

        assert cell.job(job_id).outcome is JobPhase.CANCELLED
        assert cell.first_run(job_id).end_reason is EndReason.CANCELLED


async def test_a_cancelled_run_is_stopped_and_its_job_finishes_when_the_launcher_says_so() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref)
        await cancel(cell, job_id)
        await cell.run_cycle()
        run = cell.live_run(job_id)
        assert (run.state, run.stop_reason, run.generation) == (RunState.STOPPING, EndReason.CANCELLED, 2)

        await cell.report(ref, run.id, RunState.ENDED, EndReason.CANCELLED)
        await cell.run_cycle()

        assert cell.job(job_id).outcome is JobPhase.CANCELLED


async def test_a_real_exit_wins_over_the_stop_reason() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref)
        await cancel(cell, job_id)
        await cell.run_cycle()

        await cell.report(ref, cell.live_run(job_id).id, RunState.ENDED, EndReason.SUCCEEDED)
        await cell.run_cycle()

        assert cell.first_run(job_id).end_reason is EndReason.SUCCEEDED
        assert cell.job(job_id).outcome is JobPhase.SUCCEEDED


async def test_a_run_that_reaches_its_max_duration_is_stopped_and_the_job_fails() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref, a_spec(max_duration_ms=60_000))
        assert cell.cycle.sleep_ms() == 60_000
        cell.clock.pass_ms(60_000)

        await cell.run_cycle()
        assert cell.live_run(job_id).stop_reason is EndReason.TIMEOUT
        await cell.report(ref, cell.live_run(job_id).id, RunState.ENDED, EndReason.TIMEOUT)
        await cell.run_cycle()

        assert cell.job(job_id).outcome is JobPhase.FAILED


async def test_every_replica_of_a_big_service_is_made() -> None:
    async with a_cell() as cell:
        job_id = (await cell.submit(a_spec(replicas=301))).view.job.id

        await cell.run_cycle()

        assert len(cell.mirror.state.replicas_of(cell.job(job_id))) == 301


async def test_a_replica_that_backs_off_is_placed_when_its_time_has_come() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref)
        await cell.report(ref, cell.live_run(job_id).id, RunState.ENDED, EndReason.INFRASTRUCTURE)

        await cell.run_cycle()
        deferral = cell.replica(job_id).deferral
        assert deferral is not None
        assert deferral.reason is DeferralReason.BACKING_OFF
        due_ms = cell.cycle.sleep_ms()
        assert due_ms == 5_000
        cell.clock.pass_ms(due_ms)
        await cell.run_cycle()

        assert cell.live_run(job_id).run_number == 2


async def test_a_finished_job_is_forgotten_with_all_its_parts_after_its_retention() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref)
        await cell.report(ref, cell.live_run(job_id).id, RunState.ENDED, EndReason.SUCCEEDED)
        await cell.run_cycle()
        request_key = cell.job(job_id).request_key
        cell.clock.pass_ms(RETENTION_DEFAULT.after_submission_ms)

        await cell.run_cycle()

        kinds = (Kind.JOB, Kind.REPLICA, Kind.RUN)
        assert [cell.mirror.state.count(kind) for kind in kinds] == [0, 0, 0]
        assert await cell.memory.get(Key(Kind.PAYLOAD, job_id)) is None
        assert await cell.memory.get(Key(Kind.IDEMPOTENCY, request_key)) is None


async def test_a_job_is_kept_as_long_as_both_retentions_say() -> None:
    retention = Retention(after_submission_ms=300_000, after_end_ms=120_000)
    async with a_cell(settings=control_settings(retention=retention)) as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref)
        cell.clock.pass_ms(240_000)
        await cell.report(ref, cell.live_run(job_id).id, RunState.ENDED, EndReason.SUCCEEDED)
        await cell.run_cycle()
        kept = []
        for _ in range(2):
            cell.clock.pass_ms(61_000)
            await cell.run_cycle()
            kept.append(cell.mirror.state.count(Kind.JOB))

        assert kept == [1, 0]


class CuttingPlanner(InlinePlanner):
    """Takes for ever once it has given the floor."""

    async def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        import asyncio

        async for plan in super().plan(now_ms=now_ms, limits=limits):
            yield plan
            await asyncio.Event().wait()


async def test_a_plan_that_takes_too_long_is_cut_off_and_the_verified_floor_is_committed() -> None:
    planner = CuttingPlanner(PRIORITY_CLASSES)
    async with a_cell(planner=planner, settings=control_settings(watchdog_ms=10)) as cell:
        await cell.apply_pool()
        await cell.attach()
        job_id = (await cell.submit()).view.job.id

        await cell.run_cycle()

        assert cell.replica(job_id).state is ReplicaState.PLACED
        watchdog = cell.metrics.registry.get_sample_value("placewright_plan_watchdog_total")
        assert watchdog == 1


class DyingPlanner(InlinePlanner):
    """Dies once, then works."""

    def __init__(self) -> None:
        super().__init__(PRIORITY_CLASSES)
        self.resets = 0

    async def reset(self, state: State) -> None:
        self.resets += 1
        await super().reset(state)

    async def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        if self.resets == 1:
            raise PlannerFailed("killed")
        async for plan in super().plan(now_ms=now_ms, limits=limits):
            yield plan


async def test_after_a_planners_death_the_next_cycle_plans_from_the_whole_state() -> None:
    async with a_cell(planner=DyingPlanner()) as cell:
        await cell.apply_pool()
        await cell.attach()
        job_id = (await cell.submit()).view.job.id

        await cell.run_cycle()
        assert cell.replica(job_id).state is ReplicaState.WAITING
        cell.clock.pass_ms(cell.cycle.sleep_ms() or 0)
        await cell.run_cycle()

        assert cell.replica(job_id).state is ReplicaState.PLACED


class InterferingPlanner(InlinePlanner):
    """Lets something happen while it plans."""

    def __init__(self) -> None:
        super().__init__(PRIORITY_CLASSES)
        self.cell: Cell | None = None

    async def observe(self, commits: Sequence[Commit]) -> None:
        await super().observe(commits)

    async def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        async for plan in super().plan(now_ms=now_ms, limits=limits):
            if plan.method is PlanMethod.IMPROVED and self.cell is not None:
                cell, self.cell = self.cell, None
                await cell.fleet.cordon(PoolId("a"), reason="now", caller=cell.caller())
            yield plan


async def test_a_step_that_no_longer_holds_is_rejected_alone_and_planned_anew() -> None:
    planner = InterferingPlanner()
    async with a_cell(planner=planner) as cell:
        await cell.apply_pool(a_pool("a"))
        await cell.apply_pool(a_pool("b"))
        await cell.attach()
        ids = [(await cell.submit()).view.job.id for _ in range(2)]
        planner.cell = cell

        await cell.run_cycle()

        states = sorted(cell.replica(job_id).state for job_id in ids)
        assert states == [ReplicaState.PLACED, ReplicaState.WAITING]
        await cell.run_cycle()
        placed = [cell.replica(job_id).live_run for job_id in ids if cell.replica(job_id).live_run]
        assert [cell.run(run_id).pool_id for run_id in placed] == [PoolId("b")]


async def test_only_the_newest_runs_of_a_replica_are_kept() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = (await cell.submit()).view.job.id
        await cell.run_cycle()
        for _ in range(RUNS_KEPT_PER_REPLICA + 1):
            run_id = cell.live_run(job_id).id
            await cell.claim(ref, run_id)
            await cell.report(ref, run_id, RunState.ENDED, EndReason.RECLAIMED)
            await cell.run_cycle()

        kept = [cell.run(RunId(run_id)).run_number for run_id in cell.mirror.state.ids(Kind.RUN)]

        assert sorted(kept) == list(range(3, RUNS_KEPT_PER_REPLICA + 3))
        assert cell.live_run(job_id).run_number == max(kept)
