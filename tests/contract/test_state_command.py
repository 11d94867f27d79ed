"""Export, import and check of a cell's state."""

import asyncio
from pathlib import Path

from typer.testing import CliRunner

from scheduler.model.ids import REVISIONS_PER_SECOND, CellId, ReplicaId, RunId
from scheduler.model.records import Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.transaction import Put, Transaction
from scheduler.state.redis_store import RedisSettings, open_redis_store
from scheduler.state_command import app
from tests.builders import a_job
from tests.contract.stores import a_cell


async def write(url: str, cell: CellId) -> None:
    job = a_job("one")
    replica = Replica(
        id=ReplicaId(f"{job.id}-0"),
        job_id=job.id,
        index=0,
        state=ReplicaState.PLACED,
        live_run=RunId("gone"),
        waiting_since_ms=0,
    )
    async with open_redis_store(RedisSettings(url=url, cell=cell)) as store:
        await store.transact([Transaction(puts=(Put(entity=job), Put(entity=replica)))])


async def ids_of(url: str, cell: CellId) -> list[str]:
    async with open_redis_store(RedisSettings(url=url, cell=cell)) as store:
        return (await store.load()).ids(Kind.JOB)


async def first_revision(url: str, cell: CellId) -> int:
    async with open_redis_store(RedisSettings(url=url, cell=cell)) as store:
        return min(record.version for record in (await store.load()).records(Kind.JOB))


async def wipe(url: str, cell: CellId) -> None:
    import redis

    with redis.Redis(unix_socket_path=url.removeprefix("unix://")) as client:
        keys = list(client.scan_iter(f"pw:{{{cell}}}:*"))
        client.delete(*keys)


def test_an_export_is_imported_into_an_empty_store_only(real_url: str, tmp_path: Path) -> None:
    cell, run = a_cell(), CliRunner().invoke
    options = [f"--redis-url={real_url}", f"--cell={cell}"]
    file = str(tmp_path / "state.jsonl")
    asyncio.run(write(real_url, cell))

    exported = run(app, ["export", file, *options])
    refused = run(app, ["import", file, *options])
    asyncio.run(wipe(real_url, cell))
    imported = run(app, ["import", file, *options])

    assert (exported.exit_code, refused.exit_code, imported.exit_code) == (0, 2, 0), imported.output
    assert "2 records" in imported.output
    assert asyncio.run(first_revision(real_url, cell)) > REVISIONS_PER_SECOND
    assert asyncio.run(ids_of(real_url, cell)) == ["one"]
    assert Path(file).stat().st_mode & 0o077 == 0


def test_check_tells_each_fault(real_url: str) -> None:
    cell = a_cell()
    asyncio.run(write(real_url, cell))

    checked = CliRunner().invoke(app, ["check", f"--redis-url={real_url}", f"--cell={cell}"])

    assert checked.exit_code == 1
    assert "its live run gone does not exist" in checked.output


def test_repair_mends_what_needs_no_guess_in_a_new_history(real_url: str) -> None:
    cell = a_cell()
    asyncio.run(write(real_url, cell))
    options = [f"--redis-url={real_url}", f"--cell={cell}"]

    repaired = CliRunner().invoke(app, ["check", "--repair", *options])
    checked = CliRunner().invoke(app, ["check", *options])

    assert repaired.exit_code == 0, repaired.output
    assert "waits again: its live run does not exist" in repaired.output
    assert checked.exit_code == 0
    assert "0 faults" in checked.output
    assert asyncio.run(newest_revision(real_url, cell)) > REVISIONS_PER_SECOND


async def newest_revision(url: str, cell: CellId) -> int:
    async with open_redis_store(RedisSettings(url=url, cell=cell)) as store:
        return (await store.load()).revision
