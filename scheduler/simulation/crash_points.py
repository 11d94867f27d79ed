"""Every await at which a program gives way is a place where it may die; also those of the tasks it starts."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar, copy_context
from random import Random
from typing import Any, Protocol, TypeVar

from scheduler.simulation.world import Faults, World

T = TypeVar("T")

AWAITS_PER_MILLION = 1_000_000


class Breaking(Protocol):
    """The world around a program, as crashes need it."""

    @property
    def world(self) -> World: ...

    @property
    def faults(self) -> Faults: ...


class CrashPoints:
    """One program's: after how many more awaits it dies."""

    def __init__(self, around: Breaking, name: str, *, die: Callable[[], None]) -> None:
        self._around, self._die = around, die
        self._draw = Random(f"{around.world.seed}/{name}/crashes")
        self._awaits_left: int | None = None

    def passed(self) -> None:
        """An await that gave way; the program may be dead afterwards."""
        per_million = self._around.faults.await_crash_per_million
        if not per_million:
            return
        if self._awaits_left is None:
            self._awaits_left = round(self._draw.expovariate(per_million / AWAITS_PER_MILLION))
        self._awaits_left -= 1
        if self._awaits_left < 0:
            self._awaits_left = None
            self._die()


program: ContextVar[CrashPoints | None] = ContextVar("program", default=None)


class _Steps:
    """Drives a coroutine from one await to the next."""

    def __init__(self, work: Coroutine[Any, Any, T], points: CrashPoints) -> None:
        self._work, self._points = work, points

    def __await__(self) -> Generator[Any, Any, Any]:
        work, points = self._work, self._points
        step: Callable[[Any], Any] = work.send
        argument: Any = None
        while True:
            try:
                awaited = step(argument)
            except StopIteration as end:
                return end.value
            points.passed()
            try:
                argument = yield awaited
                step = work.send
            except BaseException as error:
                step, argument = work.throw, error


def begun(work: Coroutine[Any, Any, T], points: CrashPoints) -> asyncio.Task[T]:
    """A task of a program."""
    context = copy_context()
    context.run(program.set, points)
    return asyncio.get_running_loop().create_task(work, context=context)


async def _stepped(work: Coroutine[Any, Any, T], points: CrashPoints) -> T:
    result: T = await _Steps(work, points)
    return result


def task_factory(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, T] | Generator[Any, None, T],
    **options: Any,
) -> asyncio.Task[T]:
    """A task of the program in whose context it is made, which may die at each of its awaits."""
    assert isinstance(work, Coroutine), work
    context = options.get("context")
    points = program.get() if context is None else context.get(program)
    if points is None:
        return asyncio.Task(work, loop=loop, **options)
    task = asyncio.Task(_stepped(work, points), loop=loop, **options)
    task.add_done_callback(lambda _: work.close())  # it may have been cancelled before its first step
    return task
