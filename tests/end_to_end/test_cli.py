"""The `placewright` command against a running cell: what it prints and how it exits."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scheduler.bench.running_cell import WITHIN_S, Cell, a_pool, a_running_cell, wait_until

pytestmark = pytest.mark.slow

OK, JOB_FAILED, INVALID, NOT_FOUND, UNAVAILABLE = 0, 1, 2, 3, 4
TOO_LARGE = "h100:512"


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    with a_running_cell(tmp_path_factory.mktemp("cell"), a_pool("own", nodes=1)) as running:
        yield running


def placewright(cell: Cell, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command, ended."""
    return subprocess.run(
        [sys.executable, "-m", "placewright.cli", *arguments],
        input=stdin, capture_output=True, text=True, timeout=WITHIN_S, check=False,
        env={**cell.environment, "PLACEWRIGHT_ADDRESS": cell.address},
    )  # fmt: skip


def output_of(cell: Cell, *arguments: str, stdin: str = "") -> str:
    """What a command that succeeds prints."""
    ended = placewright(cell, *arguments, stdin=stdin)
    assert ended.returncode == OK, ended
    return ended.stdout.strip()


def test_submit_and_wait_prints_the_id_of_a_job_that_succeeded(cell: Cell) -> None:
    ended = placewright(cell, "submit", "--name=good", "-a", "h100:2", "--wait", "--", "true")

    assert (ended.returncode, ended.stderr.count("succeeded")) == (OK, 1)
    job = json.loads(output_of(cell, "job", ended.stdout.strip(), "-o", "json"))
    assert (job["spec"]["name"], job["phase"]) == ("good", "succeeded")


def test_submit_and_wait_exits_with_1_when_the_job_fails(cell: Cell) -> None:
    ended = placewright(cell, "submit", "--name=bad", "-a", "h100:1", "--wait", "--", "sh", "-c", "exit 5")

    assert ended.returncode == JOB_FAILED
    assert "failed" in ended.stderr
    assert "exit code 5" in output_of(cell, "job", ended.stdout.strip())


def test_waiting_too_long_exits_with_4_and_says_why_it_waits(cell: Cell) -> None:
    arguments = ["submit", "--name=long", "-a", TOO_LARGE, "--wait", "--timeout=2s", "--", "true"]

    ended = placewright(cell, *arguments)

    assert ended.returncode == UNAVAILABLE
    assert "pending" in ended.stderr


def test_a_file_has_several_jobs_and_flags_go_before_it(cell: Cell, tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text(
        "name: first\naccelerators: [h100:1, h200:1]\ncommand: ['true']\n---\n"
        "name: second\naccelerators: h100:1\ncommand: ['true']\nestimated_duration: 2h\n"
    )

    ids = output_of(cell, "submit", str(file), "--queue=research", "--wait").split()

    listed = json.loads(output_of(cell, "jobs", "--queue=research", "-o", "json"))
    assert [job["job_id"] for job in listed] == ids
    assert [job["spec"]["name"] for job in listed] == ["first", "second"]


def test_a_job_comes_from_standard_input(cell: Cell) -> None:
    job = "name: piped\naccelerators: h100:1\ncommand: ['true']\n"

    job_id = output_of(cell, "submit", "-", stdin=job)

    assert output_of(cell, "jobs", "--name=piped", "-o", "name") == job_id


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-a", "h100:0"], "accelerators"),
        (["-a", "h100:1", "--priority-class=royal"], "priority_class"),
        (["-a", "abacus:1"], "abacus"),
    ],
    ids=["by_the_client", "by_the_service", "by_the_catalogue"],
)
def test_a_rejected_job_is_told_by_its_field(cell: Cell, arguments: list[str], said: str) -> None:
    ended = placewright(cell, "submit", "--name=rejected", *arguments, "--", "true")

    assert ended.returncode == INVALID
    assert said in ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr


def test_a_rejected_job_of_a_file_is_told_by_its_line(cell: Cell, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("name: rejected\ncommand: ['true']\naccelerators: h100:none\n")

    ended = placewright(cell, "submit", str(file))

    assert ended.returncode == INVALID
    assert f"{file}:3" in ended.stderr


def test_tables_and_data_show_a_waiting_job_with_its_reason(cell: Cell) -> None:
    job_id = output_of(cell, "submit", "--name=waits", "-a", TOO_LARGE, "--", "true")
    arguments = ["jobs", "--name=waits"]
    wait_until(lambda: "not planned" not in output_of(cell, *arguments), "it has been planned")

    header, row = output_of(cell, *arguments).splitlines()
    told = output_of(cell, "job", job_id)
    listed = yaml.safe_load(output_of(cell, *arguments, "-o", "yaml"))

    assert header.split()[:2] == ["JOB", "NAME"]
    assert row.split()[:2] == [job_id, "waits"]
    assert "pending" in row
    assert "no pool" in row
    assert "fits_no_pool" in told
    assert [job["replicas"][0]["deferral"]["reason"] for job in listed] == ["fits_no_pool"]
    assert output_of(cell, *arguments, "-o", "name") == job_id


def test_pools_show_how_they_stand(cell: Cell) -> None:
    header, row = output_of(cell, "pools").splitlines()
    pools = json.loads(output_of(cell, "pools", "-o", "json"))

    assert header.split()[0] == "POOL"
    assert row.split()[:3] == ["own", "h100", "own/us-ashburn/*"]
    assert row.split()[-1] == "ready"
    assert [(pool["pool_id"], pool["usage"]["accelerators"]) for pool in pools] == [("own", 8)]


def test_a_job_is_cancelled(cell: Cell) -> None:
    job_id = output_of(
        cell, "submit", "--name=cancelled", "-a", "h100:1", "--grace-period=1s", "--wait", "--until=running",
        "--", "sleep", "600",
    )  # fmt: skip

    assert output_of(cell, "cancel", job_id, "--reason=enough") == job_id

    def phase() -> str:
        return str(json.loads(output_of(cell, "job", job_id, "-o", "json"))["phase"])

    wait_until(lambda: phase() == "cancelled", "it is cancelled")


def test_what_is_not_there_exits_with_3(cell: Cell) -> None:
    ended = placewright(cell, "job", "main-nothing")

    assert ended.returncode == NOT_FOUND
    assert "main-nothing" in ended.stderr
