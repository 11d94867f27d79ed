"""The way of a run through the launcher: offered, claimed, started, reported, stopped."""

from google.protobuf.json_format import MessageToDict

from placewright.v1.job_pb2 import EndReason, RunState
from tests.unit.launcher.conftest import Launchers
from tests.unit.launcher.fake_launcher_service import FakeLauncherService
from tests.unit.launcher.launcher_builders import POOL, a_run

RUNNING = RunState.RUN_STATE_RUNNING


async def test_an_offered_run_is_claimed_started_and_its_success_reported(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("echo $GREETING from $PLACEWRIGHT_RUN_ID")

    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_SUCCEEDED
    assert not end.HasField("exit_code")
    assert run.claims == 1
    assert launchers.log_of(run.offer.run_id) == f"hello from {run.offer.run_id}\n"
