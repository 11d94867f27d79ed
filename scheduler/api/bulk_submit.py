"""SubmitJobs: many submissions in parts, between which other calls have their turn."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from placewright.v1 import job_pb2, job_service_pb2
from scheduler.api.submissions import Decoded, Submissions
from scheduler.model.errors import NotCaughtUp, Overloaded, PlacewrightError, StoreUnavailable
from scheduler.model.ids import Principal
from scheduler.service.jobs import Accepted, Jobs

CALLS_AT_ONCE = 4  # more would not be faster, and hold everybody else up
SUBMISSIONS_AT_ONCE = 50  # a few milliseconds
PASSING = (StoreUnavailable, NotCaughtUp, Overloaded)


@dataclass(frozen=True, slots=True)
class AcceptedItem:
    """An accepted job and, as a message without its name, its spec."""

    accepted: Accepted
    effective_spec: job_pb2.JobSpec


Result = AcceptedItem | PlacewrightError


class BulkSubmit:
    """Carries a few calls out at a time; the others wait in order."""

    def __init__(self, jobs: Jobs, submissions: Submissions) -> None:
        self._jobs, self._submissions = jobs, submissions
        self._places = asyncio.Semaphore(CALLS_AT_ONCE)

    async def submit(
        self, items: Sequence[job_service_pb2.JobSubmission], principal: Principal
    ) -> list[Result]:
        """A result for each item, in order.

        After a part that failed as a whole, because of the store or for want of room, the rest is not tried.

        Raises:
            StoreUnavailable, NotCaughtUp, Overloaded: nothing was accepted.
        """
        results: list[Result] = []
        async with self._places:
            for start in range(0, len(items), SUBMISSIONS_AT_ONCE):
                part = enumerate(items[start : start + SUBMISSIONS_AT_ONCE], start)
                some = await self._submit_part([self._decoded(i, item) for i, item in part], principal)
                results += some
                passing = _passing_fault(some)
                if passing is not None:
                    if not any(isinstance(result, AcceptedItem) for result in results):
                        raise passing
                    return [*results, *(passing for _ in items[len(results) :])]
                await asyncio.sleep(0)
        return results

    def _decoded(self, index: int, item: job_service_pb2.JobSubmission) -> Decoded | PlacewrightError:
        try:
            return self._submissions.decode(item, prefix=f"submissions[{index}].")
        except PlacewrightError as error:
            return error

    async def _submit_part(
        self, items: Sequence[Decoded | PlacewrightError], principal: Principal
    ) -> list[Result]:
        """A result for each: the bad ones keep their error, the good ones are submitted together."""
        good = [item.submission for item in items if isinstance(item, Decoded)]
        submitted = iter(await self._jobs.submit_many(good, principal) if good else ())
        return [_result(item, next(submitted)) if isinstance(item, Decoded) else item for item in items]


def _result(item: Decoded, submitted: Accepted | PlacewrightError) -> Result:
    if isinstance(submitted, PlacewrightError):
        return submitted
    return AcceptedItem(submitted, item.effective_spec)


def _passing_fault(results: Sequence[Result]) -> PlacewrightError | None:
    """What all good ones of a part failed of, if that goes by and is not about any of them."""
    faults = [result for result in results if isinstance(result, PASSING)]
    return faults[0] if faults and not any(isinstance(result, AcceptedItem) for result in results) else None
