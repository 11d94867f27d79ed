"""Store series: the state store as its callers see it, and how far behind the mirror is."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from scheduler.model.ids import Revision
from scheduler.telemetry.buckets import STORE_BATCH_TRANSACTIONS, STORE_SECONDS


class StoreOperation(StrEnum):
    TRANSACT = "transact"
    LOAD = "load"
    READ_COMMITS = "read_commits"
    GET = "get"
    PING = "ping"
    ACQUIRE = "acquire"
    ADOPT_HISTORY = "adopt_history"
    RELEASE = "release"


class TransactionResult(StrEnum):
    COMMITTED = "committed"
    CONFLICT = "conflict"
    STALE_FENCE = "stale_fence"


class ComparisonResult(StrEnum):
    EQUAL = "equal"
    DIFFERENT = "different"
    BROKEN_OFF = "broken_off"


class StoreSeries:
    """Latency, errors, group commit and the mirror."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._declare_calls(registry)
        self._declare_mirror(registry)
        for operation in StoreOperation:
            self._errors.labels(operation)
        # Looked up once: labels() costs more than counting.
        self._latency_of = {operation: self._latency.labels(operation) for operation in StoreOperation}
        self._count_of = {result: self._transactions.labels(result) for result in TransactionResult}
        for comparison in ComparisonResult:
            self._comparisons.labels(comparison)

    def _declare_calls(self, registry: CollectorRegistry) -> None:
        self._latency = Histogram(
            "placewright_store_latency_seconds",
            "Time of one call of the state store that succeeded, without read_commits' wait for news.",
            ["operation"],
            unit="seconds",
            buckets=STORE_SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "placewright_store_errors",
            "Calls of the state store whose outcome is unknown because it could not be reached.",
            ["operation"],
            registry=registry,
        )
        self._batch = Histogram(
            "placewright_store_batch_transactions",
            "Transactions handed to the store in one call, before it joins calls.",
            unit="transactions",
            buckets=STORE_BATCH_TRANSACTIONS,
            registry=registry,
        )
        self._transactions = Counter(
            "placewright_store_transactions",
            "Transactions by what the store said.",
            ["result"],
            registry=registry,
        )

    def _declare_mirror(self, registry: CollectorRegistry) -> None:
        self._mirror_revision = Gauge(
            "placewright_mirror_revision",
            "The revision that this process has seen.",
            registry=registry,
        )
        self._mirror_current_at = Gauge(
            "placewright_mirror_current_timestamp_seconds",
            "When this process last heard from the event stream; its age bounds the mirror's.",
            unit="seconds",
            registry=registry,
        )

        self._comparisons = Counter(
            "placewright_mirror_comparisons",
            "Comparisons of this process's mirror with a full load of the store, by what they found.",
            ["result"],
            registry=registry,
        )
        self._differences = Counter(
            "placewright_mirror_differences",
            "Records of the mirror that were not as the store has them; the mirror was loaded anew.",
            registry=registry,
        )

    def record_call(self, operation: StoreOperation, *, seconds: float) -> None:
        self._latency_of[operation].observe(seconds)

    def record_error(self, operation: StoreOperation) -> None:
        self._errors.labels(operation).inc()

    def record_batch(self, transactions: int) -> None:
        """Take down how many transactions one call carried."""
        self._batch.observe(transactions)

    def record_result(self, result: TransactionResult) -> None:
        self._count_of[result].inc()

    def record_mirror(self, *, revision: Revision, now_ms: int) -> None:
        """Take down how far the mirror is, each time the event stream answers."""
        self._mirror_revision.set(revision)
        self._mirror_current_at.set(now_ms / 1_000)

    def record_comparison(self, result: ComparisonResult) -> None:
        self._comparisons.labels(result).inc()

    def record_differences(self, records: int) -> None:
        self._differences.inc(records)
