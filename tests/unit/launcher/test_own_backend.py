"""A launcher of one's own against the Backend protocol, in a few lines."""

import asyncio
from pathlib import Path

from placewright.launcher.backend import ended
from placewright.launcher.tuning import Step, Tuning
from placewright.v1.job_pb2 import EndReason, RunState
from placewright.v1.launcher_service_pb2 import Ack, ServedPool
from tests.unit.launcher.fake_launcher_service import FakeLauncherService
from tests.unit.launcher.launcher_builders import POOL, a_pool, a_run
from tests.unit.launcher.own_backend import a_launcher


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
        await service.until(lambda: len(service.snapshots) == 1)

    status = next(said.pool_status for said in service.snapshots[0] if said.pool_status.pool_id == POOL)
    assert list(status.unavailable_nodes) == ["0", "1", "2"]
    assert fenced.claims == 0


async def test_draining_stops_every_run_and_waits_until_the_service_knows(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    run = a_run("")

    async with a_launcher(service, tmp_path) as launcher:
        await service.offer(run)
        await service.until_state(run.offer.run_id, RunState.RUN_STATE_RUNNING)
        await launcher.runtime.drain()

    assert run.end is not None
    assert run.end.end_reason == EndReason.END_REASON_INFRASTRUCTURE


async def test_offers_that_arrive_while_the_launcher_drains_are_left_unclaimed(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    stubborn, offered = a_run(""), a_run("")

    async with a_launcher(service, tmp_path) as launcher:
        launcher.backend.stays_starting.add(stubborn.offer.run_id)
        await service.offer(stubborn)
        await launcher.backend.until_started(stubborn.offer.run_id)
        draining = asyncio.ensure_future(launcher.runtime.drain())
        await service.offer(offered)
        await service.until(lambda: service.acknowledged == service.said)
        launcher.backend.runs[stubborn.offer.run_id] = ended(EndReason.END_REASON_INFRASTRUCTURE)
        await draining

    assert offered.claims == 0


async def test_an_offer_that_waits_to_be_claimed_when_draining_begins_is_not_claimed(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    service.is_taking_snapshots = False
    run = a_run("")
    is_noted = asyncio.Event()
    tuning = Tuning(at_step=lambda step, _: is_noted.set() if step is Step.NOTED else None)

    async with a_launcher(service, tmp_path, tuning=tuning) as launcher:
        await service.until(lambda: len(service.snapshots) == 1)
        await service.offer(run)
        await service.until(lambda: service.acknowledged == service.said)
        draining = asyncio.ensure_future(launcher.runtime.drain())
        await asyncio.sleep(0)  # let it begin
        await service.say(ack=Ack(sequence=1_000))
        await is_noted.wait()
        await service.say(served_pool=ServedPool(pool_id="another", spec=a_pool()))
        await service.until(lambda: service.snapshots[0][-1].pool_status.pool_id == "another")
        await draining

    assert run.claims == 0


async def test_a_claim_that_is_answered_while_the_launcher_drains_starts_nothing(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    service.claim_answers_to_lose = 3
    run = a_run("")

    async with a_launcher(service, tmp_path) as launcher:
        await service.offer(run)
        await service.until(lambda: run.claims == 1)
        await launcher.runtime.drain()

    assert run.end is not None
    assert run.end.end_reason == EndReason.END_REASON_INFRASTRUCTURE
    assert launcher.backend.started == []
