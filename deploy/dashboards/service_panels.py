"""Panels on the service: plans, calls, launchers and the store."""

from collections.abc import Iterator

from deploy.dashboards.panels import About, AnyPanel, Query, lines, stacked
from deploy.dashboards.promql import CLASSES, RATE, newest, of_plan, quantile


def plans() -> Iterator[AnyPanel]:
    yield lines(
        About(
            "Plan value",
            "Worth an hour of the newest plan with something to gain, the bound no plan can beat, the floor.",
            "currencyUSD",
            8,
        ),
        Query(of_plan("bound_usd_per_hour"), "bound"),
        Query(of_plan("objective_usd_per_hour"), "objective"),
        Query(of_plan("floor_usd_per_hour"), "floor"),
    )
    yield lines(
        About(
            "Gap by priority class",
            "(bound - value) / bound of each class, with the higher classes fixed at the plan's.",
            "percentunit",
            8,
        ),
        Query(of_plan("class_gap_ratio", CLASSES, by="priority_class"), "{{priority_class}}"),
        Query(of_plan("gap_ratio"), "all"),
        at_least=0.05,
    )
    yield lines(
        About(
            "Cycle time by phase",
            "95 of 100 cycles were faster; improve counts from the floor to the improved plan.",
            "s",
            8,
        ),
        Query(quantile(0.95, "cycle_phase_seconds", "", by="phase"), "{{phase}} p95"),
    )
    yield stacked(
        About(
            "Plans by how the solver ended",
            "Committed plans, by what they came from and the solver's word.",
            "cps",
            8,
        ),
        Query(f"sum by (method, status) (rate(placewright_plans_total{RATE})) > 0", "{{method}} {{status}}"),
    )
    yield lines(
        About(
            "Steps and mishaps",
            "Steps committed and rejected, plans cut off by the watchdog, cycles that failed.",
            "cps",
            8,
        ),
        Query(f"sum by (result) (rate(placewright_plan_steps_total{RATE}))", "{{result}}"),
        Query(f"sum(rate(placewright_plan_watchdog_total{RATE}))", "cut off"),
        Query(f'sum(rate(placewright_cycles_total{{outcome="failed"}}{RATE}))', "failed cycles"),
    )
    yield lines(
        About("Model size", "Bundles, columns and rows of the newest plan's model.", "short", 8),
        Query(of_plan("bundles"), "bundles"),
        Query(of_plan("columns"), "columns"),
        Query(of_plan("rows"), "rows"),
    )


def rpcs() -> Iterator[AnyPanel]:
    yield lines(
        About("RPC rate", "Calls answered, by method.", "reqps", 8),
        Query(f"sum by (rpc) (rate(placewright_rpc_requests_total{RATE})) > 0", "{{rpc}}"),
    )
    yield lines(
        About("RPC errors", "Calls answered with a status other than OK, by method and code.", "reqps", 8),
        Query(
            f'sum by (rpc, code) (rate(placewright_rpc_requests_total{{code!="OK"}}{RATE})) > 0',
            "{{rpc}} {{code}}",
        ),
    )
    yield lines(
        About("RPC latency p99", "99 of 100 unary calls were answered faster, by method.", "s", 8),
        Query(quantile(0.99, "rpc_latency_seconds", "", by="rpc"), "{{rpc}}"),
    )
    yield lines(
        About(
            "Calls and streams open",
            "Unary calls being answered, and streams: watches and attached launchers.",
            "short",
            8,
        ),
        Query("sum(placewright_rpc_in_flight)", "in flight"),
        Query("sum by (rpc) (placewright_rpc_streams_open)", "{{rpc}}"),
    )
    yield stacked(
        About("Launcher sessions", "Newest session of each launcher, by state.", "short", 8),
        Query(newest("launcher_sessions", "", by="state"), "{{state}}"),
    )
    yield lines(
        About(
            "Fence and leaders",
            "The newest fence's number, which rises with each new leader, and how many lead.",
            "short",
            8,
        ),
        Query("max(placewright_fence_number)", "fence"),
        Query("sum(placewright_leader)", "leaders"),
    )


def store() -> Iterator[AnyPanel]:
    yield lines(
        About("Store latency", "99 of 100 calls of the state store returned faster, by operation.", "s", 8),
        Query(quantile(0.99, "store_latency_seconds", "", by="operation"), "{{operation}} p99"),
    )
    yield lines(
        About("Transactions", "Transactions by what the store said, and calls that got no answer.", "cps", 8),
        Query(f"sum by (result) (rate(placewright_store_transactions_total{RATE}))", "{{result}}"),
        Query(f"sum(rate(placewright_store_errors_total{RATE}))", "no answer"),
    )
    yield lines(
        About("Age of mirrors", "Time since each process last heard from the event stream.", "s", 4),
        Query("time() - placewright_mirror_current_timestamp_seconds", "{{instance}}"),
    )
    yield lines(
        About(
            "Mirrors compared",
            "Comparisons of mirrors with the store by what they found, and records that differed.",
            "short",
            4,
        ),
        Query("sum by (result) (increase(placewright_mirror_comparisons_total[1h]))", "{{result}}"),
        Query("sum(increase(placewright_mirror_differences_total[1h]))", "records that differed"),
    )
    yield lines(
        About("Memory", "Resident memory of each process.", "bytes", 4),
        Query("placewright_process_resident_memory_bytes", "{{instance}}"),
    )
