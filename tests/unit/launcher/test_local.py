"""The local backend by itself: devices, fences, logs."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from placewright.launcher.backend import Fence, Observation, Presence, StartRefused, StartRequest
from placewright.launcher.devices import DeviceLedger
from placewright.launcher.lease import Lease, now_ns
from placewright.launcher.local import LocalBackend, LocalOptions
from placewright.launcher.processes import Process, kill_processes_with
from placewright.launcher.supervisor import start_time
from placewright.v1 import job_pb2, pool_pb2
from placewright.v1.job_pb2 import EndReason
from tests.unit.launcher.fake_launcher_service import FakeRun
from tests.unit.launcher.launcher_builders import POOL, a_placement, a_pool, a_run

NS_PER_S = 1_000_000_000


def a_request(
    run: FakeRun, *, fence: Fence | None = None, pool: pool_pb2.PoolSpec | None = None
) -> StartRequest:
    return StartRequest(
        run_id=run.offer.run_id,
        run_token=run.token,
        job_id="cell-job",
        job_name="a-job",
        replica_index=0,
        run_number=1,
        pool_id=POOL,
        pool=pool or a_pool(),
        placement=run.offer.placement,
        command=tuple(run.payload.command),
        env=dict(run.payload.env),
        grace_s=1,
        fence=fence,
    )


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[LocalBackend]:
    local = LocalBackend(tmp_path, options=LocalOptions(working_directory=tmp_path, logs_kept_runs=2))
    yield local
    local.close()
    for directory in (tmp_path / "local").iterdir():
        kill_processes_with("PLACEWRIGHT_RUN_ID", directory.name)


def files_below(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]


async def until(backend: LocalBackend, run_id: str, presence: Presence) -> Observation:
    async with asyncio.timeout(20):
        while True:
            observation = await backend.observe(run_id)
            if observation.presence is presence:
                return observation
            await backend.next_changes([run_id])


async def ended(backend: LocalBackend, run_id: str) -> Observation:
    return await until(backend, run_id, Presence.ENDED)


async def test_a_run_claimed_before_the_lease_lapsed_starts_no_task(
    backend: LocalBackend, tmp_path: Path
) -> None:
    lease = Lease(tmp_path / "lease")
    lease.renew(sent_at_ns=now_ns(), duration_ns=60 * NS_PER_S)
    run = a_run("echo started")

    await backend.start(a_request(run, fence=Fence(lease_file=lease.path, epoch=lease.epoch - 1)))
    observation = await ended(backend, run.offer.run_id)

    assert observation.end is not None
    assert observation.end.reason == EndReason.END_REASON_INFRASTRUCTURE
    assert not (tmp_path / "logs" / run.offer.run_id / "task-0.log").exists()


async def test_a_run_whose_lease_lapses_and_is_renewed_later_stops_all_the_same(
    backend: LocalBackend, tmp_path: Path
) -> None:
    lease = Lease(tmp_path / "lease")
    lease.renew(sent_at_ns=now_ns(), duration_ns=60 * NS_PER_S)
    run = a_run("exec sleep 1000")
    await backend.start(a_request(run, fence=Fence(lease_file=lease.path, epoch=lease.epoch)))
    await until(backend, run.offer.run_id, Presence.RUNNING)

    lease.renew(sent_at_ns=now_ns() - 120 * NS_PER_S, duration_ns=60 * NS_PER_S)
    lease.renew(sent_at_ns=now_ns(), duration_ns=60 * NS_PER_S)
    words = (tmp_path / "local" / run.offer.run_id / "supervisor").read_text().split()
    Process(pid=int(words[0]), start_time=words[1]).signal(signal.SIGUSR1)
    observation = await ended(backend, run.offer.run_id)

    assert observation.end is not None
    assert "lease ran out" in observation.end.message


async def test_a_process_whose_number_was_reused_is_not_signalled() -> None:
    child = await asyncio.create_subprocess_exec("sleep", "1000")
    other = Process(pid=child.pid, start_time="1")

    other.signal(signal.SIGKILL)

    same = Process(pid=child.pid, start_time=start_time(child.pid))
    assert (other.is_alive, same.is_alive) == (False, True)
    same.signal(signal.SIGKILL)
    assert await child.wait() == -signal.SIGKILL


async def test_stopping_a_run_that_is_unknown_or_has_ended_changes_nothing(backend: LocalBackend) -> None:
    run = a_run("exit 4")
    await backend.start(a_request(run))
    before = await ended(backend, run.offer.run_id)

    await backend.stop(run.offer.run_id, reason=EndReason.END_REASON_MOVED, grace_s=0)
    await backend.stop("unknown", reason=EndReason.END_REASON_MOVED, grace_s=0)

    assert await backend.observe(run.offer.run_id) == before
    assert (await backend.observe("unknown")).presence is Presence.ABSENT


async def test_logs_of_the_newest_ended_runs_are_kept(backend: LocalBackend, tmp_path: Path) -> None:
    runs = [a_run("echo done") for _ in range(4)]
    for run in runs:
        await backend.start(a_request(run))
        await ended(backend, run.offer.run_id)

        await backend.forget(run.offer.run_id)

    kept = {path.name for path in (tmp_path / "logs").iterdir()}
    assert kept == {run.offer.run_id for run in runs[2:]}


async def test_runs_forgotten_at_once_clear_the_logs_together(backend: LocalBackend, tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / "logs" / f"old-{number}").mkdir()

    await asyncio.gather(*(backend.forget(f"unknown-{number}") for number in range(16)))

    assert len(list((tmp_path / "logs").iterdir())) == 2


async def test_logs_that_cannot_be_cleared_keep_no_run(backend: LocalBackend, tmp_path: Path) -> None:
    directory = tmp_path / "local" / "ended"
    directory.mkdir()
    (tmp_path / "logs").rmdir()

    await backend.forget("ended")

    assert not directory.exists()


@pytest.mark.parametrize("content", ["", '{"pool_id": "po', "[]", "{}", '{"tasks": 5}'])
async def test_devices_that_cannot_be_read_are_unknown_and_the_run_is_looked_at(
    tmp_path: Path, content: str
) -> None:
    directory = tmp_path / "local" / "cut"
    directory.mkdir(parents=True)
    (directory / "devices").write_text(content)

    local = LocalBackend(tmp_path)
    observation = await local.observe("cut")
    local.close()

    assert observation.presence is Presence.ABSENT


@pytest.mark.parametrize("content", ["", "123", "12 34 56", "pid start"])
async def test_a_supervisor_file_that_was_cut_is_of_no_supervisor(
    backend: LocalBackend, tmp_path: Path, content: str
) -> None:
    directory = tmp_path / "local" / "cut"
    directory.mkdir()
    (directory / "supervisor").write_text(content)

    observation = await backend.observe("cut")
    await backend.stop("cut", reason=EndReason.END_REASON_MOVED, grace_s=0)

    assert observation.presence is Presence.ABSENT


async def test_the_payload_is_never_written_to_the_disk(backend: LocalBackend, tmp_path: Path) -> None:
    run = a_run("exec sleep 1000")
    run.payload.env["PASSWORD"] = "open-sesame"

    await backend.start(a_request(run))
    await until(backend, run.offer.run_id, Presence.RUNNING)

    contents = files_below(tmp_path)
    assert contents
    assert not any(b"open-sesame" in content for content in contents)


async def test_the_launchers_own_variables_are_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACEWRIGHT_TOKEN", "secret")
    monkeypatch.setenv("INHERITED", "yes")
    local = LocalBackend(tmp_path)
    run = a_run("echo token=$PLACEWRIGHT_TOKEN inherited=$INHERITED")

    await local.start(a_request(run))
    await ended(local, run.offer.run_id)

    assert (tmp_path / "logs" / run.offer.run_id / "task-0.log").read_text() == "token= inherited=yes\n"
    local.close()


async def test_a_hint_wakes_the_launcher_at_once(backend: LocalBackend, tmp_path: Path) -> None:
    await backend.next_changes([])  # the first look is at all runs

    descriptor = os.open(tmp_path / "hints", os.O_WRONLY)
    os.write(descriptor, b"run-1\nrun-2\nru")
    hinted = await backend.next_changes(["run-1"])
    os.write(descriptor, b"n-3\n")
    later = await backend.next_changes(["run-1"])
    os.close(descriptor)

    assert (hinted, later) == ({"run-1", "run-2"}, {"run-3"})


def test_devices_are_taken_in_aligned_blocks_and_given_back() -> None:
    ledger = DeviceLedger()
    pool = a_pool(nodes=1, devices=8)

    one = ledger.take("one", a_run("", devices=1).offer.placement, pool=pool)
    four = ledger.take("four", a_run("", devices=4).offer.placement, pool=pool)
    ledger.release("four")
    two_twos = ledger.take("two", a_run("", tasks=2, devices=2).offer.placement, pool=pool)

    assert [task.devices for task in one] == [(0,)]
    assert [task.devices for task in four] == [(4, 5, 6, 7)]
    assert [task.devices for task in two_twos] == [(2, 3), (4, 5)]


def test_a_refused_run_takes_no_devices() -> None:
    ledger = DeviceLedger()
    pool = a_pool(nodes=1, devices=8)

    with pytest.raises(StartRefused, match="must have 4 free devices for a task, has 0 of 8"):
        ledger.take("big", a_run("", tasks=3, devices=4).offer.placement, pool=pool)

    assert len(ledger.take("whole", a_run("", devices=8).offer.placement, pool=pool)) == 1


def test_each_host_of_a_slice_has_its_devices_to_itself() -> None:
    pool = pool_pb2.PoolSpec(slice_groups=[pool_pb2.SliceGroup(slices=2, topology="2x2x2")])
    placement = a_placement(tasks=2, devices=4, node="1")

    tasks = DeviceLedger().take("sliced", placement, pool=pool)

    assert [(task.node, task.devices) for task in tasks] == [("1", (0, 1, 2, 3)), ("1", (0, 1, 2, 3))]


def test_a_node_that_the_pool_does_not_name_has_no_devices() -> None:
    with pytest.raises(StartRefused, match="node rack-7 of pool pool-a must have 1 free devices"):
        DeviceLedger().take("lost", a_placement(node="rack-7"), pool=a_pool())


@pytest.mark.parametrize(("groups", "pools"), [(2, 1), (0, 1), (1, 2), (0, 0)])
def test_a_placement_that_is_not_one_group_on_one_pool_is_refused(groups: int, pools: int) -> None:
    group = a_placement().assignments[0].task_groups[0]
    assignment = job_pb2.PoolAssignment(pool_id=POOL, task_groups=[group] * groups)
    placement = job_pb2.Placement(assignments=[assignment] * pools)

    with pytest.raises(StartRefused, match="must be one task group on one pool"):
        DeviceLedger().take("odd", placement, pool=a_pool())


async def test_devices_that_an_earlier_launcher_saved_by_node_number_stay_taken(tmp_path: Path) -> None:
    directory = tmp_path / "local" / "adopted"
    directory.mkdir(parents=True)
    saved = {"pool_id": POOL, "tasks": [[0, [0, 1, 2, 3]]], "spawned_at_ns": 0}
    (directory / "devices").write_text(json.dumps(saved))
    local = LocalBackend(tmp_path, options=LocalOptions(working_directory=tmp_path))
    run = a_run("", tasks=2, devices=4)

    with pytest.raises(StartRefused, match="has 0 of 8"):
        await local.start(a_request(run))
    local.close()


async def test_a_run_stopped_for_a_reason_that_this_launcher_does_not_know_ends_with_it(
    backend: LocalBackend,
) -> None:
    run = a_run("exec sleep 1000")
    await backend.start(a_request(run))
    await until(backend, run.offer.run_id, Presence.RUNNING)
    newer_reason = cast("EndReason", 99)

    await backend.stop(run.offer.run_id, reason=newer_reason, grace_s=1)
    observation = await ended(backend, run.offer.run_id)

    assert observation.end is not None
    assert observation.end.reason == newer_reason
