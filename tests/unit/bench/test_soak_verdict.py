"""What a soak makes of its samples."""

import pytest

from scheduler.bench.mixed_load import Answered
from scheduler.bench.soak_verdict import MIB, Sample, latency_over_time, slope_per_hour, soak_rows

SECONDS = 1_800.0


def samples(*, mib_per_hour: float) -> list[Sample]:
    """Growth in the first third that does not count, then a slope with saw teeth."""
    found = []
    for at_s in range(0, 1_800, 10):
        warm_mib = min(at_s, 600) * 0.1
        mib = 100 + warm_mib + max(0, at_s - 600) / 3_600 * mib_per_hour + at_s % 60 / 60
        found.append(Sample(at_s=at_s, rss_bytes={"server": int(mib * MIB)}, unfinished=5))
    return found


def calls(*, last_ms: float) -> list[Answered]:
    """Slow while warming up; 10 ms then; `last_ms` in the last third of what is judged."""
    return [
        Answered("GetJob", at_s, 1.0 if at_s < 600 else 0.010 if at_s < 1_400 else last_ms / 1_000)
        for at_s in range(0, 1_800, 2)
    ]


def verdicts(*, mib_per_hour: float = 1.0, last_ms: float = 10.0, failed: int = 0) -> dict[str, str]:
    rows = soak_rows(
        samples(mib_per_hour=mib_per_hour), calls(last_ms=last_ms), seconds=SECONDS, failed=failed
    )
    return {row.instance: row.verdict for row in rows}


def test_what_stays_flat_after_the_warm_up_meets_every_bar() -> None:
    assert verdicts() == {"server": "met", "GetJob": "met", "all calls": "met"}


def test_memory_that_grows_misses_its_bar() -> None:
    assert verdicts(mib_per_hour=40.0)["server"] == "MISSED"


def test_latency_that_grows_by_more_than_half_misses_its_bar() -> None:
    assert verdicts(last_ms=14.0)["GetJob"] == "met"
    assert verdicts(last_ms=16.0)["GetJob"] == "MISSED"


def test_one_failed_call_misses_the_bar() -> None:
    assert verdicts(failed=1)["all calls"] == "MISSED"


def test_a_slope_is_that_of_the_line_through_the_points() -> None:
    assert slope_per_hour([(0.0, 1.0), (1_800.0, 2.0), (3_600.0, 3.0)]) == pytest.approx(2.0)
    assert slope_per_hour([(5.0, 1.0)]) == 0.0


def test_latencies_are_told_part_by_part() -> None:
    calls = [Answered("GetJob", at_s, ms / 1_000) for at_s, ms in ((1.0, 5), (9.0, 7), (9.5, 6), (12.0, 40))]

    assert latency_over_time(calls) == {0.0: (6.0, 7.0), 10.0: (40.0, 40.0)}
