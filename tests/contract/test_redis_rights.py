"""What the store needs of a server: its functions, rights, memory and TLS."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from scheduler.model.errors import Overloaded, StoreUnavailable
from scheduler.model.ids import CellId, Revision
from scheduler.model.records import Key, Kind
from scheduler.model.transaction import Committed, IsAbsent, Put, Transaction
from scheduler.state.library import LIBRARY_NAME, library_of
from scheduler.state.link import Link
from scheduler.state.redis_store import RedisSettings, open_redis_store
from scheduler.state.server import StoreMisconfigured
from scheduler.state.server_processes import free_ports, wait_until
from scheduler.state.topology import StoreTlsFiles
from tests.builders import a_job
from tests.contract.stores import redis_binary, running_redis

RIGHTS_OF_SERVER = "resetchannels ~pw:{main}:* -@all +info +config|get +function|load +fcall +wait +ping"
RIGHTS_OF_KEYS = "+hmget +hget +get +hscan +xread +hset +hdel +hincrby +set +del +xadd"
RIGHTS = [*RIGHTS_OF_SERVER.split(" "), *RIGHTS_OF_KEYS.split(" ")]


def a_write(name: str) -> Transaction:
    return Transaction(puts=(Put(entity=a_job(name)),))


@pytest.fixture
def server(short_dir: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    binary = redis_binary()
    if binary is None:
        pytest.skip("redis-server is not installed")
    directory = short_dir / f"own-{abs(hash(request.node.name)) % 10**6}"
    directory.mkdir()
    with running_redis(binary, directory, "--appendonly", "yes", "--appendfsync", "always") as (url, _):
        yield url


def as_user(url: str, *rights: str) -> str:
    with redis.Redis(unix_socket_path=url.removeprefix("unix://")) as admin:
        admin.execute_command("ACL", "SETUSER", "placewright", "reset", "on", ">secret", *rights)  # type: ignore[no-untyped-call]  # redis-py has no types here
    return url.replace("unix://", "unix://placewright:secret@")


async def test_a_user_with_the_documented_rights_suffices(server: str) -> None:
    page = (Path(__file__).parents[2] / "docs/operations/redis.md").read_text()
    assert " ".join(RIGHTS) in page
    settings = RedisSettings(url=as_user(server, *RIGHTS), cell=CellId("main"))
    async with open_redis_store(settings) as store:
        fence = await store.acquire("leader", duration_ms=60_000)
        assert fence is not None
        outcome = (await store.transact([Transaction(puts=(Put(entity=a_job("one")),), fence=fence)]))[0]
        assert isinstance(outcome, Committed)
        state = await store.load()
        assert state.ids(Kind.JOB) == ["one"]
        assert await store.read_commits(state.history, state.revision, wait_ms=1) == []
        await store.ping()
        await store.release(fence)


@pytest.mark.parametrize("missing", ["+function|load", "+fcall", "+info", "+hmget", "+config|get"])
async def test_a_missing_right_is_told(server: str, missing: str) -> None:
    url = as_user(server, *(right for right in RIGHTS if right != missing))
    with pytest.raises(StoreMisconfigured, match=r"allowed|permission") as refused:
        async with open_redis_store(RedisSettings(url=url, cell=CellId("main"))):
            pass
    assert "secret" not in str(refused.value)


async def test_a_full_memory_takes_nothing_on_and_lets_the_rest_go_on(server: str) -> None:
    async with open_redis_store(RedisSettings(url=server, cell=CellId("main"))) as store:
        await store.transact([a_new_job("old")])
        with redis.Redis(unix_socket_path=server.removeprefix("unix://")) as admin:
            admin.config_set("maxmemory", 1)
            refused, changed = await asyncio.gather(
                store.transact([a_new_job("new")]), store.transact([a_write("old")]), return_exceptions=True
            )
            assert await store.acquire("leader", duration_ms=60_000) is not None
            admin.config_set("maxmemory", 0)
        state = await store.load()

    assert isinstance(refused, Overloaded)
    assert refused.limit == "STORE_MEMORY"
    assert changed == [Committed(Revision(2))]
    assert (state.revision, state.ids(Kind.JOB)) == (2, ["old"])


def a_new_job(name: str) -> Transaction:
    return Transaction(checks=(IsAbsent(Key(Kind.JOB, name)),), puts=(Put(entity=a_job(name)),))


async def test_two_versions_of_the_functions_are_side_by_side(real_url: str) -> None:
    other_name, other = library_of("#!lua name=placewright_v1\nredis.register_function('placewright_v1_x', "
                                   "function() return 'other' end)")  # fmt: skip
    link = Link(real_url, timeout_ms=5_000)
    try:
        world_settings = RedisSettings(url=real_url, cell=CellId("versions"))
        async with open_redis_store(world_settings) as store:
            await link.call("FUNCTION", "LOAD", other)
            async with open_redis_store(world_settings) as again:
                assert isinstance((await again.transact([a_write("a")]))[0], Committed)
            assert isinstance((await store.transact([a_write("b")]))[0], Committed)
            assert await link.call("FCALL", f"{other_name}_x", 0) == b"other"
            await link.call("FUNCTION", "DELETE", LIBRARY_NAME)
            assert isinstance((await store.transact([a_write("c")]))[0], Committed)
    finally:
        await link.call("FUNCTION", "DELETE", other_name)
        await link.close()


@contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    binary, openssl = redis_binary(), shutil.which("openssl")
    if binary is None or openssl is None:
        pytest.skip("redis-server with TLS and openssl are needed")
    (port,) = free_ports(1)
    make = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*make, *names, *files], check=True, capture_output=True)
    certificate, key = str(folder / "cert.pem"), str(folder / "key.pem")
    tls = ["--tls-port", str(port), "--tls-cert-file", certificate, "--tls-key-file", key]
    options = [*tls, "--tls-ca-cert-file", certificate, "--appendonly", "yes", "--appendfsync", "always"]
    with running_redis(binary, folder, *options) as (_, process):
        wait_until(lambda: process.poll() is None)
        yield port


async def test_tls_with_a_client_certificate(short_dir: Path) -> None:
    folder = short_dir / "tls"
    folder.mkdir()
    with tls_server(folder) as port:
        url, cell = f"rediss://localhost:{port}", CellId("main")
        files = StoreTlsFiles(ca=folder / "cert.pem", certificate=folder / "cert.pem", key=folder / "key.pem")
        async with open_redis_store(RedisSettings(url=url, cell=cell, tls=files)) as store:
            assert isinstance((await store.transact([a_write("a")]))[0], Committed)
        for wrong in (StoreTlsFiles(), StoreTlsFiles(ca=folder / "cert.pem")):
            with pytest.raises(StoreUnavailable):
                async with open_redis_store(RedisSettings(url=url, cell=cell, tls=wrong)):
                    pass
