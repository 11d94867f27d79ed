"""A launcher of one's own against the Backend protocol, in a few lines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from placewright.launcher.backend import ABSENT, RUNNING, Observation, StartRequest, ended
from placewright.launcher.calls import Access
from placewright.launcher.runtime import LauncherRuntime
from placewright.launcher.tuning import Tuning
from placewright.v1.job_pb2 import EndReason, RunState
from tests.unit.launcher.fake_launcher_service import FakeLauncherService
from tests.unit.launcher.launcher_builders import LAUNCHER, POOL, a_pool, a_run


class DictBackend:
    """Runs are entries of a dictionary; nothing is fenced; it is polled."""

    is_self_fencing = False

    def __init__(self) -> None:
        self.runs: dict[str, Observation] = {}

    async def start(self, run: StartRequest) -> None:
        self.runs[run.run_id] = RUNNING

    async def stop(self, run_id: str, *, reason: EndReason, grace_s: float) -> None:
        del grace_s
        if self.runs.get(run_id) is RUNNING:
            self.runs[run_id] = ended(reason)

    async def observe(self, run_id: str) -> Observation:
        return self.runs.get(run_id, ABSENT)

    async def next_changes(self, run_ids: Collection[str]) -> Collection[str]:
        await asyncio.sleep(0.01)
        return run_ids

    async def forget(self, run_id: str) -> None:
        self.runs.pop(run_id, None)


@contextlib.asynccontextmanager
async def a_launcher(service: FakeLauncherService, tmp_path: Path) -> AsyncIterator[LauncherRuntime]:
    """A launcher that serves until the block ends."""
    runtime = LauncherRuntime(
        service.address,
        LAUNCHER,
        backend=DictBackend(),
        state_dir=tmp_path,
        access=Access(token=lambda: "a-token"),
        tuning=Tuning(retry_s_min=0.02, retry_s_max=0.2),
    )
    serving = asyncio.ensure_future(runtime.run())
    try:
        await service.until(lambda: len(service.snapshots) == 1)
        yield runtime
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def test_a_polled_backend_starts_and_stops_runs(service: FakeLauncherService, tmp_path: Path) -> None:
    run = a_run("")

    async with a_launcher(service, tmp_path):
        await service.offer(run)
        await service.until_state(run.offer.run_id, RunState.RUN_STATE_RUNNING)
        await service.stop_run(run.offer.run_id, EndReason.END_REASON_PREEMPTED, grace_ms=0)
        end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_PREEMPTED
    assert service.tokens == {"Bearer a-token"}


async def test_a_backend_that_cannot_fence_takes_no_run_of_a_self_fencing_pool(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    fenced, other = a_run(""), a_run("")
    other.offer.placement.assignments[0].pool_id = "other"
    service.pools = {POOL: a_pool(nodes=3, self_fencing=True), "other": a_pool()}

    async with a_launcher(service, tmp_path):
        await service.offer(fenced)
        await service.offer(other)
        await service.until_state(other.offer.run_id, RunState.RUN_STATE_RUNNING)

    status = next(said.pool_status for said in service.snapshots[0] if said.pool_status.pool_id == POOL)
    assert list(status.unavailable_nodes) == ["0", "1", "2"]
    assert fenced.claims == 0


async def test_draining_stops_every_run_and_waits_until_the_service_knows(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    run = a_run("")

    async with a_launcher(service, tmp_path) as runtime:
        await service.offer(run)
        await service.until_state(run.offer.run_id, RunState.RUN_STATE_RUNNING)
        await runtime.drain()

    assert run.end is not None
    assert run.end.end_reason == EndReason.END_REASON_INFRASTRUCTURE
