"""The strings people know."""

from datetime import timedelta

import pytest

from placewright.strings import (
    Location,
    Size,
    duration_text,
    parse_duration,
    parse_location,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("h100", Size("h100", count=1)),
        ("h100:64", Size("h100", count=64)),
        ("H100:8", Size("h100", count=8)),
        (" h100:8 ", Size("h100", count=8)),
        ("h100:4x8", Size("h100", gang=(4, 8))),
        ("tpu-v5p:4x4x8", Size("tpu-v5p", topology="4x4x8")),
        ("tpu-v6e:4x4", Size("tpu-v6e", topology="4x4")),
        ("tpu-v5p:64", Size("tpu-v5p", count=64)),
    ],
)
def test_a_size_is_read(text: str, size: Size) -> None:
    assert parse_size(text) == size
    assert parse_size(str(size)) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not start with an accelerator name"),
        (":8", "does not start with an accelerator name"),
        ("h 100:8", "does not start with an accelerator name"),
        ("h100:", "has the size ''; allowed are a count"),
        ("h100:0", "has the size '0'; allowed are a count"),
        ("h100:-1", "has the size '-1'; allowed are a count"),
        ("h100:8x", "has the size '8x'; allowed are a count"),
        ("h100:0x8", "has the size '0x8'; allowed are a count"),
        ("h100:4x4x8", "has 3 dimensions; h100 takes tasks x devices per task"),
        ("h100:8:8", "has the size '8:8'; allowed are a count"),
    ],
)
def test_a_wrong_size_is_refused_with_its_value_and_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_size(text)

    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "location", "written"),
    [
        ("gcp", Location("gcp"), "gcp/*/*"),
        ("gcp/*/*", Location("gcp"), "gcp/*/*"),
        ("gcp/us-east5", Location("gcp", "us-east5"), "gcp/us-east5/*"),
        ("gcp/us-east5/*", Location("gcp", "us-east5"), "gcp/us-east5/*"),
        ("gcp/us-east5/us-east5-a", Location("gcp", "us-east5", "us-east5-a"), "gcp/us-east5/us-east5-a"),
        ("*/us-east5/*", Location("", "us-east5"), "*/us-east5/*"),
    ],
)
def test_a_location_is_read_and_written(text: str, location: Location, written: str) -> None:
    assert parse_location(text) == location
    assert str(location) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a location"),
        ("gcp//a", "is not a location"),
        ("a/b/c/d", "is not a location"),
        ("gcp/us-*/*", r"has a \* inside a name"),
        ("*", "means everywhere"),
        ("*/*/*", "means everywhere"),
    ],
)
def test_a_wrong_location_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_location(text)


@pytest.mark.parametrize(
    ("text", "duration", "written"),
    [
        ("6h", timedelta(hours=6), "6h"),
        ("90m", timedelta(minutes=90), "1h30m"),
        ("1h30m", timedelta(minutes=90), "1h30m"),
        ("1.5h", timedelta(minutes=90), "1h30m"),
        ("2w", timedelta(days=14), "14d"),
        ("45s", timedelta(seconds=45), "45s"),
        ("500ms", timedelta(milliseconds=500), "500ms"),
    ],
)
def test_a_duration_is_read_and_written(text: str, duration: timedelta, written: str) -> None:
    assert parse_duration(text) == duration
    assert duration_text(duration) == written


@pytest.mark.parametrize(
    "value", ["", "6", "h", "6 hours", "-6h", "0s", "0.1ms", timedelta(0), "9e9h", "9" * 30 + "w"]
)
def test_a_wrong_duration_is_refused(value: str | timedelta) -> None:
    with pytest.raises(ValueError, match=r"is not a|is longer"):
        parse_duration(value)
