"""Panels on jobs: the state of things at a glance, what waits and what moves."""

from collections.abc import Iterator

from deploy.dashboards.panels import About, AnyPanel, Limit, Query, figure, lines, stacked
from deploy.dashboards.promql import CLASSES, LINES, POOLS, moved, newest, of_plan, quantile

ANY_IS_BAD = (Limit(None, "green"), Limit(1, "red"))
ONE_IS_RIGHT = (Limit(None, "red"), Limit(1, "green"), Limit(2, "red"))
GAP = (Limit(None, "green"), Limit(0.02, "orange"), Limit(0.1, "red"))
WAIT = (Limit(None, "green"), Limit(300, "orange"), Limit(3_600, "red"))


def summary() -> Iterator[AnyPanel]:
    def about(title: str, description: str, unit: str) -> About:
        return About(title, description, unit, 3, height=4)

    yield figure(
        about("Leaders", "Processes that hold the leader lease; must be 1.", "short"),
        Query("sum(placewright_leader)", "leaders"),
        limits=ONE_IS_RIGHT,
    )
    yield figure(
        about("Waiting", "Replicas without a place.", "short"),
        Query(newest("replicas", f'state="waiting", {LINES}'), "waiting"),
    )
    yield figure(
        about("Oldest wait", "How long the replica that waits longest has waited.", "s"),
        Query(f"max(placewright_oldest_wait_seconds{{{LINES}}})", "oldest"),
        limits=WAIT,
    )
    yield figure(
        about("Running", "Replicas whose tasks all run.", "short"),
        Query(newest("replicas", f'state="running", {LINES}'), "running"),
    )
    yield figure(
        about("Fill level", "Accelerators of live runs over those that may be used.", "percentunit"),
        Query(f"{newest('pool_accelerators_used', POOLS)} / {newest('pool_accelerators', POOLS)}", "used"),
    )
    yield figure(
        about(
            "Cost", "Dollars an hour: for what runs, and for reserved capacity that lies idle.", "currencyUSD"
        ),
        Query(newest("pool_cost_usd_per_hour", POOLS), "dollars an hour"),
    )
    yield figure(
        about(
            "Plan gap",
            "How far the newest plan can be from the best, at most; 0 is proven best.",
            "percentunit",
        ),
        Query(of_plan("gap_ratio"), "gap"),
        limits=GAP,
    )
    yield figure(
        about("Unreachable", "Runs whose launcher is out of touch; their capacity stays taken.", "short"),
        Query(newest("runs", f'state="unreachable", {POOLS}'), "unreachable"),
        limits=ANY_IS_BAD,
    )


def waiting() -> Iterator[AnyPanel]:
    yield stacked(
        About("Queue depth", "Waiting replicas by priority class.", "short", 8),
        Query(newest("replicas", f'state="waiting", {LINES}', by="priority_class"), "{{priority_class}}"),
    )
    yield stacked(
        About(
            "Accelerators asked for",
            "What waiting replicas need by their smallest alternative, by queue.",
            "short",
            8,
        ),
        Query(newest("waiting_accelerators", LINES, by="queue"), "{{queue}}"),
    )
    yield lines(
        About(
            "Oldest wait", "How long the longest-waiting replica of each priority class has waited.", "s", 8
        ),
        Query(f"max by (priority_class) (placewright_oldest_wait_seconds{{{LINES}}})", "{{priority_class}}"),
    )
    yield stacked(
        About("Why replicas wait", "Waiting replicas by the reason that the newest cycle gave.", "short", 8),
        Query(newest("deferred_replicas", "", by="reason") + " > 0", "{{reason}}"),
    )
    yield lines(
        About(
            "Time to place",
            "From when a replica began to wait to its placement, for those placed lately.",
            "s",
            8,
        ),
        Query(quantile(0.5, "time_to_place_seconds", CLASSES, by="priority_class"), "{{priority_class}} p50"),
        Query(
            quantile(0.95, "time_to_place_seconds", CLASSES, by="priority_class"), "{{priority_class}} p95"
        ),
    )
    yield lines(
        About("Time to launch", "From placement until all tasks of the run were running.", "s", 8),
        Query(quantile(0.5, "launch_seconds", ""), "p50"),
        Query(quantile(0.95, "launch_seconds", ""), "p95"),
    )


def moves() -> Iterator[AnyPanel]:
    yield stacked(
        About("Placements", "Replicas placed, by pool; a retry is a new placement.", "cps", 8),
        Query(moved("placements_total", f"{POOLS}, {CLASSES}", by="pool") + " > 0", "{{pool}}"),
    )
    yield stacked(
        About("Run outcomes", "Runs that ended, by why.", "cps", 8),
        Query(moved("run_outcomes_total", "", by="end_reason") + " > 0", "{{end_reason}}"),
    )
    yield lines(
        About("Jobs", "Jobs that came and jobs that ended, by how.", "cps", 8),
        Query(f"sum({moved('jobs_submitted_total', CLASSES, by='priority_class')})", "submitted"),
        Query(moved("jobs_finished_total", "", by="phase"), "{{phase}}"),
    )
    yield stacked(
        About("Preemptions", "Runs stopped for worthier ones, by the pool that they were on.", "cps", 12),
        Query(moved("preemptions_total", f"{POOLS}, {CLASSES}", by="pool") + " > 0", "{{pool}}"),
    )
    yield stacked(
        About(
            "Accelerators' time preempted",
            "What preempted runs had run, in accelerators: at most the work that was lost.",
            "none",
            12,
        ),
        Query(
            moved("preempted_accelerator_seconds_total", f"{POOLS}, {CLASSES}", by="priority_class") + " > 0",
            "{{priority_class}}",
        ),
    )
