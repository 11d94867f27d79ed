"""Log lines are JSON objects with the same fields everywhere, those of libraries too."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from scheduler.telemetry.logs import configure_logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    target = io.StringIO()
    configure_logs("info", stream=target)
    yield target
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_object_with_its_facts(stream: io.StringIO) -> None:
    structlog.get_logger().info("plan_committed", cycle=3, placed=2)

    (line,) = lines(stream)
    assert (line["event"], line["cycle"], line["placed"], line["level"]) == ("plan_committed", 3, 2, "info")
    assert str(line["timestamp"]).endswith("Z")


def test_what_is_below_the_level_is_left_out(stream: io.StringIO) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("library").debug("detail")

    assert lines(stream) == []


def test_a_library_speaks_the_same_format(stream: io.StringIO) -> None:
    logging.getLogger("library").warning("slow %s", "disk")

    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("slow disk", "warning", "library")


def test_an_exception_is_told_as_data(stream: io.StringIO) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("cycle_failed")

    (line,) = lines(stream)
    assert line["level"] == "error"
    assert "broken" in json.dumps(line["exception"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("stream")
def test_a_terminal_gets_text() -> None:
    terminal = Terminal()
    configure_logs("info", stream=terminal)

    structlog.get_logger().info("plan_committed", cycle=3)

    assert "plan_committed" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
