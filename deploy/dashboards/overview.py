"""The overview board: what waits, where capacity is, what it costs, how good plans and the service are."""

from grafana_foundation_sdk.builders import dashboard

from deploy.dashboards.brakes_panels import brakes
from deploy.dashboards.fleet_panels import capacity, money
from deploy.dashboards.jobs_panels import moves, summary, waiting
from deploy.dashboards.panels import row
from deploy.dashboards.queue_panels import quotas
from deploy.dashboards.service_panels import plans, rpcs, store

SECTIONS = {
    "Now": summary,
    "What waits": waiting,
    "What moves": moves,
    "Quotas": quotas,
    "Brakes": brakes,
    "Capacity": capacity,
    "Money": money,
    "Plans": plans,
    "Calls and launchers": rpcs,
    "Store": store,
}


def with_sections(board: dashboard.Dashboard) -> dashboard.Dashboard:
    """The board with every section under its heading."""
    for title, panels in SECTIONS.items():
        board = board.with_row(row(title))
        for panel in panels():
            board = board.with_panel(panel)
    return board
