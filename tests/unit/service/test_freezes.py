"""Freezes: nothing new is placed in the scope, whatever plan is under way; what runs goes on."""

import pytest

from scheduler.control.commit import placements, steps_that_hold
from scheduler.model.brakes import FreezeScope
from scheduler.model.deferral import DeferralReason
from scheduler.model.errors import NotFound
from scheduler.model.ids import JobId, QueueName, Revision
from scheduler.model.replica import ReplicaState
from scheduler.model.run import RunState
from scheduler.model.transaction import Conflict
from scheduler.planning.planner import floor_plan
from scheduler.planning.snapshot import snapshot_of
from scheduler.service.freezes import Freezes
from tests.builders import NOW_MS, PRIORITY_CLASSES, a_spec
from tests.cell import OPERATOR, USER, Cell, a_cell

SCOPES = [(FreezeScope.CELL, ""), (FreezeScope.POOL, "pool"), (FreezeScope.QUEUE, "research")]
in_every_scope = pytest.mark.parametrize(("scope", "target"), SCOPES)


def freezes_of(cell: Cell) -> Freezes:
    return Freezes(cell.parts)


async def a_waiting_job(cell: Cell) -> JobId:
    """A job of the queue research that the next cycle would place on the only pool."""
    await cell.apply_pool()
    await cell.attach()
    return (await cell.submit()).view.job.id


@in_every_scope
async def test_what_waits_is_told_of_the_freeze_and_placed_after_it(scope: FreezeScope, target: str) -> None:
    async with a_cell() as cell:
        job_id = await a_waiting_job(cell)
        made, _ = await freezes_of(cell).freeze(scope, target, reason="why", caller=cell.caller())

        await cell.run_cycle()
        deferral = cell.replica(job_id).deferral
        assert deferral is not None
        assert (deferral.reason, deferral.freeze) == (DeferralReason.FROZEN, made)
        assert made is not None
        assert (made.reason, made.principal) == ("why", OPERATOR)

        await freezes_of(cell).unfreeze(scope, target, caller=cell.caller())
        await cell.run_cycle()
        assert cell.replica(job_id).state is ReplicaState.PLACED


@in_every_scope
async def test_a_plan_made_before_the_freeze_does_not_place_after_it(scope: FreezeScope, target: str) -> None:
    async with a_cell() as cell:
        await a_waiting_job(cell)
        snapshot = snapshot_of(cell.mirror.state, now_ms=NOW_MS, priority_classes=PRIORITY_CLASSES)
        plan = floor_plan(snapshot)
        late = placements(cell.mirror.state, list(plan.steps), now_ms=NOW_MS, fence=cell.fence)
        assert len(late) == 1

        await freezes_of(cell).freeze(scope, target, reason="why", caller=cell.caller())

        assert steps_that_hold(cell.mirror.state, plan) == []
        assert isinstance((await cell.store.transact(late))[0], Conflict)


async def test_other_queues_go_on() -> None:
    async with a_cell() as cell:
        job_id = await a_waiting_job(cell)
        other = (await cell.submit(a_spec(queue=QueueName("other")))).view.job.id

        await freezes_of(cell).freeze(FreezeScope.QUEUE, "research", reason="why", caller=cell.caller())
        await cell.run_cycle()

        assert cell.replica(other).state is ReplicaState.PLACED
        assert cell.replica(job_id).state is ReplicaState.WAITING


async def test_what_runs_goes_on_and_can_be_cancelled() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        job_id = await cell.running_job(await cell.attach())

        await freezes_of(cell).freeze(FreezeScope.CELL, "", reason="why", caller=cell.caller())
        await cell.run_cycle()
        assert cell.live_run(job_id).state is RunState.RUNNING

        await cell.jobs.cancel(job_id, reason="", version=None, principal=USER, request_id="cancel")
        await cell.run_cycle()
        assert cell.live_run(job_id).state is RunState.STOPPING


async def test_a_second_freeze_keeps_the_first_and_a_pool_must_exist() -> None:
    async with a_cell() as cell:
        freezes = freezes_of(cell)
        first, _ = await freezes.freeze(FreezeScope.CELL, "", reason="first", caller=cell.caller())

        second, _ = await freezes.freeze(FreezeScope.CELL, "", reason="second", caller=cell.caller())

        assert second == first
        assert await freezes.list_all(min_revision=Revision(0)) == [first]
        with pytest.raises(NotFound, match="nowhere"):
            await freezes.freeze(FreezeScope.POOL, "nowhere", reason="why", caller=cell.caller())
