"""The processes of the service's benchmark, and the CPU time and memory of each."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scheduler.bench.load import Load, LoadResult

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STOP_SECONDS_MAX = 20
VALKEY_NAME = "valkey-server"
FIELDS_BEFORE_TIMES = 11  # of /proc/PID/stat, after the name


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """A running service with Echo beside it."""

    address: str
    process_id: int
    valkey_process_id: int

    def cpu_s(self) -> float:
        """CPU seconds of the server's own process until now; neither Valkey nor the planner."""
        return cpu_s(self.process_id)

    def valkey_cpu_s(self) -> float:
        return cpu_s(self.valkey_process_id)


class LoadProcess:
    """A load generator."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, load: Load) -> LoadResult:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(load) + b"\n")
        await self._process.stdin.drain()
        return msgspec.json.decode(await self._process.stdout.readline(), type=LoadResult)


@asynccontextmanager
async def load_process(address: str) -> AsyncIterator[LoadProcess]:
    async with _process("scheduler.bench.load", address, environment={}, log=None) as process:
        yield LoadProcess(process)


@asynccontextmanager
async def server_process(
    work_dir: Path, *, redis_url: str | None = None, valkey_process_id: int | None = None, **settings: object
) -> AsyncIterator[ServerProcess]:
    """A service of its own; over an embedded Valkey unless a URL is given.

    Raises:
        AssertionError: it did not start; with the end of its log.
    """
    environment = {f"PLACEWRIGHT_{name.upper()}": str(value) for name, value in settings.items()}
    environment |= {
        "PLACEWRIGHT_LISTEN": "127.0.0.1:0",
        "PLACEWRIGHT_METRICS_LISTEN": "127.0.0.1:0",
        "PLACEWRIGHT_DATA_DIR": str(work_dir / "state"),
        "PLACEWRIGHT_LOG_LEVEL": "warning",
    }
    if redis_url is not None:
        environment["PLACEWRIGHT_REDIS_URL"] = redis_url
    log = work_dir / "service.log"
    async with _process("scheduler.bench.echo_server", environment=environment, log=log) as process:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().strip()
        assert address, log.read_text(errors="replace")[-2_000:]
        if valkey_process_id is None:
            (valkey_process_id,) = (child for child in children(process.pid) if name_of(child) == VALKEY_NAME)
        yield ServerProcess(address=address, process_id=process.pid, valkey_process_id=valkey_process_id)


@asynccontextmanager
async def _process(
    module: str, *arguments: str, environment: Mapping[str, str], log: Path | None
) -> AsyncIterator[asyncio.subprocess.Process]:
    stderr = None if log is None else log.open("wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, **environment},
        limit=2**24,
        start_new_session=True,
    )  # fmt: skip
    if stderr is not None:
        stderr.close()
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
            except TimeoutError:
                process.kill()
                await process.wait()


def cpu_s(process_id: int) -> float:
    """CPU seconds of a process with all its threads until now; to the hundredth."""
    fields = _stat(process_id)
    user, system = fields[FIELDS_BEFORE_TIMES : FIELDS_BEFORE_TIMES + 2]
    return (int(user) + int(system)) / TICKS_PER_SECOND


def memory_bytes(process_id: int) -> int:
    """Resident memory."""
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * PAGE_BYTES


def children(process_id: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process_id}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return sorted(found)


def name_of(process_id: int) -> str:
    return Path(f"/proc/{process_id}/comm").read_text().strip()


def _stat(process_id: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on."""
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
