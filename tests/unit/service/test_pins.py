"""Pins: a replica is placed on one pool only, and stays where it runs."""

import pytest

from scheduler.control.commit import steps_that_hold
from scheduler.model.deferral import DeferralReason
from scheduler.model.errors import IllegalTransition, InvalidRequest, NotFound
from scheduler.model.ids import JobId, PoolId, ReplicaId
from scheduler.model.job import Constraints
from scheduler.model.replica import ReplicaState
from scheduler.model.run import EndReason, RunState
from scheduler.planning.planner import floor_plan
from scheduler.planning.snapshot import snapshot_of
from scheduler.service.launchers import SessionRef
from scheduler.service.pins import ChangedReplica, Pins
from tests.builders import NOW_MS, PRIORITY_CLASSES, a_pool, a_spec
from tests.cell import OPERATOR, USER, Cell, a_cell

A, B = PoolId("a"), PoolId("b")


async def pin(cell: Cell, job_id: JobId, pool_id: PoolId | None, *, reason: str = "why") -> ChangedReplica:
    return await Pins(cell.parts).pin(cell.replica(job_id).id, pool_id, reason=reason, caller=cell.caller())


async def unpin(cell: Cell, job_id: JobId) -> None:
    await Pins(cell.parts).unpin(cell.replica(job_id).id, caller=cell.caller())


async def two_pools(cell: Cell) -> SessionRef:
    await cell.apply_pool(a_pool("a"))
    await cell.apply_pool(a_pool("b"))
    return await cell.attach()


async def test_a_pinned_replica_goes_to_its_pool_and_waits_for_it_when_it_is_full() -> None:
    async with a_cell() as cell:
        await two_pools(cell)
        first, second = [(await cell.submit()).view.job.id for _ in range(2)]
        changed = await pin(cell, first, B)
        await pin(cell, second, B)

        await cell.run_cycle()

        assert changed.view.replica.pin is not None
        assert (changed.view.replica.pin.reason, changed.view.replica.pin.principal) == ("why", OPERATOR)
        assert cell.live_run(first).pool_id == B
        deferral = cell.replica(second).deferral
        assert deferral is not None
        assert (deferral.reason, deferral.pool_id) == (DeferralReason.PINNED, B)

        await unpin(cell, second)
        await cell.run_cycle()
        assert cell.live_run(second).pool_id == A
        assert cell.replica(second).may_be_displaced
        assert not cell.replica(first).may_be_displaced


async def test_a_plan_made_before_the_pin_does_not_place_after_it() -> None:
    async with a_cell() as cell:
        await two_pools(cell)
        job_id = (await cell.submit()).view.job.id
        plan = floor_plan(snapshot_of(cell.mirror.state, now_ms=NOW_MS, priority_classes=PRIORITY_CLASSES))
        assert [place.placement.pool_id for place in plan.places] == [A]

        await pin(cell, job_id, B)

        assert steps_that_hold(cell.mirror.state, plan) == []


async def test_a_live_run_is_pinned_where_it_is_and_so_are_the_runs_after_it() -> None:
    async with a_cell() as cell:
        ref = await two_pools(cell)
        job_id = await cell.running_job(ref)
        with pytest.raises(IllegalTransition, match="live run on pool a"):
            await pin(cell, job_id, B)
        await pin(cell, job_id, None)
        await cell.run_cycle()
        assert cell.live_run(job_id).state is RunState.RUNNING

        await cell.fleet.cordon(A, reason="why", caller=cell.caller())
        await cell.report(ref, cell.live_run(job_id).id, RunState.ENDED, EndReason.INFRASTRUCTURE)
        cell.clock.pass_ms(600_000)
        await cell.run_cycle()

        replica = cell.replica(job_id)
        assert replica.state is ReplicaState.WAITING
        assert replica.deferral is not None
        assert (replica.deferral.reason, replica.deferral.pool_id) == (DeferralReason.PINNED, A)


async def test_a_pin_to_the_same_pool_keeps_the_first_and_one_to_another_replaces_it() -> None:
    async with a_cell() as cell:
        await two_pools(cell)
        job_id = (await cell.submit()).view.job.id

        first = await pin(cell, job_id, A, reason="first")
        assert (await pin(cell, job_id, A, reason="second")).view == first.view
        other = await pin(cell, job_id, B, reason="third")

        assert other.view.replica.pin is not None
        assert (other.view.replica.pin.pool_id, other.view.replica.pin.reason) == (B, "third")


async def test_what_cannot_be_is_refused() -> None:
    async with a_cell() as cell:
        await two_pools(cell)
        await cell.apply_pool(a_pool("other", "a100"))
        constraints = Constraints(denied_pools=(B,))
        job_id = (await cell.submit(a_spec(constraints=constraints))).view.job.id

        with pytest.raises(NotFound, match="nowhere"):
            await pin(cell, job_id, PoolId("nowhere"))
        with pytest.raises(NotFound, match="nobody"):
            await Pins(cell.parts).pin(ReplicaId("nobody"), A, reason="why", caller=cell.caller())
        with pytest.raises(InvalidRequest, match="pool_id: pool other has a100"):
            await pin(cell, job_id, PoolId("other"))
        with pytest.raises(InvalidRequest, match="do not allow pool b"):
            await pin(cell, job_id, B)
        with pytest.raises(InvalidRequest, match="must be said"):
            await pin(cell, job_id, None)

        await cell.jobs.cancel(job_id, reason="", version=None, principal=USER, request_id="cancel")
        await cell.run_cycle()
        with pytest.raises(IllegalTransition, match="is done"):
            await pin(cell, job_id, A)
