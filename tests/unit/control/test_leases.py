"""Launcher leases: an unreachable launcher's runs are replaced only where they have surely stopped."""

import pytest

from scheduler.model.errors import StaleSession
from scheduler.model.ids import JobId, LauncherId
from scheduler.model.replica import ReplicaState
from scheduler.model.run import EndReason, RunState
from scheduler.model.transitions.sessions import LEASE_WITHOUT_POOLS_MS
from scheduler.model.transitions.settling import OFFER_MS_MIN
from scheduler.service.launchers import SessionRef
from tests.builders import a_pool
from tests.cell import Cell, a_cell, control_settings

LEASE_MS = 30_000


async def running(cell: Cell, *, self_fencing: bool) -> tuple[SessionRef, JobId]:
    """A job that runs on a pool with a short lease, and room for it elsewhere."""
    await cell.apply_pool(a_pool("first", self_fencing=self_fencing, lease_duration_ms=LEASE_MS))
    ref = await cell.attach()
    job_id = await cell.running_job(ref)
    await cell.run_cycle()
    return ref, job_id


async def pass_a_lease(cell: Cell) -> None:
    """A lease goes by in which this process runs, reaches the store and sees no renewal."""
    for _ in range(LEASE_MS // 2_000):
        cell.clock.pass_ms(2_000)
        await cell.run_cycle()


async def test_a_renewed_lease_never_runs_out() -> None:
    async with a_cell() as cell:
        ref, job_id = await running(cell, self_fencing=True)

        for _ in range(5 * LEASE_MS // 2_000):
            cell.clock.pass_ms(2_000)
            await cell.launchers.renew(ref)
            await cell.run_cycle()

        assert cell.live_run(job_id).state is RunState.RUNNING


async def test_on_a_self_fencing_pool_the_run_is_lost_and_the_replica_waits_for_another_place() -> None:
    async with a_cell() as cell:
        _, job_id = await running(cell, self_fencing=True)

        await pass_a_lease(cell)

        assert cell.first_run(job_id).end_reason is EndReason.LOST
        assert cell.replica(job_id).state is ReplicaState.WAITING
        assert cell.replica(job_id).live_run is None


async def test_elsewhere_the_run_is_unreachable_and_nothing_replaces_it() -> None:
    async with a_cell() as cell:
        _, job_id = await running(cell, self_fencing=False)
        await cell.apply_pool(a_pool("second"))

        await pass_a_lease(cell)
        await pass_a_lease(cell)

        assert cell.live_run(job_id).state is RunState.UNREACHABLE
        assert cell.live_run(job_id).before_unreachable is RunState.RUNNING


async def test_an_unreachable_run_comes_back_with_its_launcher() -> None:
    async with a_cell() as cell:
        _, job_id = await running(cell, self_fencing=False)
        await pass_a_lease(cell)

        again = await cell.attach()
        await cell.report(again, cell.live_run(job_id).id, RunState.RUNNING)
        await cell.run_cycle()

        assert cell.live_run(job_id).state is RunState.RUNNING
        assert cell.live_run(job_id).run_number == 1


async def test_an_operator_can_declare_an_unreachable_run_ended() -> None:
    async with a_cell() as cell:
        _, job_id = await running(cell, self_fencing=False)
        await pass_a_lease(cell)

        run, _ = await cell.fleet.force_end_run(
            cell.live_run(job_id).id, reason="the rack burnt", caller=cell.caller()
        )

        assert run.end_reason is EndReason.LOST
        assert "the rack burnt" in run.message
        assert cell.replica(job_id).state is ReplicaState.WAITING


async def test_an_expired_session_must_attach_again() -> None:
    async with a_cell() as cell:
        ref, _ = await running(cell, self_fencing=False)
        await pass_a_lease(cell)

        with pytest.raises(StaleSession, match="attach again"):
            await cell.launchers.renew(ref)


async def test_an_offer_that_an_expired_launcher_never_claimed_is_withdrawn() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool("first", lease_duration_ms=LEASE_MS))
        await cell.attach()
        job_id = (await cell.submit()).view.job.id
        await cell.run_cycle()

        await pass_a_lease(cell)

        assert cell.first_run(job_id).end_reason is EndReason.INFRASTRUCTURE
        assert cell.replica(job_id).state is ReplicaState.WAITING


async def test_pools_of_an_expired_launcher_take_nothing_new() -> None:
    async with a_cell() as cell:
        await running(cell, self_fencing=True)
        await pass_a_lease(cell)

        assert not any(pool.is_open for pool in cell.mirror.state.pools())


async def test_time_in_which_this_process_did_not_run_counts_for_nobody() -> None:
    async with a_cell() as cell:
        _, job_id = await running(cell, self_fencing=True)

        cell.clock.pass_ms(10 * LEASE_MS)  # stopped, then going on: no renewal could have been seen
        await cell.cycle.run()
        await cell.run_cycle()

        assert cell.live_run(job_id).state is RunState.RUNNING


async def test_a_store_that_was_out_of_reach_restarts_every_lease() -> None:
    async with a_cell() as cell:
        _, job_id = await running(cell, self_fencing=True)
        cell.clock.pass_ms(LEASE_MS - 1_000)
        await cell.run_cycle()
        cell.mirror.disconnections += 1

        cell.clock.pass_ms(2_000)
        await cell.run_cycle()

        assert cell.live_run(job_id).state is RunState.RUNNING


async def test_beyond_the_mass_loss_guard_nothing_is_lost_without_an_operator() -> None:
    async with a_cell(settings=control_settings(mass_loss_guard_runs=1)) as cell:
        await cell.apply_pool(a_pool("first", nodes=2, self_fencing=True, lease_duration_ms=LEASE_MS))
        ref = await cell.attach()
        ids = [await cell.running_job(ref) for _ in range(2)]
        await cell.run_cycle()

        await pass_a_lease(cell)
        await pass_a_lease(cell)
        assert [cell.live_run(job_id).state for job_id in ids] == [RunState.UNREACHABLE] * 2

        await cell.fleet.force_end_run(cell.live_run(ids[0]).id, reason="dead", caller=cell.caller())
        await cell.run_cycle()
        assert cell.live_run(ids[1]).state is RunState.UNREACHABLE


async def test_losses_that_come_one_after_the_other_count_together() -> None:
    async with a_cell(settings=control_settings(mass_loss_guard_runs=1)) as cell:
        for name in ("first", "second"):
            launcher = LauncherId(name)
            await cell.apply_pool(
                a_pool(name, nodes=2, launcher_id=launcher, self_fencing=True, lease_duration_ms=LEASE_MS)
            )
        first_ref = await cell.attach("first")
        first = await cell.running_job(first_ref)
        await pass_a_lease(cell)
        second_ref = await cell.attach("second")
        second = await cell.running_job(second_ref)

        await pass_a_lease(cell)

        assert cell.first_run(first).end_reason is EndReason.LOST
        assert cell.live_run(second).state is RunState.UNREACHABLE


async def test_a_run_that_its_launcher_no_longer_names_is_unreachable() -> None:
    async with a_cell() as cell:
        _, job_id = await running(cell, self_fencing=True)

        await cell.attach()
        await cell.run_cycle()

        assert cell.live_run(job_id).state is RunState.UNREACHABLE


async def test_an_offer_that_nobody_claims_is_withdrawn_in_the_end() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool("first", lease_duration_ms=LEASE_MS))
        ref = await cell.attach()
        job_id = (await cell.submit()).view.job.id
        await cell.run_cycle()

        for _ in range(OFFER_MS_MIN // 2_000):
            cell.clock.pass_ms(2_000)
            await cell.launchers.renew(ref)
            await cell.run_cycle()

        assert cell.first_run(job_id).end_reason is EndReason.INFRASTRUCTURE


async def test_a_lease_that_was_made_shorter_is_so_only_after_the_longer_one_ran_out() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool(lease_duration_ms=LEASE_MS))
        ref = await cell.attach()
        await cell.apply_pool(a_pool(lease_duration_ms=LEASE_MS // 2))

        assert (await cell.launchers.renew(ref)).lease_duration_ms == LEASE_MS
        await cell.attach()
        assert cell.mirror.state.sessions()[0].lease_duration_ms == LEASE_MS

        await cell.run_cycle()
        await pass_a_lease(cell)
        assert cell.mirror.state.sessions()[0].is_expired
        await cell.attach()
        assert cell.mirror.state.sessions()[0].lease_duration_ms == LEASE_MS // 2


async def test_a_launcher_that_comes_before_its_pools_is_missed_soon() -> None:
    async with a_cell() as cell:
        ref = await cell.attach()
        assert cell.mirror.state.sessions()[0].lease_duration_ms == LEASE_WITHOUT_POOLS_MS

        await cell.apply_pool(a_pool(lease_duration_ms=LEASE_MS))

        assert (await cell.launchers.renew(ref)).lease_duration_ms == LEASE_MS
