"""Bugs planted in the store or the service are found within a few histories."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from scheduler.model.ids import History, JobId, Revision
from scheduler.model.records import Entity, Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import Check, Commit, Committed, IsAbsent, IsAt, Outcome, Transaction
from scheduler.model.view import JobView
from scheduler.ports import StateStore
from scheduler.service.jobs import Jobs
from tests.linearizability.checker import judge
from tests.linearizability.histories import Surroundings, a_history
from tests.linearizability.specification import Table, job_table

SEEDS_MAX = 8


class CarelessStore:
    """Carries transactions out without the checks that it does not mind."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def minds(self, check: Check) -> bool:
        """Each check, unless a bug says otherwise."""
        return isinstance(check, Check)

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        careless = [replace(each, checks=tuple(filter(self.minds, each.checks))) for each in transactions]
        return await self._store.transact(careless)

    async def load(self) -> State:
        return await self._store.load()

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        return await self._store.read_commits(history, after, wait_ms=wait_ms)

    async def get(self, key: Key) -> Entity | None:
        return await self._store.get(key)

    async def ping(self) -> None:
        await self._store.ping()


class StoreThatComparesNoVersions(CarelessStore):
    def minds(self, check: Check) -> bool:
        return not isinstance(check, IsAt) or check.version == 0


class StoreThatForgetsRequests(CarelessStore):
    def minds(self, check: Check) -> bool:
        return not (isinstance(check, IsAbsent) and check.key.kind is Kind.IDEMPOTENCY)


class StoreThatAnswersTooEarly(CarelessStore):
    """Says that a transaction was carried out, now and then, and drops it."""

    dropped_at = 4

    def __init__(self, store: StateStore) -> None:
        super().__init__(store)
        self._transacted = 0
        self._newest: Sequence[Outcome] = ()

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        self._transacted += 1
        if self._transacted % self.dropped_at == 0 and len(self._newest) == len(transactions):
            return self._newest
        outcomes = await self._store.transact(transactions)
        if all(isinstance(outcome, Committed) for outcome in outcomes):
            self._newest = outcomes
        return outcomes


class JobsThatDoNotWait(Jobs):
    """Read whatever is here, whatever the caller has written."""

    async def get(self, job_id: JobId, *, min_revision: Revision) -> JobView:  # noqa: ARG002  (that is the bug)
        return await super().get(job_id, min_revision=Revision(0))


@pytest.mark.parametrize(
    "planted",
    [
        {"wrap": StoreThatComparesNoVersions},
        {"wrap": StoreThatForgetsRequests},
        {"wrap": StoreThatAnswersTooEarly},
        {"jobs": JobsThatDoNotWait},
    ],
    ids=lambda planted: next(iter(planted.values())).__name__,
)
async def test_it_is_found(valkey_url: str, planted: dict[str, type]) -> None:
    around = Surroundings(url=valkey_url, **planted)

    assert await first_refused(around) is not None, f"not found with the seeds below {SEEDS_MAX}"


async def test_the_same_store_without_a_bug_is_not_refused(valkey_url: str) -> None:
    assert await first_refused(Surroundings(url=valkey_url, wrap=CarelessStore)) is None


async def first_refused(around: Surroundings) -> int | None:
    for seed in range(SEEDS_MAX):
        history = await a_history(around, seed)
        if not judge(history, job_table, start=Table()).is_linearizable:
            return seed
    return None
