"""Sentinel and Cluster: a cell goes on after its primary was killed, and what was lost is told."""

import asyncio
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis.crc import key_slot

from scheduler.model.errors import CursorTooOld, StoreUnavailable
from scheduler.model.ids import CellId
from scheduler.model.records import Kind
from scheduler.model.transaction import Committed, Fence, Put, StaleFence, Transaction
from scheduler.state.keys import Keys
from scheduler.state.redis_store import RedisSettings, RedisStore, open_redis_store
from scheduler.state.server_processes import Servers, ask, info, sentinel_servers, wait_until
from tests.builders import a_job
from tests.contract.stores import WAIT_SECONDS_MAX, eventually
from tests.contract.topologies import cluster_servers

LEASE_MS = 60_000
DEMOTED_WITHIN_SECONDS = 60  # sentinels look at what came back every 10 s, and give it 8 s

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pw-") as directory:
        yield Path(directory)


def a_write(name: str, fence: Fence | None = None) -> Transaction:
    return Transaction(puts=(Put(entity=a_job(name)),), fence=fence)


async def lead(store: RedisStore, holder: str) -> Fence:
    async def attempt() -> Fence:
        fence = await store.acquire(holder, duration_ms=LEASE_MS)
        if fence is None:
            raise StoreUnavailable("another leads")
        return fence

    return await eventually(attempt)


def is_replica(port: int) -> bool:
    return info(port, "replication")["role"] == "slave"


def owner_of(servers: Servers, cell: CellId) -> tuple[int, int]:
    """Port of the cell's primary, and of its replica."""
    if len(servers.ports) == 2:
        return servers.ports[0], servers.ports[1]
    number = key_slot(Keys(cell).meta.encode()) * 3 // 16_384
    return servers.ports[number], servers.ports[number + 3]


@pytest.mark.parametrize("start", [sentinel_servers, cluster_servers], ids=["sentinel", "cluster"])
async def test_a_failover_goes_on_in_a_new_history(
    folder: Path, start: Callable[[Path], AbstractContextManager[Servers]]
) -> None:
    with start(folder) as servers:
        settings = RedisSettings(url=servers.url, cell=CellId("main"), timeout_ms=2_000)
        primary, replica = owner_of(servers, settings.cell)
        async with open_redis_store(settings) as store:
            old_fence = await lead(store, "old")
            before = await store.load()
            await store.transact([a_write("before", old_fence)])
            wait_until(lambda: ask(replica, "DBSIZE") == ask(primary, "DBSIZE"))

            servers.kill(primary)
            with pytest.raises(StoreUnavailable):
                await store.transact([a_write("lost", old_fence)])
            await asyncio.to_thread(wait_until, lambda: info(replica, "replication")["role"] == "master")
            with pytest.raises(StoreUnavailable, match="has not yet judged"):
                await eventually_refused(store, old_fence)
            ask(replica, "DEL", Keys(settings.cell).leader)  # as if the old leader's lease had run out
            new_fence = await lead(store, "new")

            after = await store.load()
            assert after.history != before.history
            assert new_fence.number > old_fence.number
            assert after.ids(Kind.JOB) == ["before"]
            assert (await store.transact([a_write("stale", old_fence)]))[0] == StaleFence()
            assert isinstance((await store.transact([a_write("after", new_fence)]))[0], Committed)
            with pytest.raises(CursorTooOld):
                await store.read_commits(before.history, before.revision, wait_ms=0)

            servers.restart(primary)
            await asyncio.to_thread(
                wait_until, lambda: is_replica(primary), within_seconds=DEMOTED_WITHIN_SECONDS
            )
            await store.transact([a_write("later", new_fence)])
            assert (await store.load()).ids(Kind.JOB) == ["after", "before", "later"]


async def eventually_refused(store: RedisStore, fence: Fence) -> None:
    """Write until the new primary answers, with a refusal since nobody has judged it."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            try:
                await store.transact([a_write("between", fence)])
                return
            except StoreUnavailable as error:
                if "has not yet judged" in str(error):
                    raise
                await asyncio.sleep(0.05)


async def test_cells_in_different_slots_share_a_cluster(folder: Path) -> None:
    with cluster_servers(folder) as servers:
        cells = [CellId(f"cell-{number}") for number in range(6)]
        assert len({owner_of(servers, cell) for cell in cells}) == 3
        for cell in cells:
            async with open_redis_store(RedisSettings(url=servers.url, cell=cell)) as store:
                fence = await lead(store, "leader")
                await store.transact([a_write(f"job-of-{cell}", fence)])
                assert (await store.load()).ids(Kind.JOB) == [f"job-of-{cell}"]


async def test_an_unreplicated_tail_is_lost_and_told(folder: Path) -> None:
    with sentinel_servers(folder) as servers:
        settings = RedisSettings(url=servers.url, cell=CellId("main"), timeout_ms=2_000)
        primary, replica = servers.ports
        async with open_redis_store(settings) as store:
            fence = await lead(store, "leader")
            await store.transact([a_write("kept", fence)])
            synced = int(str(info(primary, "replication")["master_repl_offset"]))
            wait_until(lambda: int(str(info(replica, "replication")["slave_repl_offset"])) >= synced)
            servers.processes[replica].send_signal(signal.SIGSTOP)
            ask(primary, "CLIENT", "KILL", "TYPE", "replica")  # nor has its socket anything for it
            await store.transact([a_write("lost", fence)])
            cursor = await store.load()
            servers.kill(primary)
            servers.processes[replica].send_signal(signal.SIGCONT)
            await asyncio.to_thread(wait_until, lambda: info(replica, "replication")["role"] == "master")
            await lead(store, "leader")

            assert (await store.load()).ids(Kind.JOB) == ["kept"]
            with pytest.raises(CursorTooOld):
                await store.read_commits(cursor.history, cursor.revision, wait_ms=0)
