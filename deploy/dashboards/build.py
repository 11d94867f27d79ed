"""Write the dashboards' JSON: `python -m deploy.dashboards.build` from the root of the repository."""

import json
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.dashboards.overview import with_sections
from deploy.dashboards.panels import DATASOURCE

OVERVIEW = Path(__file__).parent / "overview.json"


def overview_json() -> str:
    """The overview board as Grafana reads it."""
    board = (
        dashboard.Dashboard("placewright")
        .uid("placewright-overview")
        .description("A multi-cloud accelerator scheduler: what waits, where it goes, what it costs.")
        .tags(["placewright"])
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("10s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_choice("queue", "Queue", of="placewright_replicas"))
        .with_variable(_choice("priority_class", "Priority class", of="placewright_replicas"))
        .with_variable(_choice("pool", "Pool", of="placewright_pool_accelerators"))
    )
    built = with_sections(board).build()
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _choice(label: str, title: str, *, of: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(label)
        .label(title)
        .datasource(DATASOURCE)
        .query(f"label_values({of}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


if __name__ == "__main__":
    OVERVIEW.write_text(overview_json(), encoding="utf-8")
