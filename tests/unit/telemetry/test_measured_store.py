"""The measured store gives what the store gives, and records it."""

from collections.abc import Sequence

import pytest

from scheduler.model.errors import StoreUnavailable
from scheduler.model.ids import Revision
from scheduler.model.records import Key, Kind
from scheduler.model.transaction import Committed, Conflict, Outcome, Put, StaleFence, Transaction
from scheduler.ports import StateStore
from scheduler.telemetry.measured_store import MeasuredStore
from scheduler.telemetry.metrics import Metrics
from tests.builders import a_job

KEY = Key(Kind.JOB, "job")
TRANSACTION = Transaction(puts=(Put(entity=a_job()),))


class Answering(StateStore):
    """Answers every transaction alike, or is out of reach when there is no answer."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = outcomes

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        if not self._outcomes:
            raise StoreUnavailable("gone")
        return self._outcomes[: len(transactions)]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"placewright_store_{name}", labels)


async def test_outcomes_pass_through_and_are_counted() -> None:
    metrics, outcomes = Metrics(), (Committed(Revision(2)), Conflict(KEY, Revision(2)), StaleFence())
    store = MeasuredStore(Answering(*outcomes), metrics.store)

    assert await store.transact([TRANSACTION] * 3) == outcomes

    for result in ("committed", "conflict", "stale_fence"):
        assert value(metrics, "transactions_total", result=result) == 1, result
    assert value(metrics, "batch_transactions_sum") == 3
    assert value(metrics, "latency_seconds_count", operation="transact") == 1


async def test_a_call_without_an_answer_is_an_error_and_no_latency() -> None:
    metrics = Metrics()
    store = MeasuredStore(Answering(), metrics.store)

    with pytest.raises(StoreUnavailable):
        await store.transact([TRANSACTION])

    assert value(metrics, "errors_total", operation="transact") == 1
    assert value(metrics, "latency_seconds_count", operation="transact") == 0
