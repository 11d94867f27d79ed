"""What happened, line by line, and the first thing that must not have happened."""

import hashlib
from collections.abc import Callable

TAIL_LINES = 60


class Violation(Exception):
    """A promise was broken."""


class Trace:
    """Every line of one world, with its virtual time; the same seed always gives the same lines."""

    def __init__(self, elapsed_ms: Callable[[], int]) -> None:
        self.lines: list[str] = []
        self._elapsed_ms = elapsed_ms

    def add(self, line: str) -> None:
        self.lines.append(f"{self._elapsed_ms():>9} {line}")

    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()

    def tail(self, lines: int = TAIL_LINES) -> str:
        return "\n".join(self.lines[-lines:])
