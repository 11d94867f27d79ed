"""A steady mixed load of one Python client: calls begin on time, whatever the answers do."""

import asyncio
import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from placewright import AsyncClient, Job, JobPhase, JobView, PlacewrightError, WatchEventKind

SUBMIT, GET, LIST, CANCEL = "SubmitJob", "GetJob", "ListJobs", "CancelJob"
IN_FLIGHT_MAX = 200  # of each kind of call
RECENT_JOBS = 100
UNFINISHED = (JobPhase.PENDING, JobPhase.ACTIVE)
RETRY_S = 0.1
CALL_TIMEOUT_S = 3.0
OUTAGE_S_MAX = 120.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Calls that begin per second; `watches` of everything are open all the time."""

    submits: float
    gets: float
    lists: float = 0.0
    cancels: float = 0.0
    watches: int = 1


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was answered OK.

    Attributes:
        began_s: monotonic.
        seconds: as its caller waited, with the client's own work.
    """

    rpc: str
    began_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A job that was accepted; times are of the wall clock, the first before its first try was sent."""

    job_id: str
    job: Job
    began_at_s: float
    acknowledged_at_s: float


@dataclass
class MixedLoad:
    """The load and what came of it.

    Attributes:
        job: the nth job to submit.
        failed: calls by name and error; submits are repeated with the same request id until acknowledged.
        not_begun: calls that `IN_FLIGHT_MAX` did not let begin.
        events: of all watches.
        placed_at_s: when each run that a watch told of was placed, by its id; of the wall clock.
        restarts: watches that lost their position.
        unfinished: jobs in the last list.
    """

    client: AsyncClient
    rates: Rates
    job: Callable[[int], Job]
    seed: str
    answered: list[Answered] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    not_begun: int = 0
    events: int = 0
    placed_at_s: dict[str, float] = field(default_factory=dict)
    restarts: int = 0
    unfinished: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._recent: deque[str] = deque(maxlen=RECENT_JOBS)
        self._is_over = asyncio.Event()

    async def run(self) -> None:
        """Until `finish`; returns when every call has been answered."""
        rates = self.rates
        kinds = [
            (rates.submits, self._submit),
            (rates.gets, self._get),
            (rates.lists, self._list),
            (rates.cancels, self._cancel),
        ]
        watches = [asyncio.ensure_future(self._watch()) for _ in range(rates.watches)]
        try:
            await asyncio.gather(*(self._steadily(rate, call) for rate, call in kinds if rate))
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    def finish(self) -> None:
        self._is_over.set()

    async def _steadily(self, per_s: float, call: Callable[[int], Awaitable[None]]) -> None:
        began_s, under_way = time.monotonic(), set[asyncio.Future[None]]()
        for number in itertools.count():
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._is_over.wait(), max(0.0, began_s + number / per_s - time.monotonic())
                )
            if self._is_over.is_set():
                break
            if len(under_way) >= IN_FLIGHT_MAX:
                self.not_begun += 1
                continue
            begun = asyncio.ensure_future(call(number))
            under_way.add(begun)
            begun.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _submit(self, number: int) -> None:
        job, request_id, began_at_s = self.job(number), f"load-{self.seed}-{number}", time.time()
        while True:
            handle = await self._timed(SUBMIT, self.client.submit(job, request_id=request_id))
            if handle is not None:
                break
            await asyncio.sleep(RETRY_S)
        self.acknowledged.append(Acknowledged(handle.job_id, job, began_at_s, time.time()))
        self._recent.append(handle.job_id)

    async def _get(self, _number: int) -> None:
        if self._recent:
            await self._timed(GET, self.client.get_job(self._any_recent()))

    async def _list(self, _number: int) -> None:
        async def listed() -> int:
            return len([job async for job in self.client.list_jobs(phase=UNFINISHED, page_size=1_000)])

        self.unfinished = await self._timed(LIST, listed()) or self.unfinished

    async def _cancel(self, number: int) -> None:
        if self._recent:
            request_id = f"cancel-{self.seed}-{number}"
            await self._timed(CANCEL, self.client.cancel_job(self._any_recent(), request_id=request_id))

    def _any_recent(self) -> str:
        return self._chance.choice(self._recent)

    async def _watch(self) -> None:
        async for event in self.client.watch_jobs():
            self.events += 1
            self.restarts += event.kind is WatchEventKind.RESTARTED
            if event.job is not None:
                self.placed_at_s.update(placements_of(event.job))

    async def _timed(self, rpc: str, call: Awaitable[T]) -> T | None:
        """What the call gives; None if it failed. Either is noted."""
        began_s = time.monotonic()
        try:
            result = await call
        except PlacewrightError as error:
            self.failed[rpc, type(error).__name__] += 1
            return None
        self.answered.append(Answered(rpc, began_s, time.monotonic() - began_s))
        return result


def placements_of(job: JobView) -> dict[str, float]:
    """When its newest runs were placed, by their ids; of the wall clock."""
    runs = (replica.run for replica in job.replicas)
    return {
        run.run_id: run.placed_at.timestamp() for run in runs if run is not None and run.placed_at is not None
    }


def percentile_ms(seconds: list[float], percent: int) -> float:
    """Of times in any order; 0 if there are none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000 if ordered else 0.0
