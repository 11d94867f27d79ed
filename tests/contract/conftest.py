"""One server of each sort per test session."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from scheduler.state.embedded import embedded_valkey
from tests.contract.stores import World, redis_binary, redis_server, world_at


@pytest.fixture(scope="session")
def short_dir() -> Iterator[Path]:
    """A directory whose path leaves room for a unix socket's name."""
    with tempfile.TemporaryDirectory(prefix="pw-") as directory:
        yield Path(directory)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def valkey_url(short_dir: Path) -> AsyncIterator[str]:
    async with embedded_valkey(short_dir / "valkey") as valkey:
        yield valkey.url


@pytest.fixture(scope="session")
def redis7_url(short_dir: Path) -> Iterator[str]:
    binary = redis_binary()
    if binary is None:
        pytest.skip("redis-server is not installed: the contract is not checked on Redis 7")
    directory = short_dir / "redis7"
    directory.mkdir()
    with redis_server(binary, directory, "--appendonly", "yes", "--appendfsync", "always") as url:
        yield url


@pytest.fixture(params=["memory", "valkey", "redis7"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the store is; None for memory."""
    if request.param == "memory":
        return None
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture(params=["valkey", "redis7"])
def real_url(request: pytest.FixtureRequest) -> str:
    """Where a real store is; found before the test's own loop runs."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest_asyncio.fixture
async def world(url: str | None) -> AsyncIterator[World]:
    async with world_at(url) as opened:
        yield opened
