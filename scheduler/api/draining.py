"""Draining: streams end by themselves when the service is about to stop, so that it need not cut them off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scheduler.model.errors import ServiceStopping


class Draining:
    """Ends what streams wait for, once it has begun."""

    def __init__(self) -> None:
        self._has_begun = False
        self._waits: set[asyncio.Timeout] = set()

    def begin(self) -> None:
        """End every wait now, and every later one at once."""
        self._has_begun = True
        now_s = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now_s)

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """What is awaited inside ends when draining begins.

        Raises:
            ServiceStopping
        """
        wait = asyncio.timeout(0 if self._has_begun else None)
        try:
            async with wait:
                self._waits.add(wait)
                yield
        except TimeoutError:
            if not wait.expired():
                raise
            raise ServiceStopping("the service is being stopped; try again") from None
        finally:
            self._waits.discard(wait)
