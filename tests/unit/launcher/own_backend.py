"""A backend of one's own, and a launcher with it, for tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from placewright.launcher.backend import ABSENT, RUNNING, STARTING, Observation, StartRequest, ended
from placewright.launcher.calls import Access
from placewright.launcher.runtime import LauncherRuntime
from placewright.launcher.tuning import Tuning
from placewright.v1.job_pb2 import EndReason
from tests.unit.launcher.fake_launcher_service import FakeLauncherService
from tests.unit.launcher.launcher_builders import LAUNCHER


class DictBackend:
    """Runs are entries of a dictionary; nothing is fenced; it is polled.

    Attributes:
        started: every run that was started, once for each time.
        stays_starting: runs whose tasks do not all come to run.
        failures: how often each method still raises OSError.
    """

    is_self_fencing = False

    def __init__(self) -> None:
        self.runs: dict[str, Observation] = {}
        self.started: list[str] = []
        self.stays_starting: set[str] = set()
        self.failures: dict[str, int] = {}
        self._has_started: dict[str, asyncio.Event] = {}

    async def until_started(self, run_id: str) -> None:
        """Wait for a start."""
        await self._has_started.setdefault(run_id, asyncio.Event()).wait()

    def end(self, run_id: str) -> None:
        """Let a run succeed."""
        self.runs[run_id] = ended(EndReason.END_REASON_SUCCEEDED)

    async def start(self, run: StartRequest) -> None:
        self.started.append(run.run_id)
        self.runs[run.run_id] = STARTING if run.run_id in self.stays_starting else RUNNING
        self._has_started.setdefault(run.run_id, asyncio.Event()).set()

    async def stop(self, run_id: str, *, reason: EndReason, grace_s: float) -> None:
        del grace_s
        self._may_fail("stop")
        if self.runs.get(run_id) is RUNNING:
            self.runs[run_id] = ended(reason)

    async def observe(self, run_id: str) -> Observation:
        self._may_fail("observe")
        return self.runs.get(run_id, ABSENT)

    async def next_changes(self, run_ids: Collection[str]) -> Collection[str]:
        await asyncio.sleep(0.01)
        self._may_fail("next_changes")
        return run_ids

    async def forget(self, run_id: str) -> None:
        self._may_fail("forget")
        self.runs.pop(run_id, None)

    def _may_fail(self, method: str) -> None:
        if self.failures.get(method, 0) > 0:
            self.failures[method] -= 1
            raise OSError(f"{method} failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLauncher:
    """A launcher that serves."""

    runtime: LauncherRuntime
    backend: DictBackend
    serving: "asyncio.Future[None]"


def a_token() -> str:
    return "a-token"


@contextlib.asynccontextmanager
async def a_launcher(
    service: FakeLauncherService,
    state_dir: Path,
    *,
    address: str = "",
    backend: DictBackend | None = None,
    token: Callable[[], str] = a_token,
    tuning: Tuning | None = None,
) -> AsyncIterator[RunningLauncher]:
    """A launcher that serves until the block ends."""
    backend = backend or DictBackend()
    sessions = service.sessions
    runtime = LauncherRuntime(
        address or service.address,
        LAUNCHER,
        backend=backend,
        state_dir=state_dir,
        access=Access(token=token),
        tuning=tuning or Tuning(retry_s_min=0.02, retry_s_max=0.2),
    )
    serving = asyncio.ensure_future(runtime.run())
    try:
        await service.until(lambda: service.sessions > sessions)
        yield RunningLauncher(runtime=runtime, backend=backend, serving=serving)
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
