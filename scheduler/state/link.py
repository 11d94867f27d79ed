"""The way to a Redis: pools of connections with deadlines, where every failure is `StoreUnavailable`."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from scheduler.model.errors import StoreUnavailable

CONNECTIONS_MAX = 32
READERS_MAX = 32  # each waits on a connection of its own

Argument = str | bytes | int


class CommandRefused(StoreUnavailable):
    """The server answered with an error; `code` is its first word."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code, _, _ = message.partition(" ")


class Link:
    """One Redis server. Nothing is sent twice: a call that failed may have been carried out.

    Replies are raw: bytes, integers, None and lists.
    """

    def __init__(self, url: str, *, timeout_ms: int) -> None:
        self.url_shown = url_without_secrets(url)
        self._password = urlsplit(url).password
        self._timeout_seconds = timeout_ms / 1000
        self._client = self._redis(url, connections_max=CONNECTIONS_MAX, socket_timeout=timeout_ms / 1000)
        self._readers = self._redis(url, connections_max=READERS_MAX, socket_timeout=None)

    def _redis(self, url: str, *, connections_max: int, socket_timeout: float | None) -> Redis:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections_max,
            timeout=self._timeout_seconds,
            socket_timeout=socket_timeout,
            socket_connect_timeout=self._timeout_seconds,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        client = Redis.from_pool(pool)
        client.response_callbacks.clear()
        return client

    async def call(self, *command: Argument) -> object:
        """Run one command."""
        with self._failures_as_unavailable():
            async with asyncio.timeout(self._timeout_seconds):
                reply: object = await self._client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no types here
                return reply

    async def calls(self, *commands: Sequence[Argument]) -> list[object]:
        """Run commands one after another on one connection."""
        return await self._pipelined(self._client, commands, timeout_seconds=self._timeout_seconds)

    async def calls_waiting(self, *commands: Sequence[Argument], wait_ms: int) -> list[object]:
        """As `calls`, on a connection for readers, where the commands may block for `wait_ms`."""
        timeout_seconds = self._timeout_seconds + wait_ms / 1000
        return await self._pipelined(self._readers, commands, timeout_seconds=timeout_seconds)

    async def _pipelined(
        self, client: Redis, commands: Sequence[Sequence[Argument]], *, timeout_seconds: float
    ) -> list[object]:
        with self._failures_as_unavailable():
            async with asyncio.timeout(timeout_seconds), client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                replies: list[object] = await pipeline.execute(raise_on_error=True)
                return replies

    @contextmanager
    def _failures_as_unavailable(self) -> Iterator[None]:
        try:
            yield
        except ResponseError as error:
            raise CommandRefused(self._without_password(str(error))) from None
        except TimeoutError:
            raise StoreUnavailable(
                f"{self.url_shown} did not answer within {self._timeout_seconds:g} s"
            ) from None
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"{self.url_shown}: {self._without_password(str(error))}") from None

    def _without_password(self, text: str) -> str:
        return text.replace(self._password, "***") if self._password else text

    async def close(self) -> None:
        for client in (self._client, self._readers):
            await client.aclose(close_connection_pool=True)


def url_without_secrets(url: str) -> str:
    """The URL without user, password and query, for logs and errors."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
