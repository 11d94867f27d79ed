"""Hints from supervisors that their run has changed, through a named pipe."""

import asyncio
import os
from pathlib import Path

from placewright.launcher.waiting import first_of

SWEEP_S = 2.0  # after this long without a hint all runs are looked at: a killed supervisor gives none
READ_BYTES = 65_536


class Hints:
    """Run ids that supervisors wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            os.mkfifo(path, 0o600)
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # a writer too, so that it never ends
        self._incomplete = b""
        self._last_sweep_s = 0.0

    async def next(self) -> set[str]:
        """The runs hinted at since the last call, waiting for one; empty when it is time for a sweep."""
        loop = asyncio.get_running_loop()
        left_s = self._last_sweep_s + SWEEP_S - loop.time()
        hinted = self._read()
        if not hinted and left_s > 0:
            await self._wait(left_s)
            hinted = self._read()
        if not hinted or left_s <= 0:
            self._last_sweep_s = loop.time()
            return set()
        return hinted

    def close(self) -> None:
        os.close(self._descriptor)

    async def _wait(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        is_readable = asyncio.Event()
        loop.add_reader(self._descriptor, is_readable.set)
        try:
            await first_of(is_readable, timeout_s=timeout_s)
        finally:
            loop.remove_reader(self._descriptor)

    def _read(self) -> set[str]:
        try:
            *lines, self._incomplete = (self._incomplete + os.read(self._descriptor, READ_BYTES)).split(b"\n")
        except BlockingIOError:
            return set()
        return {line.decode() for line in lines}
