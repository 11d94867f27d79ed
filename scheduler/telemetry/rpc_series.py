"""RPC series: what the interceptor records."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from scheduler.telemetry.buckets import RPC_SECONDS

OK = "OK"
ERRORS = (
    "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "PERMISSION_DENIED",
    "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "ABORTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL",
)  # fmt: skip
"""Codes that start at 0, so that the first error of a kind shows as a rise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unary:
    """The series of one method."""

    in_flight: Gauge
    latency: Histogram
    ok: Counter


class RpcSeries:
    """Calls by method and status code; a stream's life is no latency and is counted apart."""

    def __init__(self, registry: CollectorRegistry, *, rpcs: Sequence[str], streams: Sequence[str]) -> None:
        self._requests = Counter(
            "placewright_rpc_requests",
            "RPCs that have ended, streams too, by method and gRPC status code.",
            ["rpc", "code"],
            registry=registry,
        )
        self._latency = Histogram(
            "placewright_rpc_latency_seconds",
            "Time from the arrival of a unary request to its answer.",
            ["rpc"],
            unit="seconds",
            buckets=RPC_SECONDS,
            registry=registry,
        )
        self._in_flight = Gauge(
            "placewright_rpc_in_flight",
            "Unary RPCs that are being answered now.",
            ["rpc"],
            registry=registry,
        )
        self._streams_open = Gauge(
            "placewright_rpc_streams_open",
            "Streams that are open now: watches and attached launchers.",
            ["rpc"],
            registry=registry,
        )
        self._refused = Counter(
            "placewright_rpc_refused",
            "Calls that were refused because a limit was reached, by the name of the limit.",
            ["limit"],
            registry=registry,
        )
        self._unary: dict[str, _Unary] = {}
        self._start_at_zero(rpcs, streams)

    def _start_at_zero(self, rpcs: Sequence[str], streams: Sequence[str]) -> None:
        for rpc in (*rpcs, *streams):
            for code in (OK, *ERRORS):
                self._requests.labels(rpc, code)
        for rpc in rpcs:
            self._latency.labels(rpc)
            self._in_flight.labels(rpc)
        for rpc in streams:
            self._streams_open.labels(rpc)

    def _of(self, rpc: str) -> "_Unary":
        """The series of a unary method, looked up once: labels() costs more than counting."""
        found = self._unary.get(rpc)
        if found is None:
            found = _Unary(
                in_flight=self._in_flight.labels(rpc),
                latency=self._latency.labels(rpc),
                ok=self._requests.labels(rpc, OK),
            )
            self._unary[rpc] = found
        return found

    def record_start(self, rpc: str) -> None:
        """Count a unary call in; `record_end` must follow."""
        self._of(rpc).in_flight.inc()

    def record_end(self, rpc: str, *, code: str, seconds: float) -> None:
        """Count a unary call out, with the name of its gRPC status code."""
        series = self._of(rpc)
        series.in_flight.dec()
        (series.ok if code == OK else self._requests.labels(rpc, code)).inc()
        series.latency.observe(seconds)

    def record_refused(self, limit: str) -> None:
        self._refused.labels(limit).inc()

    def record_stream_start(self, rpc: str) -> None:
        """Count a stream in; `record_stream_end` must follow."""
        self._streams_open.labels(rpc).inc()

    def record_stream_end(self, rpc: str, *, code: str) -> None:
        """Count a stream out, with the name of its gRPC status code."""
        self._streams_open.labels(rpc).dec()
        self._requests.labels(rpc, code).inc()
