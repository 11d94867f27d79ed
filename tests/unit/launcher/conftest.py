"""A fake service and launchers that end with the test, leaving no process."""

import asyncio
import contextlib
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from placewright.launcher.local import LocalBackend, LocalOptions
from placewright.launcher.processes import kill_processes_with, processes_with
from placewright.launcher.runtime import LauncherRuntime
from placewright.launcher.tuning import Tuning
from tests.unit.launcher.fake_launcher_service import UNTIL_TIMEOUT_S, FakeLauncherService
from tests.unit.launcher.launcher_builders import LAUNCHER, POOL, a_pool

REPOSITORY = Path(__file__).parents[3]
LOOK_S = 0.01


class Launchers:
    """Starts launchers of one state directory, one at a time."""

    def __init__(self, state_dir: Path, service: FakeLauncherService) -> None:
        self.state_dir = state_dir
        self._service = service
        self._task: asyncio.Task[None] | None = None
        self._backend: LocalBackend | None = None
        self.runtime: LauncherRuntime | None = None

    async def start(self, *, tasks_per_run_max: int = 16) -> LauncherRuntime:
        """A launcher within this process."""
        options = LocalOptions(working_directory=self.state_dir, tasks_per_run_max=tasks_per_run_max)
        self._backend = LocalBackend(self.state_dir, options=options)
        self.runtime = LauncherRuntime(
            self._service.address,
            LAUNCHER,
            backend=self._backend,
            state_dir=self.state_dir,
            tuning=Tuning(retry_s_min=0.02, retry_s_max=0.2, jitter=random.Random(1)),
        )
        self._task = asyncio.ensure_future(self.runtime.run())
        sessions = self._service.sessions
        await self._service.until(lambda: self._service.sessions > sessions)
        return self.runtime

    async def stop(self) -> None:
        """End the launcher as SIGTERM does: its tasks go on."""
        if self._task is not None and self._backend is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._backend.close()
            self._task = None

    def spawn(self, *, crash_at: str = "") -> "subprocess.Popen[bytes]":
        """A launcher process that kills itself with SIGKILL when a start has come to a step."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.unit.launcher.crashing_launcher"),
                *(self._service.address, str(self.state_dir), crash_at),
            ],
            cwd=REPOSITORY,
        )

    def notes_of(self, run_id: str) -> Path:
        return self.state_dir / "runs" / run_id

    def log_of(self, run_id: str, *, task: int = 0) -> str:
        return (self.state_dir / "logs" / run_id / f"task-{task}.log").read_text()

    def is_anything_alive(self, run_id: str) -> bool:
        """Whether a task, or what it started, lives; the supervisor may."""
        return any(
            b"supervisor.py" not in _command_line(process.pid)
            for process in processes_with("PLACEWRIGHT_RUN_ID", run_id)
        )

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that gives no event: another process's file or end."""
        async with asyncio.timeout(UNTIL_TIMEOUT_S):
            while not is_so():  # noqa: ASYNC110 - nothing here could set an event
                await asyncio.sleep(LOOK_S)

    async def until_logged(self, run_id: str, text: str, *, task: int = 0) -> None:
        """Wait until a task has written something."""
        log = self.state_dir / "logs" / run_id / f"task-{task}.log"
        await self.until(lambda: log.exists() and text in log.read_text())


def _command_line(pid: int) -> bytes:
    try:
        found = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        found = b""
    return found or b"supervisor.py"  # gone, or going: it has no memory any more, and so no command line


@pytest.fixture
async def service() -> AsyncIterator[FakeLauncherService]:
    fake = FakeLauncherService()
    fake.pools[POOL] = a_pool()
    await fake.start()
    yield fake
    await fake.stop()
    assert fake.faults == []
    for run_id in fake.runs:
        kill_processes_with("PLACEWRIGHT_RUN_ID", run_id)


@pytest.fixture
async def launchers(tmp_path: Path, service: FakeLauncherService) -> AsyncIterator[Launchers]:
    started = Launchers(tmp_path / "state", service)
    yield started
    await started.stop()
