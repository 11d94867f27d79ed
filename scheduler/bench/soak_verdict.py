"""What a soak found: whether memory and latency stayed flat once it was warm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scheduler.bench.mixed_load import Answered, percentile_ms
from scheduler.bench.report import Row

SOAK = "soak"
WARM_UP_PART = 1 / 3  # of the time; what comes after it is judged
RSS_MIB_PER_HOUR_MAX = 16.0  # at 10 jobs/s: less than half a KiB of each job may stay
P99_GROWTH_MAX = 1.5  # of the last third of the judged time, to its first
THIRDS = 3
PART_S = 10.0  # of which latencies are told one by one
MIB = 2**20
SECONDS_PER_HOUR = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was looked at together.

    Attributes:
        at_s: since the load began.
        rss_bytes: by process.
        unfinished: jobs.
    """

    at_s: float
    rss_bytes: Mapping[str, int]
    unfinished: int


def slope_per_hour(points: Sequence[tuple[float, float]]) -> float:
    """Of the line with the least squares through (seconds, value); 0 for fewer than two points."""
    if len(points) < 2:
        return 0.0
    mean_s = sum(at_s for at_s, _ in points) / len(points)
    mean = sum(value for _, value in points) / len(points)
    spread = sum((at_s - mean_s) ** 2 for at_s, _ in points)
    return sum((at_s - mean_s) * (value - mean) for at_s, value in points) / spread * SECONDS_PER_HOUR


def soak_rows(
    samples: Sequence[Sample], answered: Sequence[Answered], *, seconds: float, failed: int
) -> list[Row]:
    """Rows of memory by process and of latency by call; times of `answered` are since the load began."""
    return [
        *(_memory_row(name, samples, seconds=seconds) for name in sorted(samples[0].rss_bytes)),
        *(
            _latency_row(rpc, [call for call in answered if call.rpc == rpc], seconds=seconds)
            for rpc in sorted({call.rpc for call in answered})
        ),
        Row(
            benchmark=SOAK,
            instance="all calls",
            metric="failed",
            value=failed,
            bound=0,
            seconds=seconds,
            detail={
                "answered": len(answered),
                "unfinished_jobs": [sample.unfinished for sample in samples],
            },
        ),
    ]


def latency_over_time(calls: Sequence[Answered]) -> dict[float, tuple[float, float]]:
    """p50 and p99, in ms, of the calls that began in each part, by the second in which it begins."""
    parts: dict[float, list[float]] = {}
    for call in calls:
        parts.setdefault(call.began_s // PART_S * PART_S, []).append(call.seconds)
    return {
        at_s: (percentile_ms(seconds, 50), percentile_ms(seconds, 99))
        for at_s, seconds in sorted(parts.items())
    }


def _memory_row(name: str, samples: Sequence[Sample], *, seconds: float) -> Row:
    judged = [
        (sample.at_s, sample.rss_bytes[name] / MIB)
        for sample in samples
        if sample.at_s >= seconds * WARM_UP_PART
    ]
    return Row(
        benchmark=SOAK,
        instance=name,
        metric="RSS growth after warm-up, MiB per hour",
        value=slope_per_hour(judged),
        bound=RSS_MIB_PER_HOUR_MAX,
        seconds=seconds,
        detail={
            "first_mib": judged[0][1] if judged else None,
            "last_mib": judged[-1][1] if judged else None,
            "max_mib": max(sample.rss_bytes[name] for sample in samples) / MIB,
            "mib_by_s": {f"{sample.at_s:.0f}": round(sample.rss_bytes[name] / MIB, 1) for sample in samples},
        },
    )


def _latency_row(rpc: str, calls: Sequence[Answered], *, seconds: float) -> Row:
    warm_s = seconds * WARM_UP_PART
    third_s = (seconds - warm_s) / THIRDS
    first = [call.seconds for call in calls if warm_s <= call.began_s < warm_s + third_s]
    last = [call.seconds for call in calls if call.began_s >= seconds - third_s]
    p99_first, p99_last = percentile_ms(first, 99), percentile_ms(last, 99)
    return Row(
        benchmark=SOAK,
        instance=rpc,
        metric="p99 ms of the last third, to the first after warm-up",
        value=p99_last,
        ratio=p99_last / p99_first if p99_first else None,
        bound=P99_GROWTH_MAX,
        seconds=seconds,
        detail={
            "calls": len(calls),
            "p50_ms_first": percentile_ms(first, 50),
            "p50_ms_last": percentile_ms(last, 50),
            "p99_ms_first": p99_first,
            "p50_and_p99_ms_by_s": {f"{at_s:.0f}": list(ms) for at_s, ms in latency_over_time(calls).items()},
        },
    )
