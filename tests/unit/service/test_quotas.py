"""What operators say of queues and cohorts, and what of it is refused, repeated and seen."""

import pytest

from scheduler.model.deferral import DeferralReason
from scheduler.model.errors import IllegalTransition, NotFound, RequestIdReused, StaleEtag
from scheduler.model.ids import JobId, QueueName, Revision
from scheduler.model.queue import CohortName, Queue
from scheduler.model.replica import ReplicaState
from scheduler.planning.quota_usage import QuotaUse
from scheduler.service.queues import Queues, QueueView
from scheduler.service.quotas import Quotas
from tests.builders import a_cohort, a_pool, a_queue, a_quota, a_spec
from tests.cell import Cell, a_cell

A, B, LAB = QueueName("a"), QueueName("b"), CohortName("lab")
H100 = a_quota(0).resource
NOW = Revision(0)


async def apply(cell: Cell, queue: Queue, *, generation: int | None = None) -> QueueView:
    return (await Quotas(cell.parts).apply_queue(queue, generation=generation, caller=cell.caller()))[0]


async def a_lab(cell: Cell) -> None:
    """Two queues of one node each in a cohort, and a pool with room for all."""
    await cell.apply_pool(a_pool(nodes=4))
    await cell.attach()
    await Quotas(cell.parts).apply_cohort(a_cohort(LAB), generation=None, caller=cell.caller())
    for name in (A, B):
        await apply(cell, a_queue(name, a_quota(8), cohort=LAB))


async def a_job(cell: Cell, queue: QueueName) -> JobId:
    job_id = (await cell.submit(a_spec("h100:8", queue=queue))).view.job.id
    await cell.run_cycle()
    return job_id


async def test_a_queue_borrows_what_another_leaves_whose_job_then_waits_until_its_quota_is_raised() -> None:
    async with a_cell() as cell:
        await a_lab(cell)
        for _ in range(2):
            assert cell.replica(await a_job(cell, A)).state is ReplicaState.PLACED
        waiting = await a_job(cell, B)
        deferral = cell.replica(waiting).deferral
        assert deferral is not None
        assert (deferral.reason, deferral.quota is not None) == (DeferralReason.OVER_QUOTA, True)

        views = (await Queues(cell.parts).list_page(after=None, size=10, min_revision=NOW)).queues
        assert {view.queue: view.quotas for view in views} == {
            A: (QuotaUse(H100, nominal=8, used=16, borrowed=8, available=0),),
            B: (QuotaUse(H100, nominal=8, used=0, borrowed=0, available=0),),
        }

        await apply(cell, a_queue(B, a_quota(16), cohort=LAB))
        await cell.run_cycle()
        assert cell.replica(waiting).state is ReplicaState.PLACED


async def test_a_quota_below_what_runs_stops_nothing() -> None:
    async with a_cell() as cell:
        await a_lab(cell)
        running = await a_job(cell, A)

        view = await apply(cell, a_queue(A, a_quota(0)))
        await cell.run_cycle()

        assert view.quotas == (QuotaUse(H100, nominal=0, used=8, borrowed=0, available=0),)
        assert cell.replica(running).state is ReplicaState.PLACED


async def test_a_queue_without_quotas_again_places_any_amount() -> None:
    async with a_cell() as cell:
        await a_lab(cell)
        await apply(cell, a_queue(A, a_quota(0)))
        job_id = await a_job(cell, A)
        assert cell.replica(job_id).state is ReplicaState.WAITING

        await Quotas(cell.parts).delete_queue(A, generation=None, caller=cell.caller())
        await cell.run_cycle()

        assert cell.replica(job_id).state is ReplicaState.PLACED
        left = await Queues(cell.parts).get(A, min_revision=NOW)
        assert (left.record, left.generation, left.quotas, left.live_runs) == (None, 0, (), 1)


async def test_a_queue_is_listed_for_its_record_alone_and_unknown_without() -> None:
    async with a_cell() as cell:
        queue = a_queue(A, a_quota(8), weight_permille=2_000)
        applied = await apply(cell, queue)

        assert applied == QueueView(
            queue=A,
            record=queue,
            generation=applied.generation,
            quotas=(QuotaUse(H100, nominal=8, used=0, borrowed=0, available=8),),
        )
        assert (await Queues(cell.parts).list_page(after=None, size=10, min_revision=NOW)).queues == (
            applied,
        )
        with pytest.raises(NotFound, match="queue 'b' does not exist"):
            await Queues(cell.parts).get(B, min_revision=NOW)


async def test_a_change_of_something_else_than_was_read_is_refused() -> None:
    async with a_cell() as cell:
        first = await apply(cell, a_queue(A, a_quota(8)))
        await apply(cell, a_queue(A, a_quota(9)), generation=first.generation)

        with pytest.raises(StaleEtag, match="queue a has changed"):
            await apply(cell, a_queue(A, a_quota(10)), generation=first.generation)
        with pytest.raises(StaleEtag):
            await Quotas(cell.parts).delete_queue(A, generation=first.generation, caller=cell.caller())
        with pytest.raises(NotFound):
            await apply(cell, a_queue(B, a_quota(10)), generation=first.generation)


async def test_a_member_more_does_not_make_what_was_read_of_the_cohort_stale() -> None:
    async with a_cell() as cell:
        quotas = Quotas(cell.parts)
        read, _ = await quotas.apply_cohort(a_cohort(LAB), generation=None, caller=cell.caller())
        await apply(cell, a_queue(A, cohort=LAB))

        changed, _ = await quotas.apply_cohort(
            a_cohort(LAB, a_quota(8)), generation=read.generation, caller=cell.caller()
        )

        assert changed.quotas == (QuotaUse(H100, nominal=8, used=0, borrowed=0, available=8),)


async def test_a_repeated_call_is_carried_out_once() -> None:
    async with a_cell() as cell:
        quotas, caller, again = Quotas(cell.parts), cell.caller(), cell.caller()
        queue = a_queue(A, a_quota(8))
        first = await quotas.apply_queue(queue, generation=None, caller=caller)
        await apply(cell, a_queue(A, a_quota(9)))

        repeated, _ = await quotas.apply_queue(queue, generation=first[0].generation, caller=caller)
        assert repeated.record == a_queue(A, a_quota(9))  # as it is now, whatever its etag
        with pytest.raises(RequestIdReused):
            await quotas.apply_queue(a_queue(A, a_quota(10)), generation=None, caller=caller)

        await quotas.delete_queue(A, generation=None, caller=again)
        await quotas.delete_queue(A, generation=None, caller=again)
        with pytest.raises(NotFound):
            await quotas.delete_queue(A, generation=None, caller=cell.caller())


async def test_a_cohort_with_members_is_not_deleted_and_none_is_above_itself() -> None:
    async with a_cell() as cell:
        await a_lab(cell)
        quotas = Quotas(cell.parts)

        with pytest.raises(IllegalTransition, match="has members: queue a, queue b"):
            await quotas.delete_cohort(LAB, generation=None, caller=cell.caller())
        await quotas.apply_cohort(a_cohort("team", parent=LAB), generation=None, caller=cell.caller())
        with pytest.raises(IllegalTransition, match="above itself"):
            await quotas.apply_cohort(a_cohort(LAB, parent="team"), generation=None, caller=cell.caller())
        await quotas.delete_cohort(CohortName("team"), generation=None, caller=cell.caller())

        assert [view.cohort.name for view in await quotas.list_cohorts(min_revision=NOW)] == [LAB]
