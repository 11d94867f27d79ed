"""What grows with the state: Redis per event with watchers, start-up and memory with many jobs."""

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import cast

import grpc

from placewright.v1 import job_service_pb2
from placewright.v1.job_service_pb2_grpc import JobServiceStub
from scheduler.app import COLLECTOR_THRESHOLDS
from scheduler.bench import messages
from scheduler.bench.cell import CELL, NO_LEADER_MS, api_replica, server_on, valkey
from scheduler.bench.load import Load
from scheduler.bench.processes import LoadProcess, load_process, memory_bytes
from scheduler.bench.report import Row
from scheduler.codec.records import decode_record
from scheduler.state.keys import MIRRORED, Keys
from scheduler.state.link import Link
from scheduler.state.redis_store import RedisStore
from scheduler.state.server import Durability

B7 = "b7"
WATCHERS = (1, 10, 100)
FLAT_MAX = 1.1
LOAD_TO_PARSE_MAX = 2.5
FILL_IN_FLIGHT = 2
LOADS = 3
SCAN_COUNT = 500


async def watcher_rows(*, seconds: float, advance: Callable[[str], None]) -> list[Row]:
    """Redis CPU per submitted job with 1, 10 and 100 watchers of everything."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        async with api_replica(Path(folder), Durability.ALWAYS) as cell:
            for watchers in WATCHERS:
                began_s = time.monotonic()
                async with _watching(cell.server.address, watchers):
                    cpu_s = cell.server.valkey_cpu_s()
                    load = Load(method=messages.SUBMIT_JOBS, seconds=seconds, in_flight=1, jobs_per_call=100)
                    result = await cell.load.run(load)
                jobs = max(1, 100 * result.calls)
                value = (cell.server.valkey_cpu_s() - cpu_s) / jobs * 1e6
                rows.append(
                    Row(
                        benchmark=B7,
                        instance=f"{watchers} watchers",
                        metric="Redis CPU us per job, to 1 watcher",
                        value=value,
                        ratio=value / rows[0].value if rows else 1.0,
                        bound=FLAT_MAX if rows else None,
                        seconds=time.monotonic() - began_s,
                        detail={"jobs": jobs},
                    )
                )
                advance(f"{watchers} watchers")
    return rows


@asynccontextmanager
async def _watching(address: str, watchers: int) -> AsyncIterator[None]:
    """So many watches of new jobs, each read as fast as it comes."""

    async def watch(stub: JobServiceStub, ready: asyncio.Event) -> None:
        request = job_service_pb2.WatchJobsRequest()
        request.filter.name = "no-job-has-this-name"  # what is measured is Redis, not the watchers' work
        async for _ in stub.WatchJobs(request):
            ready.set()

    async with grpc.aio.insecure_channel(address) as channel:
        stub = JobServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        readies = [asyncio.Event() for _ in range(watchers)]
        tasks = [asyncio.create_task(watch(stub, ready)) for ready in readies]
        await asyncio.gather(*(ready.wait() for ready in readies))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def start_up_rows(*, jobs: int, advance: Callable[[str], None]) -> list[Row]:
    """Loading so many waiting jobs against parsing them; a server's start with them, and its memory."""
    gc.set_threshold(*COLLECTOR_THRESHOLDS)  # as a server has them
    with tempfile.TemporaryDirectory() as folder:
        work_dir = Path(folder)
        async with valkey(work_dir, Durability.EVERYSEC) as (url, process_id, store, link):
            assert await store.acquire("bench", duration_ms=NO_LEADER_MS) is not None
            empty_bytes = 0
            async with server_on(work_dir, url, process_id, Durability.EVERYSEC) as server:
                empty_bytes = memory_bytes(server.process_id)
                async with load_process(server.address) as load:
                    await _fill(load, jobs)
            advance(f"{jobs} jobs submitted")
            began_s = time.monotonic()
            loads_s = [await _cpu_of_load(store) for _ in range(LOADS)]
            parses_s = [await _cpu_of_parsing(link) for _ in range(LOADS)]
            loading_s = time.monotonic() - began_s
            advance("loaded and parsed")
            began_s = time.monotonic()
            async with server_on(work_dir, url, process_id, Durability.EVERYSEC) as server:
                started_s = time.monotonic() - began_s
                job_bytes = (memory_bytes(server.process_id) - empty_bytes) / jobs
            advance("started")
    ratio = median(loads_s) / median(parses_s)
    times: dict[str, object] = {"loads_s": loads_s, "parses_s": parses_s}
    return [
        Row(
            benchmark=B7, instance=f"{jobs} jobs", metric="load, CPU s, to parsing them",
            value=median(loads_s), ratio=ratio, bound=LOAD_TO_PARSE_MAX, seconds=loading_s,
            detail=times,
        ),
        Row(
            benchmark=B7, instance=f"{jobs} jobs", metric="start of a server, s", value=started_s,
            seconds=started_s,
        ),
        Row(
            benchmark=B7, instance=f"{jobs} jobs", metric="memory of the server, bytes per job",
            value=job_bytes, seconds=started_s,
        ),
    ]  # fmt: skip


async def _fill(process: LoadProcess, jobs: int) -> None:
    """Submit at least so many jobs."""
    submitted = 0
    while submitted < jobs:
        load = Load(method=messages.SUBMIT_JOBS, seconds=2, in_flight=FILL_IN_FLIGHT, jobs_per_call=500)
        result = await process.run(load)
        assert not result.failed, result.failed
        submitted += 500 * result.calls


async def _cpu_of_load(store: RedisStore) -> float:
    began_s = time.process_time()
    await store.load()
    return time.process_time() - began_s


async def _cpu_of_parsing(link: Link) -> float:
    """CPU seconds to decode every mirrored record, which is at hand already."""
    stored = {kind: [one async for one in _all(link, Keys(CELL).records(kind))] for kind in MIRRORED}
    began_s = time.process_time()
    for kind, records in stored.items():
        for record in records:
            decode_record(kind, record)
    return time.process_time() - began_s


async def _all(link: Link, key: str) -> AsyncIterator[bytes]:
    cursor = b"0"
    while True:
        reply = await link.call("HSCAN", key, cursor, "COUNT", SCAN_COUNT)
        cursor, pairs = cast(tuple[bytes, list[bytes]], reply)
        for stored in pairs[1::2]:
            yield stored
        if cursor == b"0":
            return
