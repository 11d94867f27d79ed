"""Virtual time: an event loop that never waits. Its clock jumps to the next timer when nothing is ready."""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from scheduler.simulation.crash_points import task_factory
from scheduler.simulation.trace import Violation

IDLE_TURNS_MAX = 200_000  # turns of the loop without time going on: something spins
EPOCH_MS = 1_760_000_000_000
MILLION = 1_000_000
DIGITS = 6  # of seconds: clears what adding floats leaves behind


class _NoFiles(selectors.BaseSelector):
    """Knows the loop's own wake-up pipe, and never looks at it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._idle_turns = 0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, number, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing is ever ready; a wait takes no time and moves the clock."""
        if timeout is None:
            raise Violation("nothing will ever happen again: every task waits for another")
        if timeout > 0:
            self.now_s = round(self.now_s + timeout, DIGITS)
            self._idle_turns = 0
        self._idle_turns += 1
        if self._idle_turns > IDLE_TURNS_MAX:
            raise Violation(f"no time has passed for {IDLE_TURNS_MAX} turns: something spins")
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time: `sleep`, `timeout` and `wait` take no time, and always the same."""

    def __init__(self) -> None:
        self._no_files = _NoFiles()
        super().__init__(self._no_files)
        self.set_task_factory(task_factory)

    def time(self) -> float:
        return self._no_files.now_s


class VirtualClock:
    """`Clock` of one machine: ahead or behind, faster or slower, and its wall clock may be set.

    `drift_ppm` is how much faster than true time it goes, in millionths.
    """

    def __init__(self, *, wall_ahead_ms: int = 0, monotonic_ahead_ms: int = 0, drift_ppm: int = 0) -> None:
        self._loop, self._drift_ppm = asyncio.get_running_loop(), drift_ppm
        self._wall_ahead_ms, self._monotonic_ahead_ms = wall_ahead_ms, monotonic_ahead_ms

    def elapsed_ms(self) -> int:
        """Since the world began."""
        return round(self._loop.time() * 1000)

    def now_ms(self) -> int:
        return EPOCH_MS + self._counted_ms() + self._wall_ahead_ms

    def monotonic_ms(self) -> int:
        return self._counted_ms() + self._monotonic_ahead_ms

    def jump(self, ahead_ms: int) -> None:
        """Set the wall clock; the monotonic clock knows nothing of it."""
        self._wall_ahead_ms += ahead_ms

    async def sleep(self, duration_ms: int) -> None:
        await asyncio.sleep(self.true_ms(duration_ms) / 1000)

    def true_ms(self, duration_ms: int) -> int:
        """True time that goes by while this clock counts a duration; rounded up."""
        return -(-duration_ms * MILLION // (MILLION + self._drift_ppm))

    def _counted_ms(self) -> int:
        return self.elapsed_ms() * (MILLION + self._drift_ppm) // MILLION
