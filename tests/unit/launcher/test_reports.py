"""Reports: which answers are final, and that one that never gets through delays no other."""

import asyncio
import random
from pathlib import Path

import pytest
from grpc import StatusCode

from placewright.launcher.tuning import Tuning
from placewright.v1.job_pb2 import RunState
from placewright.v1.launcher_service_pb2 import RunReport
from tests.unit.launcher.fake_launcher_service import FakeLauncherService, FakeRun
from tests.unit.launcher.launcher_builders import a_run
from tests.unit.launcher.own_backend import a_launcher

STARTING = RunState.RUN_STATE_STARTING
RUNNING = RunState.RUN_STATE_RUNNING
ENDED = RunState.RUN_STATE_ENDED
SOON_S = 5.0


def a_pair() -> tuple[FakeRun, FakeRun]:
    return a_run(""), a_run("")


@pytest.mark.parametrize("state", [RUNNING, ENDED])
@pytest.mark.parametrize("code", [StatusCode.UNAVAILABLE, StatusCode.INTERNAL, StatusCode.RESOURCE_EXHAUSTED])
async def test_a_report_refused_for_the_moment_is_made_again(
    service: FakeLauncherService, tmp_path: Path, code: StatusCode, state: RunState
) -> None:
    run = a_run("")
    service.code_of_report = lambda report: (
        code if report.state == state and len(service.refused) < 3 else None
    )

    async with a_launcher(service, tmp_path) as launcher:
        await service.offer(run)
        if state == ENDED:
            await service.until_state(run.offer.run_id, RUNNING)
            launcher.backend.end(run.offer.run_id)
        await service.until_state(run.offer.run_id, state)

    assert len(service.refused) == 3


@pytest.mark.parametrize("state", [RUNNING, ENDED])
@pytest.mark.parametrize("code", [StatusCode.FAILED_PRECONDITION, StatusCode.INVALID_ARGUMENT])
async def test_a_report_refused_for_good_is_not_made_again_in_the_session(
    service: FakeLauncherService, tmp_path: Path, code: StatusCode, state: RunState
) -> None:
    run, other = a_pair()

    def refuse(report: RunReport) -> StatusCode | None:
        return code if (report.run_id, report.state) == (run.offer.run_id, state) else None

    service.code_of_report = refuse
    async with a_launcher(service, tmp_path) as launcher:
        await service.offer(run)
        if state == ENDED:
            await service.until_state(run.offer.run_id, RUNNING)
            launcher.backend.end(run.offer.run_id)
        await service.until(lambda: len(service.refused) == 1)
        await service.offer(other)
        await service.until_state(other.offer.run_id, RUNNING)
        refusals = len(service.refused)
        service.is_taking_held_runs = False
        await service.break_stream()
        await service.until(lambda: len(service.refused) == 2)

    assert refusals == 1


async def test_a_held_run_whose_report_in_the_full_state_was_refused_is_reported_again(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    starting, running = a_pair()
    async with a_launcher(service, tmp_path) as launcher:
        launcher.backend.stays_starting.add(starting.offer.run_id)
        for run in (starting, running):
            await service.offer(run)
        await service.until_state(running.offer.run_id, RUNNING)
        await service.until(lambda: starting.claims == 1)

        service.is_taking_held_runs = False
        running.states.clear()
        await service.break_stream()

        await service.until_state(running.offer.run_id, RUNNING)
        await service.until_state(starting.offer.run_id, STARTING)


async def test_a_report_that_is_refused_again_and_again_delays_no_other(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    refused, other = a_pair()
    service.code_of_report = lambda report: (
        StatusCode.UNAVAILABLE if (report.run_id, report.state) == (refused.offer.run_id, ENDED) else None
    )
    tuning = Tuning(retry_s_min=30, retry_s_max=30, jitter=random.Random(1))

    async with a_launcher(service, tmp_path, tuning=tuning) as launcher:
        await service.offer(refused)
        await service.until_state(refused.offer.run_id, RUNNING)
        launcher.backend.end(refused.offer.run_id)
        await service.until(lambda: len(service.refused) == 1)
        await service.offer(other)
        async with asyncio.timeout(SOON_S):
            await service.until_state(other.offer.run_id, RUNNING)


async def test_draining_does_not_wait_for_an_end_that_the_service_refused_for_good(
    service: FakeLauncherService, tmp_path: Path
) -> None:
    run = a_run("")
    service.code_of_report = lambda report: StatusCode.FAILED_PRECONDITION if report.state == ENDED else None

    async with a_launcher(service, tmp_path) as launcher:
        await service.offer(run)
        await service.until_state(run.offer.run_id, RUNNING)
        async with asyncio.timeout(SOON_S):
            await launcher.runtime.drain()

    assert run.end is None
