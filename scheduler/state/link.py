"""The way to a Redis: pools of connections with deadlines, where every failure is `StoreUnavailable`."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from scheduler.model.errors import StoreUnavailable
from scheduler.state.topology import (
    NO_TLS_FILES,
    Address,
    ClusterLocator,
    Locator,
    SentinelLocator,
    StoreTlsFiles,
    Topology,
    TopologyKind,
    topology_of,
)

CONNECTIONS_MAX = 32
READERS_MAX = 32  # each waits on a connection of its own
NO_LONGER_PRIMARY = frozenset(
    {"READONLY", "MOVED", "ASK", "TRYAGAIN", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "UNBLOCKED"}
)
"""Answers after which the primary is looked for again; the command was not carried out."""

Argument = str | bytes | int


class CommandRefused(StoreUnavailable):
    """The server answered with an error; `code` is its first word."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Clients:
    """Pools of one server: for calls, and for readers that wait."""

    callers: Redis
    readers: Redis

    async def close(self) -> None:
        for client in (self.callers, self.readers):
            await client.aclose(close_connection_pool=True)


class Link:
    """The primary of one cell. Nothing is sent twice: a call that failed may have been carried out.

    After a failure the next call asks Sentinel or the Cluster for the primary again. Replies are raw:
    bytes, integers, None and lists.
    """

    def __init__(
        self, url: str, *, timeout_ms: int, key: str = "", tls: StoreTlsFiles = NO_TLS_FILES
    ) -> None:
        self.topology = topology_of(url)
        self.url_shown = url_without_secrets(url)
        self._tls = tls
        self._timeout_seconds = timeout_ms / 1000
        self._locator = _locator(self.topology, tls, key=key, timeout_seconds=self._timeout_seconds)
        self._locating = asyncio.Lock()
        self._is_doubtful = True
        self._address: Address | None = None
        self._clients: _Clients | None = None

    async def _connected(self) -> _Clients:
        """The pools of the server that is the primary as far as is known."""
        async with self._locating:
            if self._clients is None or (self._is_doubtful and self._locator is not None):
                await self._locate()
            self._is_doubtful = False
            assert self._clients is not None
            return self._clients

    async def _locate(self) -> None:
        address = None if self._locator is None else await self._locator.locate()
        if self._clients is not None and address == self._address:
            return
        former, self._clients = self._clients, self._clients_of(address)
        self._address = address
        if former is not None:
            await former.close()

    def _clients_of(self, address: Address | None) -> _Clients:
        return _Clients(
            self._redis(address, connections_max=CONNECTIONS_MAX),
            self._redis(address, connections_max=READERS_MAX),
        )

    def _redis(self, address: Address | None, *, connections_max: int) -> Redis:
        options: dict[str, object] = {
            "max_connections": connections_max,
            "timeout": self._timeout_seconds,
            "socket_timeout": None,  # the calls have deadlines; redis-py would make a task for each send
            "socket_connect_timeout": self._timeout_seconds,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            **(self._tls.options if self.topology.has_tls else {}),
        }
        if address is None:
            pool = BlockingConnectionPool.from_url(self.topology.url, **options)
        else:
            pool = BlockingConnectionPool(**options, **_place(self.topology, address))  # type: ignore[arg-type]  # options of connections
        client = Redis.from_pool(pool)
        client.response_callbacks.clear()
        return client

    async def call(self, *command: Argument) -> object:
        """Run one command."""
        with self._failures_as_unavailable():
            async with asyncio.timeout(self._timeout_seconds):
                client = (await self._connected()).callers
                reply: object = await client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no types here
                return reply

    async def calls(self, *commands: Sequence[Argument]) -> list[object]:
        """Run commands one after another on one connection."""
        with self._failures_as_unavailable():
            async with asyncio.timeout(self._timeout_seconds):
                return await _pipelined((await self._connected()).callers, commands)

    async def calls_waiting(self, *commands: Sequence[Argument], wait_ms: int) -> list[object]:
        """As `calls`, on a connection for readers, where the commands may block for `wait_ms`."""
        with self._failures_as_unavailable():
            async with asyncio.timeout(self._timeout_seconds + wait_ms / 1000):
                return await _pipelined((await self._connected()).readers, commands)

    @contextmanager
    def _failures_as_unavailable(self) -> Iterator[None]:
        try:
            yield
        except ResponseError as error:
            code = _code_of(error)
            self._is_doubtful = self._is_doubtful or code in NO_LONGER_PRIMARY
            raise CommandRefused(self._without_secrets(str(error)), code) from None
        except TimeoutError:
            self._is_doubtful = True
            raise StoreUnavailable(
                f"{self.url_shown} did not answer within {self._timeout_seconds:g} s"
            ) from None
        except (RedisError, OSError, RuntimeError) as error:  # RuntimeError: uvloop's, of a reset transport
            self._is_doubtful = True
            raise StoreUnavailable(f"{self.url_shown}: {self._without_secrets(str(error))}") from None

    def _without_secrets(self, text: str) -> str:
        for secret in self.topology.secrets:
            text = text.replace(secret, "***")
        return text

    async def close(self) -> None:
        if self._clients is not None:
            await self._clients.close()


def _locator(topology: Topology, tls: StoreTlsFiles, *, key: str, timeout_seconds: float) -> Locator | None:
    if topology.kind is TopologyKind.SENTINEL:
        return SentinelLocator(topology, tls, timeout_seconds=timeout_seconds)
    if topology.kind is TopologyKind.CLUSTER:
        return ClusterLocator(topology, tls, key=key, timeout_seconds=timeout_seconds)
    return None


def _place(topology: Topology, address: Address) -> dict[str, object]:
    host, port = address
    return {
        "connection_class": SSLConnection if topology.has_tls else Connection,
        "host": host,
        "port": port,
        "db": topology.db,
        "username": topology.username,
        "password": topology.password,
    }


async def _pipelined(client: Redis, commands: Sequence[Sequence[Argument]]) -> list[object]:
    async with client.pipeline(transaction=False) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[object] = await pipeline.execute(raise_on_error=True)
        return replies


def _code_of(error: ResponseError) -> str:
    """The first word of the server's answer; redis-py strips it from the errors that it has classes for."""
    return error.status_code or str(error).partition(" ")[0]


def url_without_secrets(url: str) -> str:
    """The URL without user, password and query, for logs and errors."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
