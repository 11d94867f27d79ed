"""The strings people know, parsed and written: sizes, places, durations.

| string | means |
|---|---|
| `h100` | one h100 |
| `h100:64` | 64 h100, split over whole nodes of the model's usual size |
| `h100:4x8` | a gang of 4 tasks with 8 devices each (any model whose name does not start with `tpu-`) |
| `tpu-v5p:4x4x8` | a slice of that topology (`tpu-` models) |
| `gcp/us-east5/us-east5-a` | a zone |
| `gcp/us-east5/*`, `gcp/us-east5` | a region |
| `gcp/*/*`, `gcp` | a provider |
| `6h`, `1h30m`, `2d`, `45s`, `500ms` | durations |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

SLICE_MODEL_PREFIX = "tpu-"
NAME = re.compile(r"[a-z0-9-]{1,63}")
COUNT = re.compile(r"[1-9][0-9]{0,8}")
DIMENSIONS = re.compile(r"[1-9][0-9]{0,5}(x[1-9][0-9]{0,5})+")
DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|w|d|h|m|s))+")
DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|w|d|h|m|s)")
UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
ID_RULE = "[a-z0-9-], 1 to 63 characters"


@dataclass(frozen=True)
class Size:
    """A parsed accelerator string: exactly one of count, gang and topology is said.

    Attributes:
        gang: (tasks, devices per task).
        topology: a slice shape, such as "4x4x8".
    """

    accelerator: str
    count: int | None = None
    gang: tuple[int, int] | None = None
    topology: str | None = None

    def __str__(self) -> str:
        if self.gang is not None:
            return f"{self.accelerator}:{self.gang[0]}x{self.gang[1]}"
        return f"{self.accelerator}:{self.topology if self.topology is not None else self.count}"


@dataclass(frozen=True)
class Location:
    """A place at a provider; an empty part means any."""

    provider: str = ""
    region: str = ""
    zone: str = ""

    def __str__(self) -> str:
        return "/".join(part or "*" for part in (self.provider, self.region, self.zone))


def parse_size(text: str) -> Size:
    """The size that an accelerator string says; upper case is read as lower case.

    Raises:
        ValueError: names the value and what is allowed.
    """
    accelerator, colon, amount = text.strip().lower().partition(":")
    if NAME.fullmatch(accelerator) is None:
        raise ValueError(f"{text!r} does not start with an accelerator name ({ID_RULE}), such as 'h100:64'")
    if not colon:
        return Size(accelerator, count=1)
    if COUNT.fullmatch(amount):
        return Size(accelerator, count=int(amount))
    if DIMENSIONS.fullmatch(amount):
        return _shaped(text, accelerator, amount)
    raise ValueError(
        f"{text!r} has the size {amount!r}; allowed are a count ('h100:64'), tasks x devices ('h100:4x8')"
        " and, for tpu-* models, a slice topology ('tpu-v5p:4x4x8')"
    )


def _shaped(text: str, accelerator: str, amount: str) -> Size:
    if accelerator.startswith(SLICE_MODEL_PREFIX):
        return Size(accelerator, topology=amount)
    numbers = [int(number) for number in amount.split("x")]
    if len(numbers) != 2:
        raise ValueError(
            f"{text!r} has {len(numbers)} dimensions; {accelerator} takes tasks x devices per task, such as"
            f" '{accelerator}:4x8' (slice topologies are for tpu-* models)"
        )
    return Size(accelerator, gang=(numbers[0], numbers[1]))


def parse_location(text: str) -> Location:
    """The place that `provider/region/zone` says; `*` and what is left out at the end mean any.

    Raises:
        ValueError: names the value and what is allowed.
    """
    parts = [part.strip() for part in text.split("/")]
    allowed = "provider/region/zone with * for any, such as 'gcp/us-east5/*'"
    if len(parts) > 3 or not all(parts):
        raise ValueError(f"{text!r} is not a location; allowed is {allowed}")
    if any("*" in part and part != "*" for part in parts):
        raise ValueError(f"{text!r} has a * inside a name; a part is a whole name or *: {allowed}")
    if all(part == "*" for part in parts):
        raise ValueError(f"{text!r} means everywhere; leave it out instead")
    return Location(*("" if part == "*" else part for part in parts))


def parse_duration(value: str | timedelta) -> timedelta:
    """The duration that a string such as "1h30m" says; whole milliseconds, above zero.

    Raises:
        ValueError: names the value and what is allowed.
    """
    duration = value if isinstance(value, timedelta) else _duration_of(value)
    if duration <= timedelta(0) or duration % timedelta(milliseconds=1):
        raise ValueError(f"{value!s} is not a positive number of whole milliseconds")
    return duration


def _duration_of(text: object) -> timedelta:
    if not isinstance(text, str) or DURATION.fullmatch(text.strip()) is None:
        raise ValueError(f"{text!r} is not a duration; allowed are numbers with w, d, h, m, s or ms: '1h30m'")
    parts = DURATION_PART.findall(text)
    try:
        return sum(
            (timedelta(milliseconds=float(number) * UNIT_MS[unit]) for number, unit in parts), timedelta(0)
        )
    except OverflowError:
        raise ValueError(f"{text!r} is longer than a duration can be") from None


def duration_text(duration: timedelta) -> str:
    """The duration as `parse_duration` reads it: "1h30m"."""
    rest_ms = round(duration / timedelta(milliseconds=1))
    text = ""
    for unit in ("d", "h", "m", "s", "ms"):
        number, rest_ms = divmod(rest_ms, UNIT_MS[unit])
        text += f"{number}{unit}" if number else ""
    return text or "0s"


def usd(micros: int) -> str:
    """Micro-dollars as dollars: "$12.50"; small amounts keep four digits."""
    dollars = micros / 1_000_000
    return f"${dollars:,.4f}" if 0 < abs(dollars) < 0.1 else f"${dollars:,.2f}"
