"""What goes wrong around a launcher for a moment does not end it."""

import asyncio
from pathlib import Path

import pytest
import trustme

from placewright.launcher.calls import Access, LauncherCalls
from placewright.settings import Tls
from placewright.v1.job_pb2 import EndReason, RunState
from tests.unit.launcher.fake_launcher_service import FakeLauncherService
from tests.unit.launcher.launcher_builders import LAUNCHER, a_pool, a_run
from tests.unit.launcher.own_backend import a_launcher

RUNNING = RunState.RUN_STATE_RUNNING
READS = 3


class AbsentToken:
    """A token whose file can be absent."""

    def __init__(self) -> None:
        self.is_absent = False
        self._reads = asyncio.Semaphore(0)

    def __call__(self) -> str:
        if self.is_absent:
            self._reads.release()
            raise FileNotFoundError("no token file")
        return "a-token"

    async def until_missed(self) -> None:
        """Wait until it was wanted some times."""
        for _ in range(READS):
            await self._reads.acquire()
        self.is_absent = False


@pytest.fixture
def token() -> AbsentToken:
    return AbsentToken()


async def test_a_claim_is_tried_again_when_the_token_is_absent_for_a_moment(
    service: FakeLauncherService, tmp_path: Path, token: AbsentToken
) -> None:
    run = a_run("")
    async with a_launcher(service, tmp_path, token=token):
        await service.until(lambda: len(service.snapshots) == 1)
        token.is_absent = True

        await service.offer(run)
        await token.until_missed()

        await service.until_state(run.offer.run_id, RUNNING)
    assert run.claims == 1


async def test_a_session_is_opened_again_when_the_token_is_absent_for_a_moment(
    service: FakeLauncherService, tmp_path: Path, token: AbsentToken
) -> None:
    async with a_launcher(service, tmp_path, token=token):
        await service.until(lambda: len(service.snapshots) == 1)
        token.is_absent = True

        await service.break_stream()
        await token.until_missed()

        await service.until(lambda: len(service.snapshots) == 2)


async def test_renewals_go_on_when_the_token_was_absent_for_a_moment(
    service: FakeLauncherService, tmp_path: Path, token: AbsentToken
) -> None:
    service.lease_ms = 1_000
    async with a_launcher(service, tmp_path, token=token):
        await service.until(lambda: service.renewals > 0)
        token.is_absent = True

        await token.until_missed()

        renewals = service.renewals
        await service.until(lambda: service.renewals > renewals)


async def test_reports_go_on_when_the_token_was_absent_for_a_moment(
    service: FakeLauncherService, tmp_path: Path, token: AbsentToken
) -> None:
    run = a_run("")
    async with a_launcher(service, tmp_path, token=token) as launcher:
        await service.offer(run)
        await service.until_state(run.offer.run_id, RUNNING)
        token.is_absent = True

        launcher.backend.end(run.offer.run_id)
        await token.until_missed()

        await service.until_ended(run.offer.run_id)


async def test_a_backend_that_fails_for_a_moment_is_asked_again(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    run = a_run("")
    async with a_launcher(service, tmp_path) as launcher:
        await service.offer(run)
        await service.until_state(run.offer.run_id, RUNNING)
        launcher.backend.failures.update(observe=2, next_changes=2, stop=2)

        await service.stop_run(run.offer.run_id, EndReason.END_REASON_MOVED, grace_ms=0)
        end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_MOVED
    assert launcher.backend.failures == {"observe": 0, "next_changes": 0, "stop": 0}


async def test_a_run_is_adopted_though_it_cannot_be_looked_at_at_first(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    run = a_run("")
    async with a_launcher(service, tmp_path) as launcher:
        await service.offer(run)
        await service.until_state(run.offer.run_id, RUNNING)
    run.states.clear()

    backend = launcher.backend
    backend.failures["observe"] = 1
    async with a_launcher(service, tmp_path, backend=backend):
        await service.until_state(run.offer.run_id, RUNNING)

    assert backend.failures == {"observe": 0}


async def test_remains_that_cannot_be_cleared_keep_no_run(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    run, other = a_run(""), a_run("")
    async with a_launcher(service, tmp_path) as launcher:
        await service.offer(run)
        await service.until_state(run.offer.run_id, RUNNING)
        launcher.backend.failures["forget"] = 1

        launcher.backend.end(run.offer.run_id)
        await service.until_ended(run.offer.run_id)
        await service.offer(other)
        await service.until_state(other.offer.run_id, RUNNING)

        assert launcher.backend.failures == {"forget": 0}
        assert not (tmp_path / "runs" / run.offer.run_id).exists()


async def test_certificates_that_are_absent_for_a_moment_keep_the_connection(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca_file))
    calls = LauncherCalls("localhost:1", LAUNCHER, access=Access(tls=Tls(ca_file=str(ca_file))))
    ca_file.unlink()

    calls.reconnect()

    calls.attach().cancel()  # a closed connection would refuse it
    await calls.close()


async def test_a_launcher_gets_to_a_replica_that_answers_though_another_is_named_first(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    unable = FakeLauncherService()
    unable.pools = {"pool-a": a_pool()}
    unable.is_opening = False
    await unable.start()

    both = f"ipv4:{unable.address},{service.address}"
    async with a_launcher(service, tmp_path, address=both):
        await service.until(lambda: len(service.snapshots) == 1)

    await unable.stop()
