"""A launcher that comes back: it adopts what lives, and never starts a run a second time."""

import asyncio
import marshal
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from placewright.launcher import supervisor
from placewright.launcher.backend import End
from placewright.launcher.files import make_directory_durably
from placewright.launcher.notes import Notes, StateDirectoryInUse
from placewright.v1.job_pb2 import EndReason, RunState
from tests.unit.launcher.conftest import Launchers
from tests.unit.launcher.fake_launcher_service import FakeLauncherService, FakeRun
from tests.unit.launcher.launcher_builders import LAUNCHER, a_run

RUNNING = RunState.RUN_STATE_RUNNING
FOREVER = "echo started; exec sleep 1000"


def have_claims(runs: list[FakeRun], claims: int) -> bool:
    return sum(run.claims for run in runs) >= claims


async def test_a_run_lives_through_a_restart_and_its_exit_code_is_known(
    service: FakeLauncherService, launchers: Launchers, tmp_path: Path
) -> None:
    await launchers.start()
    signal_file = tmp_path / "go"
    run = a_run(f"echo started; until [ -e {signal_file} ]; do sleep 0.01; done; exit 9")
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)

    await launchers.stop()
    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 2)
    (adopted,) = (said.run for said in service.snapshots[1] if said.HasField("run"))
    signal_file.touch()
    end = await service.until_ended(run.offer.run_id)

    assert adopted.state == RUNNING
    assert adopted.run_token == run.token
    assert (end.end_reason, end.exit_code) == (EndReason.END_REASON_USER_ERROR, 9)
    assert launchers.log_of(run.offer.run_id) == "started\n"


async def test_a_run_that_ended_while_the_launcher_was_away_is_reported_as_it_ended(
    service: FakeLauncherService, launchers: Launchers, tmp_path: Path
) -> None:
    await launchers.start()
    signal_file = tmp_path / "go"
    run = a_run(f"until [ -e {signal_file} ]; do sleep 0.01; done; exit 5")
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)

    await launchers.stop()
    signal_file.touch()
    await launchers.until(lambda: (launchers.state_dir / "local" / run.offer.run_id / "exit").exists())
    await launchers.start()
    end = await service.until_ended(run.offer.run_id)

    assert (end.end_reason, end.exit_code) == (EndReason.END_REASON_USER_ERROR, 5)


async def test_an_adopted_run_can_be_stopped(service: FakeLauncherService, launchers: Launchers) -> None:
    await launchers.start()
    run = a_run(FOREVER)
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)

    await launchers.stop()
    await launchers.start()
    await service.stop_run(run.offer.run_id, EndReason.END_REASON_MOVED, grace_ms=1_000)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_MOVED


async def test_adopted_runs_keep_their_devices(service: FakeLauncherService, launchers: Launchers) -> None:
    await launchers.start()
    first = a_run(FOREVER, devices=4)
    await service.offer(first)
    await service.until_state(first.offer.run_id, RUNNING)

    await launchers.stop()
    await launchers.start()
    second = a_run("echo devices $PLACEWRIGHT_DEVICES", devices=4)
    await service.offer(second)
    await service.until_ended(second.offer.run_id)

    assert launchers.log_of(second.offer.run_id) == "devices 4,5,6,7\n"


@pytest.mark.parametrize(
    ("step", "reason", "starts"),
    [
        ("noted", EndReason.END_REASON_SUCCEEDED, 1),
        ("claim_answered", EndReason.END_REASON_INFRASTRUCTURE, 0),
        ("claim_noted", EndReason.END_REASON_INFRASTRUCTURE, 0),
        ("marked", EndReason.END_REASON_INFRASTRUCTURE, 0),
        ("started", EndReason.END_REASON_SUCCEEDED, 1),
    ],
)
async def test_a_launcher_killed_at_any_step_never_starts_a_run_twice(
    service: FakeLauncherService,
    launchers: Launchers,
    tmp_path: Path,
    step: str,
    reason: EndReason,
    starts: int,
) -> None:
    starts_file = tmp_path / "starts"
    run = a_run(f"echo started >> {starts_file}")
    service.runs[run.offer.run_id] = run
    process = launchers.spawn(crash_at=step)
    assert await asyncio.to_thread(process.wait, 20) == -signal.SIGKILL

    await launchers.start()
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == reason
    assert (starts_file.read_text().count("started") if starts_file.exists() else 0) == starts


