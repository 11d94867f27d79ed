"""The boards are what their code says, and show only what the service declares."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.dashboards.build import OVERVIEW, overview_json
from scheduler.telemetry.metrics import Metrics
from tests.builders import a_state

BOARD: dict[str, Any] = json.loads(OVERVIEW.read_text())
ALERTS = OVERVIEW.parents[1] / "prometheus/alerts.yml"
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
DRAWN_HERE = {"timeseries", "stat", "bargauge", "table"}


def queries() -> Iterator[str]:
    for panel in PANELS:
        yield from (target["expr"] for target in panel["targets"])
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]


def test_the_committed_board_is_what_its_code_makes() -> None:
    assert OVERVIEW.read_text() == overview_json()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit_from_the_chosen_source(panel: dict[str, Any]) -> None:
    assert panel["type"] in DRAWN_HERE
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert target["legendFormat"]


def test_panels_have_their_own_ids_and_do_not_overlap() -> None:
    cells = [
        (panel["gridPos"].get("x", 0) + x, panel["gridPos"].get("y", 0) + y)
        for panel in BOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_the_board_can_be_narrowed() -> None:
    names = [variable["name"] for variable in BOARD["templating"]["list"]]

    assert names == ["datasource", "queue", "priority_class", "pool"]


def declared_series() -> set[str]:
    metrics = Metrics()
    metrics.state.observe(a_state(), 0)
    families = list(metrics.registry.collect())
    sampled = {sample.name for family in families for sample in family.samples}
    return sampled | {family.name + suffix for family in families for suffix in ("", "_total", "_bucket")}


def series_in(text: str) -> set[str]:
    return set(re.findall(r"\bplacewright_\w+", text))


def test_every_series_of_the_board_is_declared() -> None:
    assert series_in(" ".join(queries())) <= declared_series()


def test_every_series_of_the_alerts_is_declared() -> None:
    assert series_in(ALERTS.read_text()) <= declared_series()
