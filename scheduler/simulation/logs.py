"""The service's own log lines, as lines of the trace; those that may never be written are violations."""

import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

from scheduler.simulation.surroundings import Surroundings

NEVER = frozenset({"cycle_failed", "planner_failed"})


class Logs:
    """Takes what is logged.

    Attributes:
        around: whose trace it goes to; None before there is one.
    """

    around: Surroundings | None = None

    def take(self, _logger: object, level: str, event: MutableMapping[str, Any]) -> str:
        name = str(event.pop("event"))
        has_traceback = event.pop("exc_info", False)
        if self.around is not None and level != "info":
            self.around.trace.add(" ".join(["log", name, *(f"{k}={v}" for k, v in event.items())]))
            if name in NEVER:
                cause = traceback.format_exc() if has_traceback else event.get("error")
                self.around.violated(f"the service logged {name}: {cause}")
        raise structlog.DropEvent


@contextmanager
def logs_captured() -> Iterator[Logs]:
    """Logging goes nowhere else for a while."""
    logs, before = Logs(), structlog.get_config()
    structlog.configure(processors=[logs.take], wrapper_class=structlog.BoundLogger)
    try:
        yield logs
    finally:
        structlog.configure(**before)
