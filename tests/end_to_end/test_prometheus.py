"""Every query of the board, asked of a real Prometheus that scraped a real service at work, finds data."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from placewright import Client, Job, PlacewrightError
from scheduler.bench.running_cell import Cell
from tests.end_to_end.prometheus_server import Prometheus, prometheus_scraping

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARD: dict[str, Any] = json.loads((DEPLOY / "dashboards/overview.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
VARIABLES = [v for v in BOARD["templating"]["list"] if v["type"] == "query"]
LABEL_VALUES = re.compile(r"label_values\((\w+), (\w+)\)")
RATE_INTERVAL = "15s"
WINDOW_S = 90
SETTLE_S_MAX = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def run_workload(client: Client, prometheus: Prometheus) -> None:
    """Jobs that succeed, fail, are cancelled, preempted and wait, and calls that are refused."""
    prometheus.wait_for('placewright_launcher_sessions{state="live"}', timeout_s=SETTLE_S_MAX)
    prometheus.wait_for("placewright_pool_open", timeout_s=SETTLE_S_MAX)
    long_ones = [client.submit(job) for job in lasting_jobs()]
    for job in waiting_jobs():
        client.submit(job)
    done = [client.submit(job) for job in short_jobs()]
    for handle in done:
        handle.wait(timeout=SETTLE_S_MAX)
    preempt(client)
    long_ones[0].cancel("enough")
    refuse(client)
    prometheus.wait_for('placewright_jobs_finished_total{phase="cancelled"}', timeout_s=SETTLE_S_MAX)
    prometheus.wait_for('placewright_replicas{state="running"}', timeout_s=SETTLE_S_MAX)
    prometheus.wait_for('rate(placewright_rpc_requests_total{code="NOT_FOUND"}[15s])', timeout_s=SETTLE_S_MAX)


def preempt(client: Client) -> None:
    """A worthier job takes the pool that another has for itself."""
    for name in ("batch", "frontier"):
        job = Job(
            name=f"whole-{name}",
            queue="research",
            priority_class=name,
            accelerators="b200:128",
            pools=["lambda-b200-reserved"],
            command=["sleep", "600"],
        )
        client.submit(job).wait(until="running", timeout=SETTLE_S_MAX)


def short_jobs() -> list[Job]:
    """Jobs of every priority class that end at once, one of them badly."""
    good = [
        Job(name=f"short-{name}", queue="research", priority_class=name, accelerators=size, command=["true"])
        for name, size in (("frontier", "h100:8"), ("standard", "tpu-v6e:2x4"), ("batch", "trainium:16"))
    ]
    return [*good, Job(name="broken", queue="research", accelerators="a100-80gb:8", command=["false"])]


def lasting_jobs() -> list[Job]:
    """Jobs that run until they are stopped, in reserved, on-demand and spot pools."""
    sleep = ["sleep", "600"]
    return [
        Job(name="cancelled", queue="research", accelerators="h100:16", command=sleep),
        Job(name="tune", queue="post-training", accelerators="tpu-v5p:2x2x4", command=sleep),
        Job(
            name="chat", queue="serving", kind="inference", replicas=3, accelerators="mi300x:8", command=sleep
        ),
        Job(name="rented", queue="serving", priority_class="frontier", accelerators="b300:8", command=sleep),
        Job(name="spot", queue="research", accelerators="h100:8", markets=["spot"], command=sleep),
    ]


def waiting_jobs() -> list[Job]:
    """Jobs that fit no pool, and one that is worth less than the only pool for it costs."""
    return [
        Job(
            name=f"wants-{name}",
            queue="pretraining",
            priority_class=name,
            accelerators=size,
            command=["true"],
        )
        for name, size in (("frontier", "h100:4096"), ("standard", "h200:4096"), ("batch", "b300:8"))
    ]


def refuse(client: Client) -> None:
    for attempt in (
        lambda: client.get_job("main-01hzzzzzzzzzzzzzzzzzzzzzzz"),
        lambda: client.submit(Job(name="odd", accelerators="abacus:8", command=["true"])),
    ):
        with pytest.raises(PlacewrightError):
            attempt()


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """A service with the sample fleet and its launcher."""
    fleet = DEPLOY / "fleets/sample.yaml"
    running = Cell(tmp_path_factory.mktemp("cell"), f"--fleet={fleet}", "--durability=everysec")
    try:
        running.start_service()
        running.start_launcher()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def prometheus(cell: Cell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One that has seen the workload."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with prometheus_scraping(cell.metrics_url, folder) as server, cell.client() as client:
        run_workload(client, server)
        yield server


def filled_in(query: str) -> str:
    """The query with every variable at All and the interval that fits scrapes each second."""
    query = query.replace("$__rate_interval", RATE_INTERVAL)
    for variable in VARIABLES:
        query = query.replace(f"${variable['name']}", variable["allValue"])
    assert "$" not in query, query
    return query


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
        for panel in PANELS
        for target in panel["targets"]
    ],
)
def test_a_panel_has_data(prometheus: Prometheus, target: str) -> None:
    query = filled_in(target)

    assert prometheus.values(query, window_s=WINDOW_S), query


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable["name"])
def test_a_variable_has_choices(prometheus: Prometheus, variable: dict[str, Any]) -> None:
    asked = LABEL_VALUES.fullmatch(variable["query"])

    assert asked is not None
    assert prometheus.label_values(asked[1], asked[2])


def test_a_board_shows_what_happened(prometheus: Prometheus) -> None:
    def last(query: str) -> float:
        return prometheus.values(query, window_s=5)[-1]

    assert last("sum(placewright_leader)") == 1
    prometheus.wait_for('sum(placewright_replicas{state="waiting"}) == 4', timeout_s=SETTLE_S_MAX)
    assert last('placewright_run_outcomes_total{end_reason="user_error"}') == 1
    assert last('placewright_run_outcomes_total{end_reason="succeeded"}') == 3
    assert last('placewright_jobs_finished_total{phase="cancelled"}') == 1
    assert last('placewright_deferred_replicas{reason="fits_no_pool"}') == 2
    assert last('placewright_deferred_replicas{reason="not_worth_the_price"}') == 1
    assert last("sum(placewright_preemptions_total)") == 1
    assert last("sum(placewright_deferred_replicas) - sum(placewright_replicas{state='waiting'})") == 0
