"""Jobs that are kept as messages: never older than what the state says."""

from scheduler.api.encoded_jobs import EncodedJobs
from scheduler.model.ids import History, JobId
from scheduler.model.limits import REPLICAS_MAX
from scheduler.model.view import JobView, job_view
from tests.cell import USER, Cell, a_cell


def view_of(cell: Cell, job_id: JobId) -> JobView:
    view = job_view(cell.mirror.state, job_id, replicas_max=REPLICAS_MAX)
    assert view is not None
    return view


async def test_an_unchanged_job_is_encoded_once_and_a_changed_one_anew() -> None:
    messages, history = EncodedJobs(), History("history")
    async with a_cell() as cell:
        job_id = (await cell.submit()).view.job.id
        first = messages.of(view_of(cell, job_id), history)
        assert messages.of(view_of(cell, job_id), history) is first

        await cell.jobs.cancel(job_id, reason="why", version=None, principal=USER, request_id="cancel")

        assert messages.of(view_of(cell, job_id), history).cancel_reason == "why"
        assert messages.of(view_of(cell, job_id), History("other")).etag != first.etag


async def test_the_oldest_go_when_there_are_too_many() -> None:
    messages, history = EncodedJobs(kept_max=2), History("history")
    async with a_cell() as cell:
        views = [(await cell.submit()).view for _ in range(3)]
        first, _, last = [messages.of(view, history) for view in views]

        assert messages.of(views[2], history) is last
        assert messages.of(views[0], history) is not first
