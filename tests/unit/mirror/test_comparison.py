"""The background comparison finds what a mirror has wrong, mends it, and cries no wolf."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from scheduler.mirror.comparison import Comparison
from scheduler.mirror.mirror import Mirror
from scheduler.model.ids import History, Revision
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Put, Transaction
from scheduler.state.memory import MemoryStore
from scheduler.telemetry.metrics import Metrics
from tests.builders import a_job
from tests.cell import ManualClock
from tests.unit.mirror.stores import JOB, JOB_KEY, SUBMIT, FrailStore, following, note, until


class LeakyStore(FrailStore):
    """Its stream loses the records, or the removals, of commits while it leaks."""

    leaks = False

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        commits = await super().read_commits(history, after, wait_ms=wait_ms)
        return [replace(commit, records=(), removed=()) for commit in commits] if self.leaks else commits


class BusyLoads(LeakyStore):
    """Somebody writes before, while and after everything is loaded."""

    async def load(self) -> State:
        await self.write("before")
        loaded = await super().load()
        await self.write("after")
        return loaded

    async def write(self, text: str) -> None:
        await self.memory.transact(
            [note(await self.memory.load(), text), Transaction(puts=(Put(entity=a_job(f"job-{text}")),))]
        )


@dataclass
class Compared:
    """A mirror that follows, and its comparison."""

    store: LeakyStore
    mirror: Mirror
    comparison: Comparison
    metrics: Metrics

    async def write(self, *transactions: Transaction) -> None:
        """Write, and wait until the mirror is as far as the store."""
        await self.store.memory.transact(transactions)
        await self.mirror.caught_up((await self.store.memory.load()).revision)

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"placewright_mirror_{name}_total", labels) or 0.0


@asynccontextmanager
async def compared(store: LeakyStore | None = None) -> AsyncIterator[Compared]:
    clock, metrics = ManualClock(), Metrics()
    store = store or LeakyStore(MemoryStore(clock))
    await store.memory.transact([SUBMIT])
    mirror = await Mirror.load(store, clock, metrics)
    comparison = Comparison(store, mirror, clock, metrics.store, every_ms=1_000)
    async with following(mirror):
        yield Compared(store, mirror, comparison, metrics)


async def test_a_good_mirror_is_left_alone() -> None:
    async with compared() as here:
        state = here.mirror.state

        assert await here.comparison.compare() == []
        assert here.mirror.state is state
        assert here.metric("comparisons", result="equal") == 1
        assert here.metric("differences") == 0


async def test_a_lost_change_is_found_counted_and_mended() -> None:
    async with compared() as here:
        here.store.leaks = True
        await here.write(note(here.mirror.state, "lost"))
        here.store.leaks = False
        disconnections = here.mirror.disconnections

        assert await here.comparison.compare() == [JOB_KEY]

        job = here.mirror.state.job(JOB.id)
        assert job is not None
        assert job.cancel_reason == "lost"
        assert here.metric("differences") == 1
        assert here.metric("comparisons", result="different") == 1
        assert here.mirror.disconnections == disconnections + 1, "leases must start anew"
        assert await here.comparison.compare() == []


async def test_a_lost_new_record_and_a_lost_removal_are_found() -> None:
    async with compared() as here:
        here.store.leaks = True
        await here.write(Transaction(puts=(Put(entity=a_job("new")),)), Transaction(deletes=(JOB_KEY,)))
        here.store.leaks = False

        assert sorted(key.id for key in await here.comparison.compare()) == sorted([JOB.id, "new"])
        assert here.mirror.state.job(JOB.id) is None


async def test_a_mended_mirror_goes_on_with_the_stream() -> None:
    async with compared() as here:
        here.store.leaks = True
        await here.write(note(here.mirror.state, "lost"))
        here.store.leaks = False
        await here.comparison.compare()

        await here.write(note(here.mirror.state, "seen"))

        job = here.mirror.state.job(JOB.id)
        assert job is not None
        assert job.cancel_reason == "lost seen"


async def test_writes_meanwhile_are_no_difference() -> None:
    clock = ManualClock()
    store = BusyLoads(MemoryStore(clock))
    async with compared(store) as here:
        for _ in range(20):
            assert await here.comparison.compare() == []

        assert here.metric("comparisons", result="equal") == 20
        assert here.mirror.state.job(a_job("job-after").id) is not None


async def test_a_store_out_of_reach_breaks_it_off_until_the_next_time() -> None:
    async with compared() as here:
        here.store.is_lost = True
        running = asyncio.ensure_future(here.comparison.run())
        await until(lambda: here.metric("comparisons", result="broken_off") > 0)
        here.store.is_lost = False
        await until(lambda: here.metric("comparisons", result="equal") > 0)
        running.cancel()

        assert here.metric("differences") == 0
