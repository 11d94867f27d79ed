"""One planner process, as its parent sees it."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress

from scheduler.planner_process.messages import (
    LENGTH_BYTES,
    FromPlanner,
    ToPlanner,
    framed,
    from_planner,
    length_of,
)

END_SECONDS_MAX = 5


class Child:
    """A process and the pipes to it.

    Attributes:
        is_interrupted: it is ended on purpose, in the middle of a plan.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._input, self._output = process, process.stdin, process.stdout
        self.is_interrupted = False

    @classmethod
    async def spawn(cls) -> "Child":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "scheduler.planner_process",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,  # a Ctrl-C in the terminal is for its parent
        )
        return cls(process)

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._process.returncode

    async def send(self, message: ToPlanner) -> None:
        """Give it a message; a process that has died is found out when an answer is wanted."""
        if self._input.is_closing():  # a closed transport of uvloop refuses to be written to
            return
        with suppress(BrokenPipeError, ConnectionResetError):
            self._input.write(framed(message))
            await self._input.drain()

    async def receive(self) -> FromPlanner | None:
        """Its next answer; None when it has died."""
        try:
            head = await self._output.readexactly(LENGTH_BYTES)
            return from_planner(await self._output.readexactly(length_of(head)))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            await self._ended()
            return None

    def close_input(self) -> None:
        """Let it end by itself."""
        self._input.close()

    async def end(self) -> None:
        """Kill it and wait until it is gone. Safe to repeat."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        self.close_input()
        await self._ended()

    async def _ended(self) -> None:
        """Wait until it is gone, so that its exit code is known; a kill before then would lose it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS_MAX):
                await self._process.wait()
