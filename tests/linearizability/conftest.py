"""One Valkey for all histories; each has a cell of its own."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from scheduler.state.embedded import embedded_valkey


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def valkey_url() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="pw-") as directory:
        async with embedded_valkey(Path(directory) / "valkey") as valkey:
            yield valkey.url
