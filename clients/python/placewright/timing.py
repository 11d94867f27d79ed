"""Deadlines of waits and pauses between attempts."""

from __future__ import annotations

import random
import time
from datetime import timedelta

from placewright.errors import FieldViolation, InvalidRequest, PlacewrightError
from placewright.job import Duration
from placewright.strings import parse_duration

PAUSE_S_MIN = 0.2
PAUSE_S_MAX = 5.0
SLACK_S = 0.05  # gRPC's timer and ours do not end in the same instant


def seconds_of(value: float | Duration | None) -> float | None:
    """A time-out in seconds, from seconds, a timedelta or a string such as "10m".

    Raises:
        InvalidRequest: it cannot be read or is not above zero.
    """
    if value is None:
        return None
    if isinstance(value, (int, float)):
        if value > 0:
            return float(value)
        raise InvalidRequest.of([FieldViolation("timeout", f"must be more than 0 seconds, got {value!r}")])
    try:
        return parse_duration(value) / timedelta(seconds=1)
    except ValueError as error:
        raise InvalidRequest.of([FieldViolation("timeout", str(error))]) from None


class Deadline:
    """The moment until which somebody waits."""

    def __init__(self, timeout_s: float | None) -> None:
        self._end_s = None if timeout_s is None else time.monotonic() + timeout_s

    def left_s(self, at_most: float) -> float:
        """Seconds left, at most so many; never less than the slack, so that a last call can be made."""
        if self._end_s is None:
            return at_most
        return max(SLACK_S, min(at_most, self._end_s - time.monotonic()))

    def has_passed(self) -> bool:
        return self._end_s is not None and time.monotonic() + SLACK_S >= self._end_s


class Outage:
    """How long nobody has answered, and how long to pause before the next attempt."""

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._began_s: float | None = None
        self._attempts = 0

    def end(self) -> None:
        """Note that somebody answered."""
        self._began_s, self._attempts = None, 0

    def pause_s(self, fault: PlacewrightError) -> float:
        """Seconds to wait before the next attempt; raises the fault when it has lasted too long."""
        now_s = time.monotonic()
        if self._began_s is None:
            self._began_s = now_s
        if now_s - self._began_s >= self._seconds_max:
            raise fault
        self._attempts += 1
        pause_s = min(PAUSE_S_MAX, PAUSE_S_MIN * 2.0 ** min(self._attempts - 1, 10))
        return pause_s * random.uniform(0.5, 1.0)
