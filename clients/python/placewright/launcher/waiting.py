"""Waiting with a time limit. `asyncio.wait_for` may swallow a cancellation before Python 3.12."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class TimeIsUp(Exception):
    """It took too long and was cancelled."""


async def first_of(*events: asyncio.Event, timeout_s: float | None = None) -> bool:
    """Wait for any of the events; whether one came in time."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return bool(done)


async def in_time(work: Coroutine[Any, Any, Result], timeout_s: float) -> Result:
    """The result of `work`.

    Raises:
        TimeIsUp: it took longer than `timeout_s`.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait((task,), timeout=timeout_s)
        if done:
            return task.result()
        raise TimeIsUp
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
