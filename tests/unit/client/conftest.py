"""One server for each test, and the sync and the asyncio client behind one face."""

import asyncio
import inspect
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from placewright import AsyncClient, AsyncJobHandle, Client
from tests.unit.client.fake_service import FakeService


class Blocking:
    """An AsyncClient, or what it gives, used from a thread: every test runs on both clients."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return self._method(value) if inspect.isroutine(value) else self._wrapped(value)

    def _method(self, method: Any) -> Any:
        def call(*args: Any, **keywords: Any) -> Any:
            outcome = method(*args, **keywords)
            if inspect.isasyncgen(outcome):
                return self._items(outcome)
            return self._wrapped(self._run(outcome))

        return call

    def _run(self, awaitable: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(timeout=20)

    def _items(self, generator: Any) -> Iterator[Any]:
        try:
            while True:
                try:
                    item = self._run(_next_of(generator))
                except StopAsyncIteration:
                    return
                yield self._wrapped(item)
        finally:
            self._run(generator.aclose())

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._wrapped(item) for item in value]
        return Blocking(value, self._loop) if isinstance(value, AsyncJobHandle) else value


async def _next_of(generator: Any) -> Any:
    return await anext(generator)


@pytest.fixture
def service() -> Iterator[FakeService]:
    service = FakeService().start()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(params=["sync", "asyncio"])
def client(request: pytest.FixtureRequest, service: FakeService) -> Iterator[Any]:
    if request.param == "sync":
        with Client(service.address) as client:
            yield client
    else:
        loop = request.getfixturevalue("loop_thread")
        blocking = Blocking(AsyncClient(service.address), loop)
        yield blocking
        blocking.close()
