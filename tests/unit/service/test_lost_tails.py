"""What becomes of runs when the store has lost its newest writes: docs/decisions/lost-tails.md."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from scheduler.model.errors import IllegalTransition, NotFound, StaleSession
from scheduler.model.ids import JobId, Principal
from scheduler.model.plan import Plan, WorkLimits
from scheduler.model.pool import PoolStatus
from scheduler.model.records import Key, Kind
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.transaction import Outcome, Transaction
from scheduler.model.transitions.adoption import RunFacts
from scheduler.planner_process.inline import InlinePlanner
from scheduler.service.fleet import Caller
from scheduler.service.launchers import Report, SessionRef
from scheduler.state.memory import MemoryStore
from tests.builders import PRIORITY_CLASSES, a_pool
from tests.cell import Cell, ManualClock, a_cell

ALICE = Principal("alice")


def told(run: Run, state: RunState, end_reason: EndReason | None = None) -> Report:
    facts = RunFacts(
        job_id=run.job_id,
        replica_index=0,
        run_number=run.run_number,
        placement=run.placement,
        grace_period_ms=run.grace_period_ms,
        claimed_at_ms=run.placed_at_ms,
    )
    return Report(run_id=run.id, run_token=run.run_token, state=state, end_reason=end_reason, facts=facts)


async def lose(cell: Cell, *, since: int) -> None:
    """The store loses what was committed after a revision; the leader goes on."""
    cell.memory.fail_over(lag_commits=cell.mirror.state.revision - since)
    await cell.memory.adopt_history(cell.fence)
    await cell.mirror.caught_up(cell.memory.revision)


async def submitted(cell: Cell) -> tuple[SessionRef, JobId, int]:
    """A session, a waiting job and the revision at which it waits."""
    await cell.apply_pool()
    ref = await cell.attach()
    job_id = (await cell.submit()).view.job.id
    return ref, job_id, cell.mirror.state.revision


async def claimed(cell: Cell, ref: SessionRef, job_id: JobId) -> Run:
    await cell.run_cycle()
    return (await cell.claim(ref, cell.live_run(job_id).id)).run


async def reopened(cell: Cell) -> SessionRef:
    (old,) = cell.mirror.state.sessions()
    session = await cell.launchers.open_session(
        old.launcher_id,
        principal=old.principal,
        version="",
    )
    return SessionRef(session.launcher_id, session.number, session.principal, session.history)


async def test_a_session_of_the_earlier_history_counts_no_more() -> None:
    async with a_cell() as cell:
        ref, _, since = await submitted(cell)
        await lose(cell, since=since)

        with pytest.raises(StaleSession):
            await cell.launchers.renew(ref)


async def test_a_running_run_that_the_store_lost_is_adopted() -> None:
    async with a_cell() as cell:
        ref, job_id, since = await submitted(cell)
        run = await claimed(cell, ref, job_id)
        await lose(cell, since=since)
        assert cell.replica(job_id).live_run is None

        await cell.launchers.report(await reopened(cell), told(run, RunState.RUNNING))

        assert cell.live_run(job_id).id == run.id
        assert cell.run(run.id).state is RunState.RUNNING
        assert cell.replica(job_id).run_token == run.run_token


async def test_an_end_that_the_store_lost_with_its_run_counts() -> None:
    async with a_cell() as cell:
        ref, job_id, since = await submitted(cell)
        run = await claimed(cell, ref, job_id)
        await lose(cell, since=since)

        await cell.launchers.report(await reopened(cell), told(run, RunState.ENDED, EndReason.SUCCEEDED))

        assert cell.run(run.id).end_reason is EndReason.SUCCEEDED
        assert cell.replica(job_id).outcome is EndReason.SUCCEEDED


async def test_a_run_of_a_job_that_was_lost_is_refused() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        since = cell.mirror.state.revision
        run = await claimed(cell, ref, (await cell.submit()).view.job.id)
        await lose(cell, since=since)

        with pytest.raises(NotFound):
            await cell.launchers.report(await reopened(cell), told(run, RunState.RUNNING))


async def test_a_second_run_of_a_replica_is_refused() -> None:
    async with a_cell() as cell:
        ref, job_id, since = await submitted(cell)
        run = await claimed(cell, ref, job_id)
        await lose(cell, since=since)
        ref = await reopened(cell)
        await cell.launchers.report(ref, told(run, RunState.RUNNING))
        other = replace(
            run, id=type(run.id)(f"{run.replica_id}-9"), run_number=9, run_token=run.run_token + 1
        )

        with pytest.raises(NotFound):
            await cell.launchers.report(ref, told(other, RunState.RUNNING))

        assert cell.live_run(job_id).id == run.id


async def test_an_offer_whose_claim_was_lost_counts_as_claimed_once_its_token_is_shown() -> None:
    async with a_cell() as cell:
        ref, job_id, _ = await submitted(cell)
        await cell.run_cycle()
        since = cell.mirror.state.revision
        run = await claimed(cell, ref, job_id)
        await lose(cell, since=since)
        assert cell.run(run.id).state is RunState.PLACED
        ref = await reopened(cell)

        with pytest.raises(IllegalTransition, match="earlier history"):
            await cell.claim(ref, run.id)
        await cell.launchers.report(ref, told(run, RunState.RUNNING))

        assert cell.run(run.id).state is RunState.RUNNING


async def test_an_offer_of_the_earlier_history_that_nobody_holds_is_withdrawn() -> None:
    async with a_cell() as cell:
        _, job_id, _ = await submitted(cell)
        await cell.run_cycle()
        run = cell.live_run(job_id)
        await lose(cell, since=cell.mirror.state.revision)

        await cell.attach()
        await cell.run_cycle()

        assert cell.run(run.id).end_reason is EndReason.INFRASTRUCTURE


async def test_old_replicas_wait_for_every_launcher_and_new_jobs_do_not() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool("far", launcher_id="far"))
        await cell.attach("far")
        _, old, since = await submitted(cell)
        await lose(cell, since=since)
        await cell.attach()
        new = (await cell.submit()).view.job.id

        await cell.run_cycle()
        assert cell.replica(old).live_run is None
        assert cell.replica(new).live_run is not None

        await cell.attach("far")
        await cell.run_cycle()
        assert cell.live_run(old).run_token > 2**20


async def test_an_offer_whose_claim_may_be_lost_is_not_ended_before_its_launcher_has_spoken() -> None:
    async with a_cell() as cell:
        ref, job_id, _ = await submitted(cell)
        await cell.run_cycle()
        since = cell.mirror.state.revision
        run = await claimed(cell, ref, job_id)
        await lose(cell, since=since)
        await cell.jobs.cancel(job_id, reason="", version=None, principal=ALICE, request_id="cancel")

        await cell.run_cycle()
        assert cell.run(run.id).state is RunState.PLACED
        await cell.launchers.report(await reopened(cell), told(run, RunState.RUNNING))
        await cell.run_cycle()

        assert cell.run(run.id).stop_reason is EndReason.CANCELLED


async def test_a_claim_is_refused_when_the_store_has_just_lost_the_job() -> None:
    async with a_cell() as cell:
        ref, job_id, _ = await submitted(cell)
        await cell.run_cycle()
        run = await claimed(cell, ref, job_id)
        await cell.memory.transact([Transaction(deletes=(Key(Kind.PAYLOAD, job_id),))])

        with pytest.raises(NotFound):
            await cell.claim(ref, run.id)


async def test_an_offer_whose_launcher_stays_away_can_be_declared_ended() -> None:
    async with a_cell() as cell:
        ref, job_id, _ = await submitted(cell)
        await cell.run_cycle()
        since = cell.mirror.state.revision
        run = await claimed(cell, ref, job_id)
        await lose(cell, since=since)
        caller = Caller(principal=ALICE, request_id="end")

        await cell.fleet.force_end_run(run.id, reason="its machines are gone", caller=caller)

        assert cell.run(run.id).end_reason is EndReason.LOST


class StoreThatLosesClaims:
    """Fails over to a replica that has not seen it as soon as a claim is written, before it is answered."""

    def __init__(self, memory: MemoryStore) -> None:
        self._memory = memory

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        outcomes = await self._memory.transact(transactions)
        puts = [put.entity for transaction in transactions for put in transaction.puts]
        if any(isinstance(entity, Run) and entity.state is RunState.STARTING for entity in puts):
            self._memory.fail_over(lag_commits=1)
        return outcomes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)


async def test_a_claim_that_the_store_lost_before_its_answer_is_not_given() -> None:
    memory = MemoryStore(clock := ManualClock())
    async with a_cell(store=StoreThatLosesClaims(memory), memory=memory, clock=clock) as cell:
        ref, job_id, _ = await submitted(cell)
        await cell.run_cycle()
        offered = cell.live_run(job_id)

        with pytest.raises(StaleSession):
            await cell.claim(ref, offered.id)

        assert cell.live_run(job_id).state is RunState.PLACED


class InterruptedPlanner(InlinePlanner):
    """A planner in the middle of whose next plan something happens."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        async for plan in super().plan(now_ms=now_ms, limits=limits):
            yield plan
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()


async def test_a_plan_of_the_history_before_is_not_committed() -> None:
    planner = InterruptedPlanner(PRIORITY_CLASSES)
    async with a_cell(planner=planner) as cell:
        ref, first, _ = await submitted(cell)
        await cell.run_cycle()
        second = (await cell.submit()).view.job.id
        await cell.run_cycle()
        offered, since = cell.live_run(first), cell.mirror.state.revision
        await cell.claim(ref, offered.id)
        await cell.report(ref, offered.id, RunState.ENDED, EndReason.INFRASTRUCTURE)

        async def lose_the_end() -> None:
            await lose(cell, since=since)
            ref = await reopened(cell)
            await cell.launchers.synchronise(ref, {offered.pool_id: PoolStatus(ready=True)})

        planner.meanwhile = lose_the_end
        await cell.run_cycle()

        assert planner.meanwhile is None
        assert cell.live_run(first).id == offered.id
        assert cell.replica(second).live_run is None
