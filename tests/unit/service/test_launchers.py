"""Launchers: a run is claimed once, by the newest session, and reports mean what they say once."""

from dataclasses import replace

import pytest

from scheduler.model.errors import (
    IllegalTransition,
    NotAllowed,
    NotFound,
    StaleRunToken,
    StaleSession,
)
from scheduler.model.ids import JobId, LauncherId, Principal, RunId
from scheduler.model.job import JobPhase
from scheduler.model.pool import PoolStatus
from scheduler.model.replica import ReplicaState
from scheduler.model.run import EndReason, RunState
from scheduler.service.desired import NOTHING_DESIRED, delta, desired
from scheduler.service.launchers import Report, SessionRef
from tests.builders import a_pool, a_rented_pool, a_spec
from tests.cell import USER, Cell, a_cell


async def offered(cell: Cell) -> tuple[SessionRef, JobId, RunId]:
    """A session and a run that is offered to it."""
    await cell.apply_pool()
    ref = await cell.attach()
    job_id = (await cell.submit()).view.job.id
    await cell.run_cycle()
    return ref, job_id, cell.live_run(job_id).id


async def test_pools_get_ready_together_when_the_full_state_has_been_sent() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool("a"))
        await cell.apply_pool(a_pool("b"))
        session = await cell.launchers.open_session(
            LauncherId("launcher"), principal=Principal("launcher"), version="test"
        )
        assert not any(pool.status.ready for pool in cell.mirror.state.pools())
        revision = cell.mirror.state.revision

        ref = SessionRef(LauncherId("launcher"), session.number, Principal("launcher"), session.history)
        statuses = {pool.id: PoolStatus(ready=True) for pool in cell.mirror.state.pools()}
        await cell.launchers.synchronise(ref, statuses)

        assert all(pool.status.ready for pool in cell.mirror.state.pools())
        assert cell.mirror.state.revision == revision + 1


async def test_a_claim_gives_what_is_needed_to_start() -> None:
    async with a_cell() as cell:
        ref, job_id, run_id = await offered(cell)

        claim = await cell.claim(ref, run_id)

        assert claim.payload.command == ("train",)
        assert claim.run.run_token == 1
        assert cell.run(run_id).state is RunState.STARTING
        assert cell.replica(job_id).state is ReplicaState.PLACED


async def test_the_same_session_may_repeat_a_claim() -> None:
    async with a_cell() as cell:
        ref, _, run_id = await offered(cell)
        first = await cell.claim(ref, run_id)
        revision = cell.mirror.state.revision

        second = await cell.claim(ref, run_id)

        assert second == first
        assert cell.mirror.state.revision == revision


async def test_a_later_session_cannot_claim_what_an_earlier_one_claimed() -> None:
    async with a_cell() as cell:
        ref, _, run_id = await offered(cell)
        await cell.claim(ref, run_id)
        newer = await cell.attach()

        with pytest.raises(IllegalTransition, match="only an offered run"):
            await cell.claim(newer, run_id)


async def test_a_session_is_stale_once_a_newer_one_is_open() -> None:
    async with a_cell() as cell:
        ref, _, run_id = await offered(cell)
        await cell.attach()

        with pytest.raises(StaleSession, match="not 2, the newest"):
            await cell.claim(ref, run_id)
        with pytest.raises(StaleSession):
            await cell.launchers.renew(ref)


async def test_a_session_belongs_to_who_opened_it() -> None:
    async with a_cell() as cell:
        ref, _, run_id = await offered(cell)

        with pytest.raises(NotAllowed, match="opened by another"):
            await cell.claim(replace(ref, principal=Principal("thief")), run_id)


async def test_another_launcher_cannot_claim_the_run() -> None:
    async with a_cell() as cell:
        _, _, run_id = await offered(cell)
        other = await cell.attach("other")

        with pytest.raises(IllegalTransition):
            await cell.claim(other, run_id)


async def test_a_cancelled_jobs_offer_cannot_be_claimed() -> None:
    async with a_cell() as cell:
        ref, job_id, run_id = await offered(cell)
        await cell.jobs.cancel(job_id, reason="", version=None, principal=USER, request_id="r")

        with pytest.raises(IllegalTransition, match="cancelled"):
            await cell.claim(ref, run_id)


async def test_reports_take_a_run_from_starting_to_its_end() -> None:
    async with a_cell() as cell:
        ref, job_id, run_id = await offered(cell)
        await cell.claim(ref, run_id)

        await cell.report(ref, run_id, RunState.RUNNING)
        assert cell.replica(job_id).state is ReplicaState.RUNNING
        await cell.report(ref, run_id, RunState.ENDED, EndReason.SUCCEEDED)
        await cell.run_cycle()

        assert cell.job(job_id).outcome is JobPhase.SUCCEEDED
        assert cell.run(run_id).end_reason is EndReason.SUCCEEDED


