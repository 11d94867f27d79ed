"""The command placewright-launcher as a process."""

import asyncio
import signal
import sys
from pathlib import Path

from placewright.v1.job_pb2 import EndReason, RunState
from tests.unit.launcher.conftest import Launchers
from tests.unit.launcher.fake_launcher_service import FakeLauncherService
from tests.unit.launcher.launcher_builders import LAUNCHER, a_run

RUNNING = RunState.RUN_STATE_RUNNING


async def a_launcher_process(
    service: FakeLauncherService, launchers: Launchers, *options: str
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "placewright.launcher", "--address", service.address),
        *("--launcher-id", LAUNCHER, "--state-dir", str(launchers.state_dir), *options),
        stderr=asyncio.subprocess.PIPE,
    )


async def test_told_to_end_it_leaves_the_tasks_alone_and_the_next_one_adopts_them(
    service: FakeLauncherService, launchers: Launchers, tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("a-token\n")
    run = a_run("exec sleep 1000")
    run.payload.env["PASSWORD"] = "open-sesame"
    service.runs[run.offer.run_id] = run
    process = await a_launcher_process(service, launchers, "--token-file", str(token_file))
    await service.until_state(run.offer.run_id, RUNNING)

    process.send_signal(signal.SIGTERM)
    _, log = await process.communicate()

    assert process.returncode == 0, log
    assert b"open-sesame" not in log
    assert f"run_started run_id={run.offer.run_id}".encode() in log
    assert service.tokens == {"Bearer a-token"}
    assert launchers.is_anything_alive(run.offer.run_id)


async def test_told_to_stop_tasks_on_exit_it_reports_their_end_first(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    run = a_run("exec sleep 1000")
    service.runs[run.offer.run_id] = run
    process = await a_launcher_process(service, launchers, "--stop-tasks-on-exit")
    await service.until_state(run.offer.run_id, RUNNING)

    process.send_signal(signal.SIGTERM)
    _, log = await process.communicate()

    assert process.returncode == 0, log
    assert run.end is not None
    assert run.end.end_reason == EndReason.END_REASON_INFRASTRUCTURE
    assert not launchers.is_anything_alive(run.offer.run_id)


async def test_a_state_directory_of_another_launcher_is_refused_in_one_line(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()

    process = await a_launcher_process(service, launchers)
    _, log = await process.communicate()

    assert process.returncode == 1
    assert b"another launcher runs with state dir" in log.splitlines()[-1]


async def test_a_token_is_not_sent_in_the_clear_to_another_host(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("a-token")

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "placewright.launcher", "--address", "scheduler.example:7461"),
        *("--launcher-id", LAUNCHER, "--state-dir", str(tmp_path), "--token-file", str(token_file)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, log = await process.communicate()

    assert process.returncode == 1
    assert b"in the clear" in log.splitlines()[-1]
