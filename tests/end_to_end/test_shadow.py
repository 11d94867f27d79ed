"""Shadow mode with real processes: alone, beside a live service, and when that one comes and goes."""

import re
from pathlib import Path

import pytest

from placewright import Job, JobHandle
from placewright.words import DeferralReason
from scheduler.bench.replicas import replicas
from scheduler.bench.running_cell import WITHIN_S, a_cell, a_pool, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PLANNED = 'placewright_shadow_placements{side="planned"}'
PLANNED_IN_POOL = 'placewright_shadow_pool_accelerators{pool="own",side="planned"}'
RUNNING = 'placewright_shadow_accelerators{side="running"}'


def a_job(name: str, accelerators: str = "h100:4") -> Job:
    return Job(name=name, accelerators=accelerators, command=["sleep", "600"])


def waits_for(handle: JobHandle) -> DeferralReason | None:
    deferral = handle.refresh().replicas[0].deferral
    return None if deferral is None else deferral.reason


def test_a_shadow_places_nothing_until_the_service_runs_for_real(tmp_path: Path) -> None:
    with a_cell(tmp_path, a_pool("own", nodes=1)) as cell, replicas(cell) as running:
        shadow = running.add("shadow", "serve", env={"PLACEWRIGHT_SHADOW": "1"})
        shadow.start()
        cell.start_launcher()
        cell.wait_until_ready()
        with shadow.client() as client:
            job = client.submit(a_job("fits"))
            too_big = client.submit(a_job("too-big", "h100:8x8"))
            wait_until(lambda: waits_for(job) is DeferralReason.SHADOW, "it is told that it is shadowed")
            deferral = job.job.replicas[0].deferral
            assert deferral is not None
            assert deferral.pool_id == "own"
            wait_until(lambda: waits_for(too_big) is DeferralReason.FITS_NO_POOL, "the other is explained")
            wait_until(lambda: shadow.metric(PLANNED) == 1, "a plan is counted")
            assert shadow.metric(PLANNED_IN_POOL) == 4
            assert shadow.metric(RUNNING) == 0
            assert job.refresh().replicas[0].runs == 0
            assert re.search(r'"shadow_plan".*"own"|"own".*"shadow_plan"', shadow.log.read_text())

        live = running.add("live", "serve")
        live.start()
        with live.client() as client:
            client.handle(job.job_id).wait("running", timeout=WITHIN_S)
            assert live.leads()
            client.submit(a_job("second")).wait("running", timeout=WITHIN_S)
            client.submit(a_job("third", "h100:8"))
            wait_until(lambda: shadow.metric(RUNNING) == 8, "the shadow compares with what runs")
        assert live.leads()
        shadow.stop()
