"""Virtual time: an event loop that never waits. Its clock jumps to the next timer when nothing is ready.

What leaps are, and why they may be: docs/decisions/simulated-days.md.
"""

import asyncio
import heapq
import selectors
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any

from scheduler.simulation.crash_points import task_factory
from scheduler.simulation.trace import Violation

IDLE_TURNS_MAX = 200_000  # turns of the loop without time going on: something spins
EPOCH_MS = 1_760_000_000_000
MILLION = 1_000_000
DIGITS = 6  # of seconds: clears what adding floats leaves behind

_is_upkeep: ContextVar[bool] = ContextVar("is_upkeep", default=False)


@contextmanager
def upkeep() -> Iterator[None]:
    """Tasks made meanwhile, and theirs, only keep things as they are: a leap leaves their timers alone."""
    before = _is_upkeep.set(True)
    try:
        yield
    finally:
        _is_upkeep.reset(before)


@contextmanager
def appointments() -> Iterator[None]:
    """The opposite of `upkeep`, and what holds without either: no leap goes beyond a timer made meanwhile."""
    before = _is_upkeep.set(False)
    try:
        yield
    finally:
        _is_upkeep.reset(before)


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


def is_upkeep(timer: asyncio.TimerHandle) -> bool:
    """Whether it was made by a task that only keeps things as they are."""
    context: Context = timer._context  # type: ignore[attr-defined]  # known to asyncio alone
    return context.get(_is_upkeep, False)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time: `sleep`, `timeout` and `wait` take no time, and always the same."""

    def __init__(self) -> None:
        self._no_files = _NoFiles()
        super().__init__(self._no_files)
        self.set_task_factory(task_factory)
        self.leapt_ms = 0
        self._scheduled: list[asyncio.TimerHandle]  # asyncio's own heap

    def time(self) -> float:
        """Without leaps: what monotonic clocks count."""
        return self._no_files.now_s

    def next_appointment_ms(self) -> int | None:
        """How far away the next timer is that is no upkeep."""
        when_s = min((timer.when() for timer in self._appointments()), default=None)
        return None if when_s is None else int((when_s - self.time()) * 1000)

    def leap(self, duration_ms: int) -> None:
        """Let time go by in which only upkeep would have been done, and nothing come of it."""
        self.leapt_ms += duration_ms
        for timer in self._appointments():
            when_s = round(timer.when() - duration_ms / 1000, DIGITS)
            timer._when = when_s  # type: ignore[attr-defined]  # asyncio cannot move a timer
        heapq.heapify(self._scheduled)

    def _appointments(self) -> list[asyncio.TimerHandle]:
        return [timer for timer in self._scheduled if not timer.cancelled() and not is_upkeep(timer)]


class VirtualClock:
    """`Clock` of one machine: ahead or behind, faster or slower, and its wall clock may be set.

    `drift_ppm` is how much faster than true time it goes, in millionths.
    """

    def __init__(self, *, wall_ahead_ms: int = 0, monotonic_ahead_ms: int = 0, drift_ppm: int = 0) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop), loop
        self._loop, self._drift_ppm = loop, drift_ppm
        self._wall_ahead_ms, self._monotonic_ahead_ms = wall_ahead_ms, monotonic_ahead_ms

    def elapsed_ms(self) -> int:
        """Since the world began."""
        return self.awake_ms() + self._loop.leapt_ms

    def awake_ms(self) -> int:
        """Since the world began, without leaps."""
        return round(self._loop.time() * 1000)

    def now_ms(self) -> int:
        return EPOCH_MS + self._counted(self.elapsed_ms()) + self._wall_ahead_ms

    def monotonic_ms(self) -> int:
        """Stands still in leaps, as it does on a machine that is suspended."""
        return self._counted(self.awake_ms()) + self._monotonic_ahead_ms

    def jump(self, ahead_ms: int) -> None:
        """Set the wall clock; the monotonic clock knows nothing of it."""
        self._wall_ahead_ms += ahead_ms

    async def sleep(self, duration_ms: int) -> None:
        await asyncio.sleep(self.true_ms(duration_ms) / 1000)

    def true_ms(self, duration_ms: int) -> int:
        """True time that goes by while this clock counts a duration; rounded up."""
        return -(-duration_ms * MILLION // (MILLION + self._drift_ppm))

    def _counted(self, true_ms: int) -> int:
        return true_ms * (MILLION + self._drift_ppm) // MILLION
