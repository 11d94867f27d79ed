"""Jobs: what is accepted is kept, what is repeated is done once."""

from dataclasses import replace

import pytest

from scheduler.model.errors import NotFound, QueueFull, RequestIdReused, StaleEtag
from scheduler.model.ids import JobId, QueueName, Revision
from scheduler.model.job import JobPhase
from scheduler.model.limits import UNFINISHED_JOBS_PER_QUEUE_MAX
from scheduler.model.records import Key, Kind, Record
from scheduler.model.replica import ReplicaState
from scheduler.service.jobs import Accepted, JobFilter, Submission
from tests.builders import a_job, a_spec
from tests.cell import USER, a_cell

NOW = Revision(0)


async def test_an_accepted_job_waits_with_all_its_replicas() -> None:
    async with a_cell() as cell:
        accepted = await cell.submit(a_spec(replicas=3))

        view = await cell.jobs.get(accepted.view.job.id, min_revision=accepted.revision)
        assert view.phase is JobPhase.PENDING
        assert view.counts[ReplicaState.WAITING] == 3
        assert view.job.id.startswith("test-")


async def test_a_repeated_request_gives_the_same_job_and_writes_nothing() -> None:
    async with a_cell() as cell:
        first = await cell.submit(request_id="same")
        revision = cell.mirror.state.revision

        second = await cell.submit(request_id="same")

        assert second.view.job.id == first.view.job.id
        assert cell.mirror.state.revision == revision


async def test_a_request_id_with_other_content_is_refused() -> None:
    async with a_cell() as cell:
        await cell.submit(request_id="same")

        with pytest.raises(RequestIdReused, match="'same'"):
            await cell.submit(a_spec("h100:16"), request_id="same")


async def test_callers_do_not_share_request_ids() -> None:
    async with a_cell() as cell:
        first = await cell.submit(request_id="same")

        second = await cell.submit(a_spec("h100:16"), request_id="same", principal=cell.caller().principal)

        assert second.view.job.id != first.view.job.id


async def test_one_reused_request_id_in_a_batch_does_not_fail_the_others() -> None:
    async with a_cell() as cell:
        await cell.submit(request_id="used")
        batch = [
            Submission(spec=a_spec(), command=("other",), env=(), request_id="used"),
            Submission(spec=a_spec(), command=("train",), env=(), request_id="new"),
        ]

        refused, accepted = await cell.jobs.submit_many(batch, USER)

        assert isinstance(refused, RequestIdReused)
        assert isinstance(accepted, Accepted)


async def test_pages_give_every_job_once_in_order() -> None:
    async with a_cell() as cell:
        ids = [(await cell.submit()).view.job.id for _ in range(7)]

        found: list[JobId] = []
        after: JobId | None = None
        while True:
            page = await cell.jobs.list_page(JobFilter(), after=after, size=3, min_revision=NOW)
            found += [view.job.id for view in page.jobs]
            after = page.next_after
            if after is None:
                break

        assert found == sorted(ids)
        assert page.total == 7


async def test_a_filter_chooses_by_queue_name_and_phase() -> None:
    async with a_cell() as cell:
        await cell.submit(a_spec(queue=QueueName("product")))
        wanted = await cell.submit(a_spec(queue=QueueName("research"), name="mine"))
        chosen = JobFilter(
            queues=frozenset({QueueName("research")}), name="mine", phases=frozenset({JobPhase.PENDING})
        )

        page = await cell.jobs.list_page(chosen, after=None, size=10, min_revision=NOW)

        assert [view.job.id for view in page.jobs] == [wanted.view.job.id]


async def test_cancelling_notes_the_reason_and_a_second_cancel_changes_nothing() -> None:
    async with a_cell() as cell:
        job_id = (await cell.submit()).view.job.id

        await cell.jobs.cancel(job_id, reason="enough", version=None, principal=USER, request_id="one")
        version = cell.mirror.state.version(Key(Kind.JOB, job_id))
        again = await cell.jobs.cancel(job_id, reason="", version=None, principal=USER, request_id="two")

        assert again.view.job.cancel_reason == "enough"
        assert again.view.version == version


async def test_cancelling_with_a_stale_etag_is_refused() -> None:
    async with a_cell() as cell:
        accepted = await cell.submit()

        with pytest.raises(StaleEtag, match="read it again"):
            await cell.jobs.cancel(
                accepted.view.job.id, reason="", version=Revision(999), principal=USER, request_id="one"
            )

        assert cell.job(accepted.view.job.id).cancel_requested_at_ms is None


async def test_an_unknown_job_is_not_found() -> None:
    async with a_cell() as cell:
        with pytest.raises(NotFound, match="job 'nobody'"):
            await cell.jobs.get(JobId("nobody"), min_revision=NOW)


async def test_a_full_queue_is_refused_by_name_and_shuts_no_other_out() -> None:
    full = a_job(queue="full")
    async with a_cell() as cell:
        for number in range(UNFINISHED_JOBS_PER_QUEUE_MAX):
            job = replace(full, id=JobId(f"job-{number}"))
            cell.mirror.state.put(Record(entity=job, version=Revision(1), planning_version=Revision(1)))

        with pytest.raises(QueueFull, match="100000 jobs of queue 'full' are unfinished; at most") as caught:
            await cell.submit(a_spec(queue="full"))
        assert caught.value.limit == "UNFINISHED_JOBS_PER_QUEUE"
        await cell.submit(a_spec(queue="other"))
