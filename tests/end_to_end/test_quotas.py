"""Quotas with real processes: of a fleet file, changed from the command line, kept over a restart."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from placewright import DeferralReason, Job, JobHandle
from scheduler.bench.running_cell import WITHIN_S, Cell, a_pool, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

FLEET = {
    "pools": [a_pool("own", nodes=4)],
    "cohorts": [{"name": "lab"}],
    "queues": [
        {"name": name, "cohort": "lab", "quotas": [{"resource": "h100", "nominal": 8}]}
        for name in ("borrower", "lender")
    ],
}


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(json.dumps(FLEET))  # JSON is YAML
    running = Cell(tmp_path, f"--fleet={fleet}")
    try:
        running.start_service()
        running.start_launcher()
        running.wait_until_ready()
        yield running
    finally:
        running.close()


def a_job(queue: str) -> Job:
    return Job(name="job", queue=queue, accelerators="h100:8", command=["sleep", "600"])


def placewright(cell: Cell, *arguments: str) -> str:
    """What a command that succeeds prints."""
    return subprocess.run(
        [sys.executable, "-m", "placewright.cli", *arguments],
        capture_output=True, text=True, timeout=WITHIN_S, check=True,
        env={**cell.environment, "PLACEWRIGHT_ADDRESS": cell.address},
    ).stdout  # fmt: skip


def reason_of(handle: JobHandle) -> DeferralReason | None:
    deferral = handle.refresh().replicas[0].deferral
    return None if deferral is None else deferral.reason


def test_a_job_waits_for_what_another_queue_borrowed_until_its_quota_is_raised(cell: Cell) -> None:
    with cell.client() as client:
        for _ in range(2):
            client.submit(a_job("borrower")).wait("running", timeout=WITHIN_S)
        waiting = client.submit(a_job("lender"))
        wait_until(lambda: reason_of(waiting) is DeferralReason.OVER_QUOTA, "it waits for quota")
        told = "needs 8 h100, the quota of cohort lab leaves 0 h100 of 16 h100"
        assert told in placewright(cell, "job", waiting.job_id)

        _, borrower, lender = [line.split() for line in placewright(cell, "queues").splitlines()]
        assert borrower == ["borrower", "lab", "1", "2", "0", "2", "16", "h100", "16", "8", "8", "0"]
        assert lender == ["lender", "lab", "1", "1", "1", "0", "0", "h100", "0", "8", "0", "0"]

        placewright(cell, "queue", "apply", "lender", "--cohort=lab", "--quota=h100=16,lend=0")
        waiting.wait("running", timeout=WITHIN_S)
        assert placewright(cell, "queues").splitlines()[2].split()[-4:] == ["8", "16", "0", "8"]

        placewright(cell, "queue", "delete", "borrower")
        cell.stop_service()
        cell.start_service()
        wait_until(lambda: client.get_queue("borrower").spec is not None, "the file's queue is made again")
        lent = client.get_queue("lender").spec
        assert lent is not None
        assert [(quota.nominal, quota.lending_limit) for quota in lent.quotas] == [(16, 0)]
