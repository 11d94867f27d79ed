"""Small values on their way to the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from placewright.words import Market


def wire_duration(duration: timedelta | None) -> Duration | None:
    if duration is None:
        return None
    whole = Duration()
    whole.FromTimedelta(duration)
    return whole


def market_name(value: str | Market) -> str:
    """The wire's name of a market; `on-demand` is read as `on_demand`.

    Raises:
        ValueError: names the value and what is allowed.
    """
    allowed = [market.value for market in Market if market is not Market.UNKNOWN]
    word = str(value).strip().lower().replace("-", "_")
    if word not in allowed:
        raise ValueError(f"{str(value)!r} is not a market; allowed are {', '.join(allowed)}")
    return f"MARKET_{word.upper()}"


def many(value: object) -> Sequence[object]:
    """A single string, location or alternative as a list of one."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
