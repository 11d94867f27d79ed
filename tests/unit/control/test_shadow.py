"""Shadow mode: everything is planned and told, and nothing is placed."""

import asyncio
from dataclasses import replace

from structlog.testing import capture_logs

from scheduler.control.leader import Leader
from scheduler.model.deferral import DeferralReason
from scheduler.model.ids import JobId, PoolId
from scheduler.model.job import JobPhase
from scheduler.model.replica import ReplicaState
from scheduler.model.run import RunState
from tests.builders import a_spec
from tests.cell import USER, Cell, a_cell, control_settings
from tests.unit.control.test_leader import until

SHADOW = replace(control_settings(), is_shadow=True)


def metric(cell: Cell, name: str, **labels: str) -> float | None:
    return cell.metrics.registry.get_sample_value(f"placewright_shadow_{name}", labels)


async def a_waiting_job(cell: Cell) -> JobId:
    await cell.apply_pool()
    await cell.attach()
    return (await cell.submit()).view.job.id


async def test_what_would_have_been_placed_waits_and_is_told_where() -> None:
    async with a_cell(settings=SHADOW) as cell:
        job_id = await a_waiting_job(cell)
        too_big = (await cell.submit(a_spec("h100:64"))).view.job.id

        await cell.run_cycle()

        replica = cell.replica(job_id)
        assert (replica.state, replica.run_number) == (ReplicaState.WAITING, 0)
        assert replica.deferral is not None
        assert (replica.deferral.reason, replica.deferral.pool_id) == (DeferralReason.SHADOW, PoolId("pool"))
        other = cell.replica(too_big).deferral
        assert other is not None
        assert other.reason is DeferralReason.FITS_NO_POOL
        assert cell.mirror.state.all_live_runs() == []


async def test_the_plan_is_compared_with_what_runs() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        running = await cell.running_job(await cell.attach(), a_spec("h100:4"))
        term = cell.live_run(running).placement.term_usd_micros_per_hour
        shadow = replace(cell.tools, settings=SHADOW)
        cell.cycle = type(cell.cycle)(shadow, cell.agenda, cell.fence)
        await cell.submit(a_spec("h100:2"))

        await cell.run_cycle()

        assert cell.live_run(running).state is RunState.RUNNING
        assert metric(cell, "plans_total") == 1
        assert metric(cell, "placements", side="planned") == 1
        assert metric(cell, "accelerators", side="planned") == 2
        assert metric(cell, "placements", side="running") == 1
        assert metric(cell, "value_usd_per_hour", side="running") == term / 1_000_000
        assert metric(cell, "pool_accelerators", pool="pool", side="planned") == 2


async def test_a_run_that_would_have_been_stopped_goes_on_and_is_told() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        batch = await cell.running_job(await cell.attach(), a_spec(priority_class="batch"))
        cell.cycle = type(cell.cycle)(replace(cell.tools, settings=SHADOW), cell.agenda, cell.fence)
        worthier = (await cell.submit(a_spec(priority_class="frontier"))).view.job.id

        with capture_logs() as logs:
            await cell.run_cycle()

        assert cell.live_run(batch).state is RunState.RUNNING
        deferral = cell.replica(worthier).deferral
        assert deferral is not None
        assert deferral.reason is DeferralReason.SHADOW
        assert metric(cell, "placements", side="stopped") == 1
        [told] = [line for line in logs if line["event"] == "shadow_plan"]
        assert told["stops"] == [{"run": cell.live_run(batch).id, "by": f"{worthier}-0"}]


async def test_a_cancel_is_carried_out() -> None:
    async with a_cell(settings=SHADOW) as cell:
        job_id = await a_waiting_job(cell)
        await cell.run_cycle()
        await cell.jobs.cancel(job_id, reason="", version=None, principal=USER, request_id="cancel")

        await cell.run_cycle()

        assert cell.job(job_id).outcome is JobPhase.CANCELLED


async def test_beside_a_leader_a_shadow_plans_and_writes_nothing() -> None:
    async with a_cell() as cell:
        job_id = await a_waiting_job(cell)
        revision = cell.mirror.state.revision
        leader = Leader(replace(cell.tools, settings=SHADOW), cell.memory, holder="shadow:second")
        shadowing = asyncio.ensure_future(leader.run())

        await until(lambda: metric(cell, "placements", side="planned") == 1)

        assert not leader.is_leading
        assert cell.mirror.state.revision == revision
        assert cell.replica(job_id).deferral is None
        shadowing.cancel()
        await asyncio.gather(shadowing, return_exceptions=True)
