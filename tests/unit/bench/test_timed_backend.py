"""Runs that are only times end by themselves, as told, or when their lease runs out."""

from pathlib import Path

from placewright.launcher.backend import ABSENT, Fence, Presence, StartRequest
from placewright.v1.job_pb2 import EndReason, Placement
from placewright.v1.pool_pb2 import PoolSpec
from scheduler.bench.ledger import Ledger, alive_together
from scheduler.bench.timed_backend import TimedBackend, job_environment, now_ns

FAR_NS = 10**18


def a_request(*, seconds: float | None = None, fence: Fence | None = None, tasks: int = 1) -> StartRequest:
    placement = Placement()
    placement.assignments.add(pool_id="pool").task_groups.add(tasks=tasks)
    return StartRequest(
        run_id="job-0-1", run_token=1, job_id="job", job_name="job", replica_index=0, run_number=1,
        pool_id="pool", pool=PoolSpec(), placement=placement, command=("train",),
        env={} if seconds is None else job_environment(seconds), grace_s=1.0, fence=fence,
    )  # fmt: skip


async def test_a_run_ends_by_itself_and_the_ledger_knows_each_task(tmp_path: Path) -> None:
    backend = TimedBackend(Ledger(tmp_path / "ledger"))
    await backend.start(a_request(seconds=0.0, tasks=2))

    found = await backend.observe("job-0-1")

    assert found.end is not None
    assert found.end.reason == EndReason.END_REASON_SUCCEEDED
    assert [entry.what for entry in backend.ledger.entries()] == ["start", "start", "end"]


async def test_a_run_without_a_time_lasts_until_it_is_stopped(tmp_path: Path) -> None:
    backend = TimedBackend(Ledger(tmp_path / "ledger"))
    await backend.start(a_request())
    assert (await backend.observe("job-0-1")).presence is Presence.RUNNING

    for _ in range(2):
        await backend.stop("job-0-1", reason=EndReason.END_REASON_CANCELLED, grace_s=1.0)

    found = await backend.observe("job-0-1")
    assert found.end is not None
    assert found.end.reason == EndReason.END_REASON_CANCELLED
    assert len(backend.ledger.entries()) == 2
    await backend.forget("job-0-1")
    assert await backend.observe("job-0-1") == ABSENT


async def test_a_lease_that_ran_out_while_nobody_looked_ended_the_run_then(tmp_path: Path) -> None:
    lease = tmp_path / "lease"
    backend, fenced_at_ns = TimedBackend(Ledger(tmp_path / "ledger")), now_ns() + 50_000_000
    lease.write_text(f"1 {fenced_at_ns} {FAR_NS}\n")
    await backend.start(a_request(fence=Fence(lease_file=lease, epoch=1)))
    assert (await backend.observe("job-0-1")).presence is Presence.RUNNING

    lease.write_text(f"2 {FAR_NS} {FAR_NS}\n")  # renewed, too late
    while (found := await backend.observe("job-0-1")).end is None:
        await backend.next_changes(["job-0-1"])

    assert found.end.reason == EndReason.END_REASON_INFRASTRUCTURE
    assert backend.ledger.entries()[-1].at_ns == fenced_at_ns
    assert alive_together(backend.ledger.entries()) == []
