"""SubmitJobs: in parts, with a result of its own for each submission."""

from collections.abc import Sequence

import pytest

from placewright.v1 import job_service_pb2
from scheduler.api.bulk_submit import SUBMISSIONS_AT_ONCE, AcceptedItem, BulkSubmit
from scheduler.api.submissions import Submissions
from scheduler.model.errors import InvalidRequest, StoreUnavailable
from scheduler.model.transaction import Outcome, Transaction
from scheduler.service.jobs import Jobs
from scheduler.state.memory import MemoryStore
from tests.cell import USER, ManualClock, a_cell
from tests.unit.api.conftest import VOCABULARY, a_submission


class LeavingStore(MemoryStore):
    """A store that goes out of reach after so many calls."""

    calls_left = 1_000

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        if self.calls_left == 0:
            raise StoreUnavailable("out of reach")
        self.calls_left -= 1
        return await super().transact(transactions)


def bulk(jobs: Jobs) -> BulkSubmit:
    return BulkSubmit(jobs, Submissions(VOCABULARY))


def submissions(count: int) -> list[job_service_pb2.JobSubmission]:
    made = [a_submission() for _ in range(count)]
    for number, submission in enumerate(made):
        submission.request_id = f"request-{number}"
    return made


async def test_each_submission_has_its_own_result_in_order() -> None:
    items = submissions(2 * SUBMISSIONS_AT_ONCE + 1)
    items[SUBMISSIONS_AT_ONCE].spec.name = "Bad Name"
    async with a_cell() as cell:
        results = await bulk(cell.jobs).submit(items, USER)

    assert len(results) == len(items)
    bad = results.pop(SUBMISSIONS_AT_ONCE)
    assert isinstance(bad, InvalidRequest)
    assert f"submissions[{SUBMISSIONS_AT_ONCE}].spec.name" in str(bad)
    assert all(isinstance(result, AcceptedItem) for result in results)


async def test_what_was_accepted_before_the_store_went_away_is_told() -> None:
    clock = ManualClock()
    memory = LeavingStore(clock)
    async with a_cell(memory=memory, clock=clock) as cell:
        memory.calls_left = 1
        results = await bulk(cell.jobs).submit(submissions(3 * SUBMISSIONS_AT_ONCE), USER)
        memory.calls_left = 1_000

    kinds = [type(result) for result in results]
    assert kinds == [AcceptedItem] * SUBMISSIONS_AT_ONCE + [StoreUnavailable] * 2 * SUBMISSIONS_AT_ONCE


async def test_a_call_of_which_nothing_was_accepted_fails_as_a_whole() -> None:
    clock = ManualClock()
    memory = LeavingStore(clock)
    async with a_cell(memory=memory, clock=clock) as cell:
        memory.calls_left = 0
        with pytest.raises(StoreUnavailable):
            await bulk(Jobs(cell.parts)).submit(submissions(3), USER)
        memory.calls_left = 1_000
