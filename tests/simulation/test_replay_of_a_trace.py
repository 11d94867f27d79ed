"""A trace of jobs through the real service in virtual time, and the figures that come of it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scheduler.__main__ import app
from scheduler.catalog.load import load_catalogue
from scheduler.simulation.replay.figures import jain, percentile
from scheduler.simulation.replay.trace_file import BadTrace, read_trace

FLEET = """
pools:
  - id: own
    accelerator: h100
    provider: own
    region: home
    market: reserved
    node_groups: [{nodes: 1, devices_per_node: 8}]
    price_usd_per_accelerator_hour: 2.00
    launcher_id: local
    self_fencing: true
    lease_duration_seconds: 30
"""
HEADER = "submitted_at,name,queue,priority_class,accelerators,duration\n"
THREE_THAT_NEED_ALL = (
    HEADER
    + "0,first,red,standard,h100:8,600\n60,second,blue,batch,h100:8,300\n360,third,red,standard,h100:8,60\n"
)


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def written(directory: Path, text: str, name: str = "trace.csv") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_jobs_wait_for_each_other_and_all_is_charged(tmp_path: Path, fleet: Path) -> None:
    trace = written(tmp_path, THREE_THAT_NEED_ALL)

    told = CliRunner().invoke(
        app, ["simulate", "--trace", str(trace), "--fleet", str(fleet), "-o", "json"], catch_exceptions=False
    )

    figures = json.loads(told.stdout)
    waits = {each["priority_class"]: each["wait_s"]["p50"] for each in figures["classes"]}
    assert (figures["jobs"], figures["finished"]) == (3, 3)
    assert waits["standard"] < 10
    assert 540 <= waits["batch"] < 640
    assert figures["charged_usd"] == pytest.approx(8 * 2.00 * 960 / 3600, rel=0.02)
    assert figures["pools"][0]["utilisation"] > 0.95
    assert figures["jain"] == pytest.approx(0.5)  # blue had got nothing of what it had asked for


def test_a_replay_keeps_the_quotas_of_the_fleet_file(tmp_path: Path, fleet: Path) -> None:
    fleet.write_text(FLEET + "queues: [{name: red, quotas: [{resource: h100, nominal: 4}]}]\n")
    trace = written(tmp_path, HEADER + "0,a,red,standard,h100:4,600\n0,b,red,standard,h100:4,600\n")

    told = CliRunner().invoke(
        app, ["simulate", "--trace", str(trace), "--fleet", str(fleet), "-o", "json"], catch_exceptions=False
    )

    (figures,) = json.loads(told.stdout)["classes"]
    assert 590 <= figures["wait_s"]["p99"] < 660, figures


def test_tables_are_printed_for_people(tmp_path: Path, fleet: Path) -> None:
    trace = written(tmp_path, THREE_THAT_NEED_ALL)

    told = CliRunner().invoke(app, ["simulate", "--trace", str(trace), "--fleet", str(fleet), "--jobs", "1"])

    assert "1 of 1 jobs finished" in told.stdout


def test_json_lines_and_ways_are_read(tmp_path: Path) -> None:
    row = {
        "submitted_at": 100,
        "name": "a",
        "queue": "red",
        "priority_class": "frontier",
        "accelerators": "h100:4x8|tpu-v5p/4x4x4",
        "duration": 1.5,
    }
    later = row | {"submitted_at": 130}
    trace = written(tmp_path, f"{json.dumps(later)}\n\n{json.dumps(row)}\n", "trace.jsonl")

    jobs = read_trace(trace, load_catalogue(), jobs_max=None)

    assert [job.submit_at_ms for job in jobs] == [0, 30_000]
    assert [way.accelerators for way in jobs[0].spec.alternatives] == [32, 64]


def test_philly_jobs_are_read_as_published(tmp_path: Path) -> None:
    text = (
        "timestamp,duration,num_gpus,gpu_time,cluster\n"
        "2017-10-09 07:01:55,66.0,16,1,11cb48\n2017-10-09 07:01:45,5.0,1,1,6214e9\n"
    )

    small, large = read_trace(written(tmp_path, text), load_catalogue(), jobs_max=None)

    assert (small.spec.queue, large.submit_at_ms) == ("team-6214e9", 10_000)
    assert {(way.tasks, way.devices_per_task) for way in large.spec.alternatives} == {(2, 8)}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("0,a,red,urgent,h100:8,60", "priority_class must be one of"),
        ("0,a,red,batch,abacus:8,60", "accelerators must be of"),
        ("0,a,red,batch,h100:0,60", "like h100:8"),
        ("0,a,red,batch,tpu-v5p/3x3,60", "must be one of"),
        ("-1,a,red,batch,h100:8,60", "submitted_at must be seconds"),
        ("0,a,,batch,h100:8,60", "queue: must be given"),
    ],
)
def test_a_bad_row_is_refused_with_its_number(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(BadTrace, match=f"job 1: .*{says}"):
        read_trace(written(tmp_path, f"{HEADER}{row}\n"), load_catalogue(), jobs_max=None)


def test_figures() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 99) == 4.0
    assert jain([1.0, 1.0]) == pytest.approx(1.0)
    assert jain([1.0, 0.0]) == pytest.approx(0.5)