async def test_a_note_that_was_cut_short_does_not_keep_the_run_from_being_started(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    run = a_run("exit 0")
    service.runs[run.offer.run_id] = run
    launchers.notes_of(run.offer.run_id).mkdir(parents=True)

    await launchers.start()
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_SUCCEEDED


async def test_however_often_the_launcher_is_killed_each_run_is_started_at_most_once_and_ends(
    service: FakeLauncherService, launchers: Launchers, tmp_path: Path
) -> None:
    starts_dir = tmp_path / "starts"
    starts_dir.mkdir()
    runs = [a_run(f"echo started >> {starts_dir}/$PLACEWRIGHT_RUN_ID") for _ in range(24)]
    for offered, claims in ((6, 3), (12, 8), (18, 15)):
        service.runs = {run.offer.run_id: run for run in runs[:offered]}
        process = launchers.spawn()
        await service.until(partial(have_claims, runs, claims))
        process.kill()
        await asyncio.to_thread(process.wait)

    service.runs = {run.offer.run_id: run for run in runs}
    await launchers.start()
    ends = [await service.until_ended(run.offer.run_id) for run in runs]

    starts = {path.name: path.read_text().count("started") for path in starts_dir.iterdir()}
    assert set(starts.values()) == {1}
    succeeded = {end.run_id for end in ends if end.end_reason == EndReason.END_REASON_SUCCEEDED}
    assert succeeded == set(starts)
    assert {end.end_reason for end in ends} <= {
        EndReason.END_REASON_SUCCEEDED,
        EndReason.END_REASON_INFRASTRUCTURE,
    }


async def test_a_supervisor_that_comes_too_late_starts_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    make_directory_durably(directory)
    assert supervisor.link_identity(str(directory), "0 void")

    process = await asyncio.create_subprocess_exec(
        "python3", "-I", "-S", supervisor.__file__, str(directory), stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(marshal.dumps({"anything": "at all"}))

    assert process.returncode == 0
    assert [path.name for path in directory.iterdir()] == ["supervisor"]


async def test_when_the_supervisor_is_killed_so_are_the_tasks_and_the_run_ends(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("(setsid sleep 1000 &) ; exec sleep 1000", tasks=2)
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)
    identity = (launchers.state_dir / "local" / run.offer.run_id / "supervisor").read_text()

    os.kill(int(identity.split()[0]), signal.SIGKILL)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_INFRASTRUCTURE
    assert not launchers.is_anything_alive(run.offer.run_id)


async def test_a_claimed_run_that_the_launcher_surely_does_not_hold_is_ended(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 1)
    run = a_run(FOREVER)
    run.take_claim("another session")

    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_INFRASTRUCTURE
    assert run.claims == 0


async def test_a_claimed_run_unknown_to_a_new_state_directory_is_left_alone(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run(FOREVER)
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)
    await launchers.stop()
    shutil.rmtree(launchers.state_dir / "runs")
    (launchers.state_dir / "launcher.json").unlink()

    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 2)
    await launchers.stop()
    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 3)

    assert run.end is None
    assert launchers.is_anything_alive(run.offer.run_id)


async def test_a_run_that_is_released_is_stopped_even_when_a_new_state_directory_lacks_it(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run, other = a_run(FOREVER, grace_ms=100), a_run(FOREVER)
    for started in (run, other):
        await service.offer(started)
        await service.until_state(started.offer.run_id, RUNNING)
    await launchers.stop()
    shutil.rmtree(launchers.state_dir / "runs")
    (launchers.state_dir / "launcher.json").unlink()

    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 2)
    await service.release(run.offer.run_id)
    await launchers.until(lambda: not launchers.is_anything_alive(run.offer.run_id))

    assert launchers.is_anything_alive(other.offer.run_id)


async def test_a_run_whose_notes_lack_the_token_is_adopted_with_the_one_that_the_service_says(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run(FOREVER)
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)
    await launchers.stop()
    (launchers.notes_of(run.offer.run_id) / "claim.json").write_text('{"job_id": "cell-job"}')

    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 2)
    (adopted,) = (said.run for said in service.snapshots[1] if said.HasField("run"))
    await service.stop_run(run.offer.run_id, EndReason.END_REASON_MOVED, grace_ms=1_000)
    end = await service.until_ended(run.offer.run_id)

    assert (adopted.state, adopted.run_token) == (RUNNING, run.token)
    assert end.end_reason == EndReason.END_REASON_MOVED
    assert (run.claims, service.stale_reports) == (1, 0)


def test_notes_that_say_less_are_readable(tmp_path: Path) -> None:
    notes = Notes(tmp_path, launcher_id=LAUNCHER)
    for run_id, name, content in (
        ("run-1", "claim.json", '{"job_id": "cell-job"}'),
        ("run-2", "started", ""),
        ("run-3", "end.json", '{"reason": "END_REASON_SUCCEEDED"}'),
    ):
        make_directory_durably(tmp_path / "runs" / run_id)
        (tmp_path / "runs" / run_id / name).write_text(content)

    claimed, started, ended = notes.saved_runs()

    assert (claimed.is_claimed, claimed.run_token, claimed.is_started) == (True, 0, False)
    assert (started.is_claimed, started.run_token, started.is_started) == (True, 0, True)
    assert (ended.run_token, ended.end) == (0, End(reason=EndReason.END_REASON_SUCCEEDED))
    notes.close()


async def test_a_state_directory_serves_one_launcher_at_a_time_and_one_id_for_ever(tmp_path: Path) -> None:
    notes = Notes(tmp_path, launcher_id=LAUNCHER)

    with pytest.raises(StateDirectoryInUse, match="another launcher runs"):
        Notes(tmp_path, launcher_id=LAUNCHER)
    notes.close()
    with pytest.raises(StateDirectoryInUse, match=f"belongs to launcher {LAUNCHER}, got other"):
        Notes(tmp_path, launcher_id="other")


def test_a_run_id_that_is_no_id_is_never_a_path(tmp_path: Path) -> None:
    notes = Notes(tmp_path, launcher_id=LAUNCHER)

    with pytest.raises(ValueError, match="run_id must match"):
        notes.note("../escaped", pool_id="pool-a")

    notes.close()
