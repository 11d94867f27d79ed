"""The running cell of the benchmarks, for tests: a service and launchers that can be killed."""

from scheduler.bench.running_cell import (
    LAUNCHER,
    READY,
    STOP_S_MAX,
    WITHIN_S,
    Cell,
    RunningProcess,
    a_cell,
    a_pool,
    a_running_cell,
    is_alive,
    planners_of,
    wait_until,
    write_fleet,
)

__all__ = [
    "LAUNCHER",
    "READY",
    "STOP_S_MAX",
    "WITHIN_S",
    "Cell",
    "RunningProcess",
    "a_cell",
    "a_pool",
    "a_running_cell",
    "is_alive",
    "planners_of",
    "wait_until",
    "write_fleet",
]
