"""Where the primary of a cell is: one server, or the one that Sentinel or a Cluster names now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.crc import key_slot

from scheduler.model.errors import PlacewrightError

SENTINEL_PORT = 26379
CLUSTER_PORT = 6379
SCHEMES = {
    "redis": "redis://[USER:PASSWORD@]HOST[:PORT][/DB]",
    "rediss": "rediss://... (the same over TLS)",
    "unix": "unix://[USER:PASSWORD@]/PATH[?db=DB]",
    "redis+sentinel": "redis+sentinel://[USER:PASSWORD@]HOST[:PORT],.../SERVICE[/DB]",
    "rediss+sentinel": "rediss+sentinel://...",
    "redis+cluster": "redis+cluster://[USER:PASSWORD@]HOST[:PORT],...",
    "rediss+cluster": "rediss+cluster://...",
}
SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")

Address = tuple[str, int]


class InvalidRedisUrl(PlacewrightError, ValueError):
    """The URL names no store; the message says what is allowed and shows no password."""


class TopologyKind(StrEnum):
    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTlsFiles:
    """PEM files: the authority that servers are checked against (else the system's), and our identity."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def options(self) -> dict[str, str]:
        named = {"ssl_ca_certs": self.ca, "ssl_certfile": self.certificate, "ssl_keyfile": self.key}
        return {name: str(path) for name, path in named.items() if path is not None}


NO_TLS_FILES = StoreTlsFiles()


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A parsed URL.

    Attributes:
        url: as given; what a single server is connected to by.
        addresses: of the sentinels, or of some nodes of the Cluster.
        service: the name that the sentinels know the primary by.
    """

    kind: TopologyKind
    url: str
    has_tls: bool
    addresses: Sequence[Address] = ()
    username: str | None = None
    password: str | None = None
    service: str = ""
    db: int = 0
    sentinel_username: str | None = None
    sentinel_password: str | None = None

    @property
    def secrets(self) -> Sequence[str]:
        return [secret for secret in (self.password, self.sentinel_password) if secret]


def topology_of(url: str) -> Topology:
    """The topology that a URL names.

    Raises:
        InvalidRedisUrl
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _invalid("it cannot be read") from None
    if parts.scheme not in SCHEMES:
        raise _invalid(f"got scheme {parts.scheme!r}")
    base, _, kind = parts.scheme.partition("+")
    topology = Topology(
        kind=TopologyKind(kind or "server"),
        url=url,
        has_tls=base == "rediss",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
    if topology.kind is TopologyKind.SERVER:
        return _server(topology, parts)
    if topology.kind is TopologyKind.CLUSTER:
        return _cluster(topology, parts)
    return _sentinel(topology, parts)


def _server(topology: Topology, parts: SplitResult) -> Topology:
    if parts.scheme == "unix":
        if not parts.path.startswith("/"):
            raise _invalid("a unix URL needs an absolute path")
        return topology
    _addresses(parts, CLUSTER_PORT)
    if "," in parts.netloc:
        raise _invalid("several hosts need redis+sentinel:// or redis+cluster://")
    return topology


def _cluster(topology: Topology, parts: SplitResult) -> Topology:
    if parts.path.strip("/") or parts.query:
        raise _invalid("a Cluster has neither a path, nor databases, nor options")
    return replace(topology, addresses=_addresses(parts, CLUSTER_PORT))


def _sentinel(topology: Topology, parts: SplitResult) -> Topology:
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise _invalid("the service name is missing after the sentinels")
    if db and not (db.isascii() and db.isdigit()):
        raise _invalid(f"the database must be a number, got {db!r}")
    options = dict(parse_qsl(parts.query))
    if unknown := sorted(set(options) - set(SENTINEL_OPTIONS)):
        raise _invalid(f"unknown option {unknown[0]!r}; allowed are {', '.join(SENTINEL_OPTIONS)}")
    return replace(
        topology,
        addresses=_addresses(parts, SENTINEL_PORT),
        service=unquote(service),
        db=int(db or 0),
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
    )


def _addresses(parts: SplitResult, default_port: int) -> Sequence[Address]:
    return [_address(text, default_port) for text in parts.netloc.rpartition("@")[2].split(",")]


def _address(text: str, default_port: int) -> Address:
    try:
        one = urlsplit(f"//{text}")
        host, port = one.hostname, one.port
    except ValueError:
        raise _invalid(f"{text!r} is not HOST:PORT") from None
    if not host:
        raise _invalid(f"a host is missing in {text!r}")
    return host, default_port if port is None else port


def _invalid(fault: str) -> InvalidRedisUrl:
    return InvalidRedisUrl(f"{fault}; a Redis URL must be one of: {'; '.join(SCHEMES.values())}")


class Locator(Protocol):
    """Names the primary; errors are redis-py's own."""

    async def locate(self) -> Address: ...


class SentinelLocator:
    """Asks the sentinels."""

    def __init__(self, topology: Topology, tls: StoreTlsFiles, *, timeout_seconds: float) -> None:
        self._topology = topology
        self._options: dict[str, object] = {
            "username": topology.sentinel_username,
            "password": topology.sentinel_password,
            "socket_timeout": timeout_seconds,
            "socket_connect_timeout": timeout_seconds,
            "retry": Retry(NoBackoff(), 0),
            **({"ssl": True, **tls.options} if topology.has_tls else {}),
        }

    async def locate(self) -> Address:
        sentinel = Sentinel(list(self._topology.addresses), sentinel_kwargs=self._options)  # type: ignore[no-untyped-call]  # redis-py has no types here
        try:
            host, port = await sentinel.discover_master(self._topology.service)
            return str(host), int(port)
        finally:
            for client in sentinel.sentinels:
                await client.aclose()


class ClusterLocator:
    """Asks the Cluster for the owner of one slot; nodes that it has named are asked next time too."""

    def __init__(self, topology: Topology, tls: StoreTlsFiles, *, key: str, timeout_seconds: float) -> None:
        self._nodes = list(topology.addresses)
        self._slot = key_slot(key.encode())
        self._options: dict[str, object] = {
            "username": topology.username,
            "password": topology.password,
            "socket_timeout": timeout_seconds,
            "socket_connect_timeout": timeout_seconds,
            **({"ssl": True, **tls.options} if topology.has_tls else {}),
        }

    async def locate(self) -> Address:
        nodes = [ClusterNode(host, port) for host, port in self._nodes]
        cluster = RedisCluster(startup_nodes=nodes, require_full_coverage=False, **self._options)  # type: ignore[arg-type]  # options of its constructor
        try:
            await cluster.initialize()
            known = [(str(node.host), int(node.port)) for node in cluster.get_nodes()]
            self._nodes = list(dict.fromkeys((*known, *self._nodes)))
            owner = cluster.nodes_manager.get_node_from_slot(self._slot)
            return str(owner.host), int(owner.port)
        finally:
            await cluster.aclose()
