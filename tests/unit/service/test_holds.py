"""Holds: a held job gets no new placements, whatever plan is under way; what runs goes on."""

import pytest

from scheduler.control.commit import placements, steps_that_hold
from scheduler.model.deferral import DeferralReason
from scheduler.model.errors import NotAllowed
from scheduler.model.ids import JobId, Principal
from scheduler.model.job import JobPhase
from scheduler.model.plan import Plan
from scheduler.model.replica import ReplicaState
from scheduler.model.run import RunState
from scheduler.model.transaction import Conflict
from scheduler.planning.planner import floor_plan
from scheduler.planning.snapshot import snapshot_of
from scheduler.service.jobs import Holder
from tests.builders import NOW_MS, PRIORITY_CLASSES
from tests.cell import USER, Cell, a_cell


def a_holder(cell: Cell, principal: Principal = USER, *, is_operator: bool = False) -> Holder:
    request_id = f"request-{next(cell.request_numbers)}"
    return Holder(principal=principal, is_operator=is_operator, request_id=request_id)


async def a_waiting_job(cell: Cell) -> JobId:
    """A job that the next cycle would place."""
    await cell.apply_pool()
    await cell.attach()
    return (await cell.submit()).view.job.id


def a_plan(cell: Cell) -> Plan:
    return floor_plan(snapshot_of(cell.mirror.state, now_ms=NOW_MS, priority_classes=PRIORITY_CLASSES))


async def test_a_held_job_waits_until_it_is_released() -> None:
    async with a_cell() as cell:
        job_id = await a_waiting_job(cell)
        held = await cell.jobs.hold(job_id, reason="wrong data", holder=a_holder(cell))
        assert held.view.job.hold is not None
        assert (held.view.job.hold.reason, held.view.job.hold.principal) == ("wrong data", USER)

        await cell.run_cycle()
        deferral = cell.replica(job_id).deferral
        assert deferral is not None
        assert deferral.reason is DeferralReason.HELD

        await cell.jobs.release(job_id, holder=a_holder(cell))
        await cell.run_cycle()
        assert cell.replica(job_id).state is ReplicaState.PLACED


async def test_a_plan_made_before_the_hold_does_not_place_after_it() -> None:
    async with a_cell() as cell:
        job_id = await a_waiting_job(cell)
        plan = a_plan(cell)
        assert len(plan.steps) == 1
        late = placements(cell.mirror.state, list(plan.steps), now_ms=NOW_MS, fence=cell.fence)

        await cell.jobs.hold(job_id, reason="wrong data", holder=a_holder(cell))

        assert steps_that_hold(cell.mirror.state, plan) == []
        assert isinstance((await cell.store.transact(late))[0], Conflict)


async def test_what_runs_goes_on_and_can_be_cancelled() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        job_id = await cell.running_job(await cell.attach())

        await cell.jobs.hold(job_id, reason="no more of it", holder=a_holder(cell))
        await cell.run_cycle()
        assert cell.live_run(job_id).state is RunState.RUNNING

        await cell.jobs.cancel(job_id, reason="", version=None, principal=USER, request_id="cancel")
        await cell.run_cycle()
        assert cell.live_run(job_id).state is RunState.STOPPING


async def test_a_held_job_that_waits_can_be_cancelled() -> None:
    async with a_cell() as cell:
        job_id = await a_waiting_job(cell)
        await cell.jobs.hold(job_id, reason="why", holder=a_holder(cell))

        await cell.jobs.cancel(job_id, reason="", version=None, principal=USER, request_id="cancel")
        await cell.run_cycle()

        assert cell.job(job_id).outcome is JobPhase.CANCELLED


async def test_only_the_submitter_and_operators_hold_and_release() -> None:
    async with a_cell() as cell:
        job_id = await a_waiting_job(cell)
        stranger = Principal("stranger")

        with pytest.raises(NotAllowed, match="submitter or an operator"):
            await cell.jobs.hold(job_id, reason="why", holder=a_holder(cell, stranger))
        await cell.jobs.hold(job_id, reason="why", holder=a_holder(cell, stranger, is_operator=True))
        with pytest.raises(NotAllowed):
            await cell.jobs.release(job_id, holder=a_holder(cell, Principal("other")))
        assert cell.job(job_id).hold is not None
