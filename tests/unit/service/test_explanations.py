"""Explanations of a job's replicas: of what waits by planning, of what has a place by its numbers."""

import pytest

from scheduler.model.errors import IllegalTransition, NotFound
from scheduler.model.explanation import Change, ChangeKind, WhyPlaced, WhyWaiting
from scheduler.model.ids import JobId, PoolId, Revision
from scheduler.service.explanations import Explanations
from tests.builders import DOLLAR, HOUR_MS, a_pool, a_rented_pool, a_spec, an_alternative
from tests.cell import USER, Cell, a_cell, what_ifs_of


async def explained(cell: Cell, job_id: JobId, index: int | None = None) -> WhyWaiting | WhyPlaced:
    explanations = Explanations(cell.parts, what_ifs_of(cell))
    return await explanations.explain(job_id, index=index, min_revision=Revision(0), within_ms=60_000)


async def test_what_waits_is_told_by_every_pool_and_what_would_let_it_in() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool(nodes=1))
        await cell.apply_pool(a_pool("other", "a100"))
        await cell.running_job(await cell.attach(), a_spec("h100:8"))
        job = (await cell.submit(a_spec("h100:8"))).view.job

        found = await explained(cell, job.id)

        assert isinstance(found, WhyWaiting)
        assert (found.revision, found.replica_id) == (cell.mirror.state.revision, f"{job.id}-0")
        assert [answer.pool_id for answer in found.pools] == ["other", "pool"]
        assert found.changes == (Change(kind=ChangeKind.MORE_ACCELERATORS, pool_id=PoolId("pool"), amount=8),)


async def test_what_has_a_place_is_told_by_the_parts_of_its_term() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_rented_pool())
        slow = an_alternative("h100:8", speed_permille=500)
        fast = an_alternative("a100:8", speed_permille=1_000)
        job_id = await cell.running_job(await cell.attach(), a_spec(slow, fast, duration_ms=HOUR_MS))

        found = await explained(cell, job_id)

        assert isinstance(found, WhyPlaced)
        parts = found.parts
        assert parts.work_usd_micros_per_hour == 8 * 10 * DOLLAR
        assert parts.price_usd_micros_per_hour == -2 * 8 * 2 * DOLLAR  # twice as long
        assert parts.urgency_usd_micros_per_hour == -8 * DOLLAR // 2
        assert parts.shadow_usd_micros_per_hour == 0
        assert found.placement.term_usd_micros_per_hour == (80 - 32 - 4) * DOLLAR


async def test_the_first_that_waits_is_explained_unless_another_is_named() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool(nodes=1))
        await cell.attach()
        job = (await cell.submit(a_spec("h100:8", replicas=2))).view.job
        await cell.run_cycle()

        assert isinstance(await explained(cell, job.id), WhyWaiting)
        kinds = {type(await explained(cell, job.id, index)) for index in (0, 1)}
        assert kinds == {WhyWaiting, WhyPlaced}


async def test_what_is_not_there_or_over_cannot_be_explained() -> None:
    async with a_cell() as cell:
        job = (await cell.submit(a_spec("h100:8"))).view.job
        with pytest.raises(NotFound, match="job 'none'"):
            await explained(cell, JobId("none"))
        with pytest.raises(NotFound, match="replica"):
            await explained(cell, job.id, 7)
        await cell.jobs.cancel(job.id, reason="", version=None, principal=USER, request_id="cancel")
        with pytest.raises(IllegalTransition, match="neither waits for a place nor has one"):
            await explained(cell, job.id)
