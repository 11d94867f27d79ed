"""Submit, cancel, get and list at two replicas over one real Valkey: docs/decisions/consistency.md."""

import asyncio
import os
import signal
import tempfile
from pathlib import Path

import pytest

from scheduler.model.ids import CellId
from scheduler.state.embedded import EmbeddedValkey, embedded_valkey
from scheduler.state.redis_store import RedisSettings, open_redis_store
from tests.contract.stores import eventually
from tests.linearizability.checker import judge
from tests.linearizability.histories import Surroundings, a_history, told
from tests.linearizability.specification import Accepted, Read, Table, job_table

SEEDS = range(20)
KILLS = 2
UP_SECONDS = 0.15
WRITES_AFTERWARDS = 6


@pytest.mark.parametrize("seed", SEEDS)
async def test_writes_are_linearizable_and_reads_see_what_their_caller_wrote(
    valkey_url: str, seed: int
) -> None:
    history = await a_history(Surroundings(url=valkey_url), seed)

    verdict = judge(history, job_table, start=Table())
    assert verdict.is_linearizable, f"seed={seed}\n{told(history, verdict.order)}"


@pytest.mark.parametrize("seed", range(2))
async def test_so_they_are_while_the_server_is_killed_and_comes_back(seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="pw-") as directory:
        async with embedded_valkey(Path(directory) / "valkey") as valkey:
            history = await a_history(
                Surroundings(url=valkey.url),
                seed,
                disturb=lambda cell: kill_again_and_again(valkey, cell),
            )

    verdict = judge(history, job_table, start=Table())
    assert verdict.is_linearizable, f"seed={seed}\n{told(history, verdict.order)}"
    afterwards = [op.call for op in history if not isinstance(op.call, Read)][-WRITES_AFTERWARDS:]
    assert any(isinstance(write.answer, Accepted) for write in afterwards), afterwards


async def kill_again_and_again(valkey: EmbeddedValkey, cell: CellId) -> None:
    """The leader vouches for the restarted server, as it does in `control`."""
    async with open_redis_store(RedisSettings(url=valkey.url, cell=cell)) as leader:
        for _ in range(KILLS):
            await asyncio.sleep(UP_SECONDS)
            killed = valkey.process_id
            os.kill(killed, signal.SIGKILL)
            while valkey.process_id == killed:  # noqa: ASYNC110  (its supervisor tells nobody)
                await asyncio.sleep(0.01)
            await eventually(lambda: leader.acquire("leader", duration_ms=60_000))
