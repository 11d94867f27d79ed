"""Short histories of clients that use two replicas over one real store at once, with faults on the way to it.

What each client wants and which messages of each replica are lost or late follows from the seed. When the
server answers and who runs first does not, nor do the ids of jobs: a seed that showed a fault shows it often,
not always.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random

from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import (
    NotCaughtUp,
    NotFound,
    PlacewrightError,
    RequestIdReused,
    StaleEtag,
    StoreUnavailable,
)
from scheduler.model.ids import CellId, History, JobId, Revision
from scheduler.model.records import Entity, Key
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Outcome, Transaction
from scheduler.model.view import JobView
from scheduler.ports import StateStore
from scheduler.service import jobs as service
from scheduler.service.jobs import JobFilter, Jobs, Submission
from scheduler.service.parts import Parts
from scheduler.state.redis_store import RedisSettings, open_redis_store
from scheduler.telemetry.metrics import Metrics
from tests.builders import a_spec
from tests.cell import USER
from tests.contract.stores import RealClock, a_cell
from tests.linearizability.checker import Operation
from tests.linearizability.specification import (
    Accepted,
    Answer,
    Call,
    Cancel,
    Read,
    Refusal,
    Seen,
    Submit,
)

REPLICAS = 2
CLIENTS = 3
CALLS_PER_CLIENT = 7
NAMES = ("first", "second")  # few, so that clients meet
CONTENTS = ("h100:8", "h100:8", "h100:8", "h100:16")
PAGE_SIZE = 100
DISTURBED_PAUSE_MS = 40
PAUSE_MS_MIN = 5
PAUSE_MS_MAX = 200

UNKNOWN = (StoreUnavailable, NotCaughtUp)
REFUSALS = {
    NotFound: Refusal.NOT_FOUND,
    StaleEtag: Refusal.STALE_ETAG,
    RequestIdReused: Refusal.REQUEST_ID_REUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How unreliable a replica's way to the store is.

    Attributes:
        lag_ms_max: how late news of others' writes may come.
    """

    error_permille: int = 60
    delay_ms_max: int = 3
    lag_ms_max: int = 25