async def test_a_repeated_report_changes_nothing() -> None:
    async with a_cell() as cell:
        ref, _, run_id = await offered(cell)
        await cell.claim(ref, run_id)
        await cell.report(ref, run_id, RunState.RUNNING)
        revision = cell.mirror.state.revision

        await cell.report(ref, run_id, RunState.RUNNING)

        assert cell.mirror.state.revision == revision


async def test_a_report_for_another_token_is_refused() -> None:
    async with a_cell() as cell:
        ref, _, run_id = await offered(cell)
        await cell.claim(ref, run_id)
        report = Report(run_id=run_id, run_token=7, state=RunState.RUNNING, end_reason=None)

        with pytest.raises(StaleRunToken, match="must be 1"):
            await cell.launchers.report(ref, report)


async def test_a_report_of_an_unknown_run_is_not_found() -> None:
    async with a_cell() as cell:
        ref, _, _ = await offered(cell)
        report = Report(run_id=RunId("nobody-0-1"), run_token=1, state=RunState.RUNNING, end_reason=None)

        with pytest.raises(NotFound):
            await cell.launchers.report(ref, report)


async def test_a_stop_that_nobody_asked_for_counts_as_infrastructure() -> None:
    async with a_cell() as cell:
        ref, _, run_id = await offered(cell)
        await cell.claim(ref, run_id)

        await cell.report(ref, run_id, RunState.ENDED, EndReason.PREEMPTED)

        assert cell.run(run_id).end_reason is EndReason.INFRASTRUCTURE


async def test_a_run_must_be_claimed_before_it_is_reported_running() -> None:
    async with a_cell() as cell:
        ref, _, run_id = await offered(cell)

        with pytest.raises(IllegalTransition, match="claim it"):
            await cell.report(ref, run_id, RunState.RUNNING)


async def test_a_returning_launcher_takes_its_runs_over_in_a_new_session() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref)
        run_id = cell.live_run(job_id).id

        newer = await cell.attach()
        await cell.report(newer, run_id, RunState.RUNNING)

        assert cell.run(run_id).claimed_by == newer.number
        assert cell.run(run_id).state is RunState.RUNNING


@pytest.mark.parametrize(
    ("reason", "retries", "state"),
    [
        (EndReason.USER_ERROR, 0, ReplicaState.DONE),
        (EndReason.USER_ERROR, 1, ReplicaState.WAITING),
        (EndReason.INFRASTRUCTURE, 0, ReplicaState.WAITING),
        (EndReason.RECLAIMED, 0, ReplicaState.WAITING),
        (EndReason.STOCKOUT, 0, ReplicaState.WAITING),
        (EndReason.SUCCEEDED, 0, ReplicaState.DONE),
    ],
)
async def test_only_user_errors_use_up_the_retries(
    reason: EndReason, retries: int, state: ReplicaState
) -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref, a_spec(user_error_retries=retries))

        await cell.report(ref, cell.live_run(job_id).id, RunState.ENDED, reason)

        assert cell.replica(job_id).state is state


async def test_a_service_that_exits_is_started_again_after_a_back_off() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref, a_spec(replicas=1))
        await cell.report(ref, cell.live_run(job_id).id, RunState.ENDED, EndReason.SUCCEEDED)
        await cell.run_cycle()
        assert cell.replica(job_id).state is ReplicaState.WAITING

        cell.clock.pass_ms(10_000)
        await cell.run_cycle()

        assert cell.live_run(job_id).run_number == 2
        assert cell.live_run(job_id).run_token == 2


async def test_a_stockout_halves_what_the_provider_is_believed_to_have() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_rented_pool("rented", limit_accelerators=64))
        ref = await cell.attach()
        job_id = (await cell.submit()).view.job.id
        await cell.run_cycle()
        run_id = cell.live_run(job_id).id
        await cell.claim(ref, run_id)

        await cell.report(ref, run_id, RunState.ENDED, EndReason.STOCKOUT)

        (pool,) = cell.mirror.state.pools()
        assert pool.availability is not None
        assert pool.availability.believed_free(now_ms=cell.clock.now_ms(), limit=64) == 32


async def test_a_launcher_is_told_of_its_own_pools_and_runs_and_of_what_changes() -> None:
    async with a_cell() as cell:
        _, job_id, run_id = await offered(cell)
        before = desired(cell.mirror.state, LauncherId("launcher"))
        await cell.jobs.cancel(job_id, reason="", version=None, principal=USER, request_id="r")
        await cell.run_cycle()

        first = delta(NOTHING_DESIRED, before)
        change = delta(before, desired(cell.mirror.state, LauncherId("launcher")))

        assert [run.run_id for run in first.runs] == [run_id]
        assert [pool_id for pool_id, _ in first.pools] == ["pool"]
        assert change.released == (run_id,)
        assert desired(cell.mirror.state, LauncherId("other")).runs == {}
