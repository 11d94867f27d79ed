"""Queues: what each has waiting and running, and who holds it."""

from scheduler.model.brakes import FreezeScope
from scheduler.model.ids import QueueName, Revision
from scheduler.service.freezes import Freezes
from scheduler.service.queues import QueuePage, Queues, QueueView
from tests.builders import a_pool, a_spec
from tests.cell import USER, Cell, a_cell

A, B, C = QueueName("a"), QueueName("b"), QueueName("c")


async def listed(cell: Cell, *, after: QueueName | None = None, size: int = 100) -> QueuePage:
    return await Queues(cell.parts).list_page(after=after, size=size, min_revision=Revision(0))


async def test_a_queue_counts_its_jobs_replicas_runs_and_accelerators() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool(nodes=1))
        ref = await cell.attach()
        await cell.running_job(ref, a_spec("h100:4", queue=A))
        await cell.submit(a_spec("h100:8", replicas=301, queue=B))  # not all of them have been made
        finished = (await cell.submit(a_spec(queue=C))).view.job.id
        await cell.jobs.cancel(finished, reason="", version=None, principal=USER, request_id="cancel")
        await cell.submit(a_spec("h100:8", queue=A))
        hold, _ = await Freezes(cell.parts).freeze(
            FreezeScope.QUEUE, "empty", reason="why", caller=cell.caller()
        )
        await Freezes(cell.parts).freeze(FreezeScope.POOL, "pool", reason="why", caller=cell.caller())
        await cell.run_cycle()

        page = await listed(cell)

        assert page.next_after is None
        assert page.queues == (
            QueueView(
                queue=A,
                unfinished_jobs=2,
                waiting_jobs=1,
                waiting_replicas=1,
                live_runs=1,
                accelerators_used=4,
            ),
            QueueView(queue=B, unfinished_jobs=1, waiting_jobs=1, waiting_replicas=301),
            QueueView(queue=QueueName("empty"), hold=hold),
        )


async def test_queues_are_listed_page_by_page() -> None:
    async with a_cell() as cell:
        for queue in (C, A, B):
            await cell.submit(a_spec(queue=queue))

        first = await listed(cell, size=2)
        second = await listed(cell, size=2, after=first.next_after)

        assert [view.queue for view in first.queues] == [A, B]
        assert first.next_after == B
        assert ([view.queue for view in second.queues], second.next_after) == ([C], None)
