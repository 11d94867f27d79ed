"""The launcher lease: renewed in time, and what happens to tasks when it is not."""

import asyncio
from pathlib import Path

import pytest

from placewright.launcher.lease import Lease, now_ns
from placewright.v1.job_pb2 import EndReason, RunState
from tests.unit.launcher.conftest import Launchers
from tests.unit.launcher.fake_launcher_service import FakeLauncherService
from tests.unit.launcher.launcher_builders import POOL, a_pool, a_run

RUNNING = RunState.RUN_STATE_RUNNING
STUBBORN = "trap '' TERM; echo started; while :; do sleep 0.01; done"
NS_PER_S = 1_000_000_000


def lease_end_ns(launchers: Launchers) -> int:
    return int((launchers.state_dir / "lease").read_text().split()[2])


async def test_a_self_fencing_run_is_dead_before_the_lease_ends_when_the_launcher_was_killed(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    service.lease_ms = 2_000
    service.pools[POOL] = a_pool(self_fencing=True)
    run = a_run(STUBBORN, grace_ms=3_600_000)
    service.runs[run.offer.run_id] = run
    process = launchers.spawn()
    await launchers.until_logged(run.offer.run_id, "started")

    process.kill()
    await asyncio.to_thread(process.wait)
    await launchers.until(lambda: not launchers.is_anything_alive(run.offer.run_id))

    assert now_ns() < lease_end_ns(launchers)
    await launchers.start()
    end = await service.until_ended(run.offer.run_id)
    assert end.end_reason == EndReason.END_REASON_INFRASTRUCTURE
    assert "lease ran out" in end.message


async def test_renewals_keep_a_self_fencing_run_alive_and_an_outage_stops_it(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    service.lease_ms = 1_000
    service.pools[POOL] = a_pool(self_fencing=True)
    await launchers.start()
    run = a_run(STUBBORN)
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)

    before = service.renewals
    await service.until(lambda: service.renewals > before + 5)
    was_alive = launchers.is_anything_alive(run.offer.run_id)
    service.is_renewing = service.is_opening = False
    await launchers.until(lambda: not launchers.is_anything_alive(run.offer.run_id))
    died_at_ns = now_ns()

    assert was_alive
    assert died_at_ns < lease_end_ns(launchers)


async def test_tasks_of_a_pool_without_self_fencing_run_through_any_outage(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    service.lease_ms = 1_000
    await launchers.start()
    run = a_run(STUBBORN)
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)

    service.is_renewing = False
    await service.stop()
    await launchers.until(lambda: now_ns() > lease_end_ns(launchers) + NS_PER_S // 2)
    is_alive = launchers.is_anything_alive(run.offer.run_id)
    service.is_renewing = True
    await service.start()
    sessions = service.sessions
    await service.until(lambda: len(service.snapshots) > sessions)

    assert is_alive
    (adopted,) = (said.run for said in service.snapshots[-1] if said.HasField("run"))
    assert adopted.state == RUNNING


async def test_a_replica_that_refuses_renewals_is_left_before_the_lease_ends(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    service.lease_ms = 4_000
    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 1)
    ends_at_ns = lease_end_ns(launchers)

    service.is_renewing = False
    await service.until(lambda: service.sessions == 2)

    assert now_ns() < ends_at_ns
    assert len(set(service.peers)) == 2


async def test_a_lease_that_lapsed_gets_a_new_epoch_and_one_renewed_in_time_keeps_it(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "lease")
    lease.renew(sent_at_ns=now_ns(), duration_ns=60 * NS_PER_S)
    first = lease.epoch
    lease.renew(sent_at_ns=now_ns(), duration_ns=60 * NS_PER_S)
    second = lease.epoch
    lease.renew(sent_at_ns=now_ns() - 120 * NS_PER_S, duration_ns=60 * NS_PER_S)
    lease.renew(sent_at_ns=now_ns(), duration_ns=60 * NS_PER_S)

    assert (second, lease.epoch) == (first, first + 1)
    assert Lease(tmp_path / "lease").epoch == lease.epoch


@pytest.mark.parametrize("content", [None, b"", b"1 2", b"1 2 thr", b"\xff\xfe\xfd"])
def test_a_lease_file_that_cannot_be_read_is_a_lease_that_lapsed(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "lease"
    before = Lease(path)
    before.renew(sent_at_ns=now_ns(), duration_ns=60 * NS_PER_S)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    after = Lease(path)
    after.renew(sent_at_ns=now_ns(), duration_ns=60 * NS_PER_S)

    assert after.epoch > before.epoch
    assert Lease(path).epoch == after.epoch


def test_a_lease_that_could_not_be_written_is_renewed_sooner(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "missing" / "lease")

    lease.renew(sent_at_ns=0, duration_ns=60 * NS_PER_S)
    unwritten_renew_at_ns = lease.renew_at_ns
    lease.path.parent.mkdir()
    lease.renew(sent_at_ns=0, duration_ns=60 * NS_PER_S)

    assert (unwritten_renew_at_ns, lease.renew_at_ns) == (3 * NS_PER_S, 20 * NS_PER_S)


@pytest.mark.parametrize(("duration_s", "margin_s"), [(1, 0.25), (300, 10)])
def test_stopping_begins_a_margin_before_the_lease_ends(
    tmp_path: Path, duration_s: int, margin_s: float
) -> None:
    lease = Lease(tmp_path / "lease")

    lease.renew(sent_at_ns=1_000, duration_ns=duration_s * NS_PER_S)

    _, fence_at_ns, ends_at_ns = map(int, (tmp_path / "lease").read_text().split())
    assert ends_at_ns == 1_000 + duration_s * NS_PER_S
    assert ends_at_ns - fence_at_ns == margin_s * NS_PER_S


async def test_many_starts_do_not_delay_renewals(service: FakeLauncherService, launchers: Launchers) -> None:
    service.lease_ms = 6_000
    service.pools[POOL] = a_pool(devices=64, self_fencing=True)
    await launchers.start()
    runs = [a_run("exec sleep 1000") for _ in range(40)]

    for run in runs:
        await service.offer(run)
    for run in runs:
        await service.until_state(run.offer.run_id, RUNNING)
    before = service.renewals
    await service.until(lambda: service.renewals > before)

    assert [run.end for run in runs] == [None] * 40
