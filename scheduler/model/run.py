"""A run: one attempt of one replica, and the table of the moves it may make."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.ids import (
    NO_HISTORY,
    AcceleratorName,
    History,
    JobId,
    LauncherId,
    PoolId,
    ReplicaId,
    RunId,
)
from scheduler.model.job import Market


class RunState(StrEnum):
    PLACED = "placed"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"
    UNREACHABLE = "unreachable"


class EndReason(StrEnum):
    SUCCEEDED = "succeeded"
    STOCKOUT = "stockout"
    RECLAIMED = "reclaimed"
    INFRASTRUCTURE = "infrastructure"
    USER_ERROR = "user_error"
    TIMEOUT = "timeout"
    PREEMPTED = "preempted"
    MOVED = "moved"
    DRAINED = "drained"
    SCALED_DOWN = "scaled_down"
    CANCELLED = "cancelled"
    LOST = "lost"


MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.PLACED: frozenset({RunState.STARTING, RunState.ENDED}),
    RunState.STARTING: frozenset({RunState.RUNNING, RunState.STOPPING, RunState.ENDED, RunState.UNREACHABLE}),
    RunState.RUNNING: frozenset({RunState.STOPPING, RunState.ENDED, RunState.UNREACHABLE}),
    RunState.STOPPING: frozenset({RunState.ENDED, RunState.UNREACHABLE}),
    RunState.UNREACHABLE: frozenset({RunState.STARTING, RunState.RUNNING, RunState.STOPPING, RunState.ENDED}),
    RunState.ENDED: frozenset(),
}

REPORTED_BY_LAUNCHERS = frozenset(
    {
        EndReason.SUCCEEDED,
        EndReason.STOCKOUT,
        EndReason.RECLAIMED,
        EndReason.INFRASTRUCTURE,
        EndReason.USER_ERROR,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShare:
    """Tasks of a run on one node (or the one slice of a pool of slices), by its number in the pool."""

    node: int
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a replica goes, and the numbers that chose the place.

    Attributes:
        role: of the gang's task group.
        nodes: by node number; empty where the provider chooses (rented slices).
        charged_usd_micros_per_hour: for all accelerators of the gang.
        term_usd_micros_per_hour: this placement's part of the plan's objective.
    """

    pool_id: PoolId
    alternative_index: int
    accelerator: AcceleratorName
    slice_topology: str | None
    role: str
    tasks: int
    devices_per_task: int
    nodes: tuple[NodeShare, ...]
    market: Market
    charged_usd_micros_per_hour: int
    term_usd_micros_per_hour: int
    runner_up_pool_id: PoolId | None = None
    runner_up_term_usd_micros_per_hour: int = 0

    @property
    def accelerators(self) -> int:
        return self.tasks * self.devices_per_task


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt of one replica.

    Attributes:
        run_token: grows per replica; a checkpoint store can refuse an older one.
        claimed_by: launcher session that claimed it; None while PLACED.
        before_unreachable: the state to return to; set exactly while UNREACHABLE.
        after_runs: runs of its pool that must have ended before it is offered; their room is its own then.
        stop_reason: the intended end reason once a stop is wanted; a task's real exit wins over it.
        history: in which it was placed or adopted; an offer of an earlier one may have been claimed, unknown.
        generation: rises with each change of what is desired of it.
    """

    id: RunId
    replica_id: ReplicaId
    job_id: JobId
    run_number: int
    run_token: int
    placement: Placement
    state: RunState = RunState.PLACED
    launcher_id: LauncherId
    claimed_by: int | None = None
    before_unreachable: RunState | None = None
    stop_reason: EndReason | None = None
    stop_requested_at_ms: int | None = None
    end_reason: EndReason | None = None
    generation: int = 1
    grace_period_ms: int
    placed_at_ms: int
    claimed_at_ms: int | None = None
    running_at_ms: int | None = None
    ended_at_ms: int | None = None
    exit_code: int | None = None
    message: str = ""
    history: History = NO_HISTORY
    after_runs: tuple[RunId, ...] = ()

    def __post_init__(self) -> None:
        assert (self.state is RunState.ENDED) == (self.end_reason is not None), self
        assert (self.state is RunState.UNREACHABLE) == (self.before_unreachable is not None), self

    @property
    def is_live(self) -> bool:
        return self.state is not RunState.ENDED

    @property
    def pool_id(self) -> PoolId:
        return self.placement.pool_id