class UnreliableStore:
    """One replica's way to the store: calls are late, and fail before or after they were carried out."""

    def __init__(self, store: StateStore, draw: Random, faults: Faults) -> None:
        self._store, self._draw, self._faults = store, draw, faults

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        await self._way()
        outcomes = await self._store.transact(transactions)
        await self._way()
        return outcomes

    async def get(self, key: Key) -> Entity | None:
        await self._way()
        return await self._store.get(key)

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        commits = await self._store.read_commits(history, after, wait_ms=wait_ms)
        await asyncio.sleep(self._draw.randint(0, self._faults.lag_ms_max) / 1000)
        return commits

    async def load(self) -> State:
        return await self._store.load()

    async def ping(self) -> None:
        await self._store.ping()

    async def _way(self) -> None:
        await asyncio.sleep(self._draw.randint(0, self._faults.delay_ms_max) / 1000)
        if self._draw.randrange(1000) < self._faults.error_permille:
            raise StoreUnavailable("the test has lost this message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a history takes place in; a planted bug replaces a part.

    Attributes:
        wrap: stands in front of each replica's store.
        jobs: makes the service of a replica.
    """

    url: str
    faults: Faults = Faults()
    wrap: Callable[[StateStore], StateStore] = lambda store: store
    jobs: Callable[[Parts], Jobs] = Jobs


@dataclass(slots=True)
class Replica:
    """A process of the service, and which answered operations its mirror cannot fall behind any more."""

    jobs: Jobs
    answered: set[int] = field(default_factory=set)


@asynccontextmanager
async def a_replica(around: Surroundings, cell: CellId, draw: Random) -> AsyncIterator[Replica]:
    async with open_redis_store(RedisSettings(url=around.url, cell=cell)) as opened:
        store = around.wrap(UnreliableStore(opened, draw, around.faults))
        mirror = await Mirror.load(store, RealClock(), Metrics())
        following = asyncio.ensure_future(mirror.run())
        try:
            yield Replica(
                around.jobs(
                    Parts(cell=cell, store=store, mirror=mirror, clock=RealClock(), random_bytes=os.urandom)
                )
            )
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


@dataclass(slots=True)
class Record:
    """The history so far, and what clients have told each other."""

    operations: dict[int, Operation[Call]] = field(default_factory=dict)
    told: dict[str, Seen] = field(default_factory=dict)  # the newest answer about each name
    _indexes: Iterator[int] = field(default_factory=itertools.count)
    _places: Iterator[int] = field(default_factory=itertools.count)

    def place(self) -> int:
        return next(self._places)

    def add(self, call: Call, *, begins: int, ends: int | None, after: frozenset[int]) -> int:
        index = next(self._indexes)
        self.operations[index] = Operation(call=call, begins=begins, ends=ends, after=after)
        return index

    def history(self) -> list[Operation[Call]]:
        return [self.operations[index] for index in range(len(self.operations))]


class Client:
    """One caller: it does one thing at a time, at any replica, and repeats what it got no answer to."""

    def __init__(self, number: int, record: Record, replicas: Sequence[Replica], draw: Random) -> None:
        self._number, self._record, self._replicas, self._draw = number, record, replicas, draw
        self._written: frozenset[int] = frozenset()
        self._min_revision = Revision(0)
        self._repeats: Submit | Cancel | None = None
        self._pause_ms = PAUSE_MS_MIN
        self._cancels = 0

    async def run(self, disturbed: asyncio.Task[None] | None) -> None:
        """Calls for as long as something disturbs, and some more."""
        while disturbed is not None and not disturbed.done():
            await self.do(self._draw.choice(self._replicas))
            await asyncio.sleep(DISTURBED_PAUSE_MS / 1000)
        for _ in range(CALLS_PER_CLIENT):
            await self.do(self._draw.choice(self._replicas))

    async def do(self, replica: Replica) -> None:
        what = self._draw.randrange(10)
        if self._repeats is not None and what < 6:
            await self._write(replica, self._repeats)
        elif what < 3 or not self._record.told:
            await self._write(replica, self._a_submit())
        elif what < 6:
            await self._write(replica, self._a_cancel())
        elif what < 9:
            await self._get(replica)
        else:
            await self._list(replica)

    def _a_submit(self) -> Submit:
        name, content = self._draw.choice(NAMES), self._draw.choice(CONTENTS)
        return Submit(name=name, content=content, answer=None)

    def _a_cancel(self) -> Cancel:
        known = self._record.told[self._draw.choice(sorted(self._record.told))]
        request_id = f"cancel-{self._number}-{self._cancels}"
        if self._draw.randrange(4):  # now and then an id that has been used
            self._cancels += 1
        return Cancel(
            name=known.name,
            request_id=request_id,
            reason=f"reason-{self._number}-{self._cancels}",
            etag=known.version if self._draw.randrange(2) else None,
            answer=None,
        )

    async def _write(self, replica: Replica, call: Submit | Cancel) -> None:
        begins, known = self._record.place(), frozenset(replica.answered)
        answer, view = await _answer(self._carry_out(replica, call))
        await self._back_off(answer)
        self._repeats = call if answer is None else None
        ends = None if answer is None else self._record.place()
        index = self._record.add(replace(call, answer=answer), begins=begins, ends=ends, after=frozenset())
        if view is None or ends is None:
            return
        assert isinstance(answer, Accepted)
        self._written |= {index}
        self._min_revision = max(self._min_revision, answer.revision)
        read = Read(name=view.job.spec.name, seen=(self._seen(view),))
        self._note_read(replica, read, ends=ends, after=known | {index})
        replica.answered.add(index)

    async def _back_off(self, answer: Answer) -> None:
        """As a client does; it also keeps calls of unknown outcome few, which the checker takes long for."""
        if answer is not None:
            self._pause_ms = PAUSE_MS_MIN
            return
        await asyncio.sleep(self._pause_ms / 1000)
        self._pause_ms = min(self._pause_ms * 2, PAUSE_MS_MAX)

    def _carry_out(self, replica: Replica, call: Submit | Cancel) -> Awaitable[service.Accepted]:
        if isinstance(call, Submit):
            return replica.jobs.submit(
                Submission(
                    spec=a_spec(call.content, name=call.name), command=(), env=(), request_id=call.name
                ),
                USER,
            )
        return replica.jobs.cancel(
            self._record.told[call.name].job_id,
            reason=call.reason,
            version=call.etag,
            principal=USER,
            request_id=call.request_id,
        )

    async def _get(self, replica: Replica) -> None:
        name = self._draw.choice(sorted(self._record.told))
        job_id = self._record.told[name].job_id
        after = self._written | replica.answered
        try:
            seen = (self._seen(await replica.jobs.get(job_id, min_revision=self._min_revision)),)
        except NotFound:
            seen = ()
        except UNKNOWN:
            return
        self._note_read(replica, Read(name=name, seen=seen), ends=self._record.place(), after=after)

    async def _list(self, replica: Replica) -> None:
        after = self._written | replica.answered
        try:
            page = await replica.jobs.list_page(
                JobFilter(), after=None, size=PAGE_SIZE, min_revision=self._min_revision
            )
        except UNKNOWN:
            return
        read = Read(name=None, seen=tuple(self._seen(view) for view in page.jobs))
        self._note_read(replica, read, ends=self._record.place(), after=after)

    def _note_read(self, replica: Replica, read: Read, *, ends: int, after: frozenset[int]) -> None:
        """A read may be of the past: it begins with the history, but comes after what it had to see."""
        replica.answered.add(self._record.add(read, begins=0, ends=ends, after=frozenset(after)))

    def _seen(self, view: JobView) -> Seen:
        job = view.job
        reason = job.cancel_reason if job.is_cancelling else None
        seen = Seen(name=job.spec.name, job_id=job.id, version=view.version, cancel_reason=reason)
        earlier = self._record.told.get(seen.name)
        if earlier is None or earlier.version <= seen.version:
            self._record.told[seen.name] = seen
        return seen


async def _answer(carrying_out: Awaitable[service.Accepted]) -> tuple[Answer, JobView | None]:
    try:
        accepted = await carrying_out
    except UNKNOWN:
        return None, None
    except PlacewrightError as error:
        return REFUSALS[type(error)], None
    return Accepted(JobId(accepted.view.job.id), accepted.revision), accepted.view


async def a_history(
    around: Surroundings, seed: int, *, disturb: Callable[[CellId], Coroutine[None, None, None]] | None = None
) -> list[Operation[Call]]:
    """What clients were answered in a cell of their own, while `disturb` makes things worse."""
    cell = a_cell()
    record = Record()
    async with (
        a_replica(around, cell, Random(f"{seed} replica 0")) as first,
        a_replica(around, cell, Random(f"{seed} replica 1")) as second,
        asyncio.TaskGroup() as tasks,
    ):
        disturbed = None if disturb is None else tasks.create_task(disturb(cell))
        for number in range(CLIENTS):
            client = Client(number, record, (first, second), Random(f"{seed} client {number}"))
            tasks.create_task(client.run(disturbed))
    return record.history()


def told(history: Sequence[Operation[Call]], order: Sequence[int]) -> str:
    """A history for people: what came into an order, and what did not."""
    lines = [f"  {index:3} [{op.begins}, {op.ends}] {op.call}" for index, op in enumerate(history)]
    left = [lines[index] for index in range(len(history)) if index not in order]
    return "\n".join(["in this order so far:", *(lines[i] for i in order), "and then none of:", *left])
