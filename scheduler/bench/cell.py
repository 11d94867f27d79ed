"""The cell of the service's benchmark: a Valkey, a server with Echo beside it, a load generator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scheduler.bench.processes import LoadProcess, ServerProcess, load_process, server_process
from scheduler.model.ids import CellId
from scheduler.state.embedded import embedded_valkey
from scheduler.state.link import Link
from scheduler.state.redis_store import RedisSettings, RedisStore, open_redis_store
from scheduler.state.server import Durability

CELL = CellId("main")
NO_LEADER_MS = 24 * 3_600_000
CALL_TIMEOUT_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchCell:
    """What is measured and what measures.

    Attributes:
        store: a way of the benchmark's own to the same state.
        link: raw, to the same Valkey.
    """

    server: ServerProcess
    load: LoadProcess
    store: RedisStore
    link: Link


@asynccontextmanager
async def api_replica(work_dir: Path, durability: Durability) -> AsyncIterator[BenchCell]:
    """A server that only answers calls: the benchmark holds the leader lease, as another replica would."""
    async with valkey(work_dir, durability) as (url, process_id, store, link):
        assert await store.acquire("bench", duration_ms=NO_LEADER_MS) is not None
        async with (
            server_on(work_dir, url, process_id, durability) as server,
            load_process(server.address) as load,
        ):
            yield BenchCell(server=server, load=load, store=store, link=link)


@asynccontextmanager
async def valkey(work_dir: Path, durability: Durability) -> AsyncIterator[tuple[str, int, RedisStore, Link]]:
    """A Valkey with this durability: its URL and process, and two ways to it."""
    async with embedded_valkey(work_dir / "valkey") as server:
        link = Link(server.url, timeout_ms=CALL_TIMEOUT_MS)
        try:
            sync = "everysec" if durability is Durability.EVERYSEC else "always"
            await link.call("CONFIG", "SET", "appendfsync", sync)
            settings = RedisSettings(
                url=server.url, cell=CELL, durability=durability, timeout_ms=CALL_TIMEOUT_MS
            )
            async with open_redis_store(settings) as store:
                yield server.url, server.process_id, store, link
        finally:
            await link.close()


@asynccontextmanager
async def server_on(
    work_dir: Path, url: str, valkey_process_id: int, durability: Durability
) -> AsyncIterator[ServerProcess]:
    """A server over that Valkey."""
    async with server_process(
        work_dir, redis_url=url, valkey_process_id=valkey_process_id, cell=CELL, durability=durability.value
    ) as server:
        yield server


@asynccontextmanager
async def whole_service(work_dir: Path, fleet: Path) -> AsyncIterator[tuple[ServerProcess, LoadProcess]]:
    """A service as `serve` starts it, leader and planner included, over its embedded Valkey."""
    async with server_process(work_dir, fleet=fleet) as server, load_process(server.address) as load:
        yield server, load
