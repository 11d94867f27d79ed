"""What planning takes and gives: a snapshot in, a plan out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.brakes import Freeze
from scheduler.model.deferral import Deferral
from scheduler.model.disruption import DISRUPTION_DEFAULT, DisruptionBudget
from scheduler.model.guidance import Guidance
from scheduler.model.ids import (
    AcceleratorName,
    PoolId,
    PriorityClassName,
    QueueName,
    ReplicaId,
    Revision,
    RunId,
)
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.priority import PriorityClass
from scheduler.model.queue import Cohort, Queue
from scheduler.model.replica import Replica
from scheduler.model.run import Placement, Run
from scheduler.model.transaction import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingReplica:
    """A replica that wants a place, with the versions that a step for it rests on."""

    replica: Replica
    job: Job
    replica_version: Revision
    job_planning_version: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPool:
    """A pool and what lives on it."""

    pool: Pool
    planning_version: Revision
    live_runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedQueue:
    """A queue that has a record."""

    queue: Queue
    planning_version: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCohort:
    """A cohort."""

    cohort: Cohort
    planning_version: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the live runs of a queue use of one accelerator model.

    Runs whose room another waits for are not counted: who waits for it counts.

    Attributes:
        useful_permille: useful accelerator-hours per hour, in thousandths of the reference accelerator.
    """

    queue: QueueName
    accelerator: AcceleratorName
    accelerators: int
    charged_usd_micros_per_hour: int
    useful_permille: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningReplica:
    """A live run that a step may stop, with the versions that this rests on, or that is being stopped."""

    run: Run
    replica: Replica
    job: Job
    run_version: Revision
    replica_version: Revision
    job_planning_version: Revision


@dataclass(frozen=True, slots=True)
class RecentStop:
    """A preemption of the last hour, counted by the disruption budget."""

    at_ms: int
    pool_id: PoolId
    queue: QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a plan rests on, at one revision.

    Attributes:
        pools: by pool id.
        waiting: every replica in WAITING of a job that is not cancelling, by replica id.
        freezes: by id.
        queues, cohorts: by name.
        usage: by queue and accelerator.
        running: live runs that are being stopped or of classes below the worthiest that waits, by run id.
        recent_stops: preemptions of the last hour.
    """

    revision: Revision
    now_ms: int
    pools: tuple[PlannedPool, ...]
    waiting: tuple[WaitingReplica, ...]
    priority_classes: Mapping[PriorityClassName, PriorityClass]
    guidance: Guidance = Guidance()
    freezes: tuple[Freeze, ...] = ()
    queues: tuple[PlannedQueue, ...] = ()
    cohorts: tuple[PlannedCohort, ...] = ()
    usage: tuple[Usage, ...] = ()
    running: tuple[RunningReplica, ...] = ()
    recent_stops: tuple[RecentStop, ...] = ()
    disruption: DisruptionBudget = DISRUPTION_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A replica gets a place.

    Attributes:
        after_runs: live runs of the pool, being stopped or stopped by the same step, that it waits for.
    """

    replica_id: ReplicaId
    placement: Placement
    after_runs: tuple[RunId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A run is preempted.

    Attributes:
        replica_id: the run's.
        by: the replica that it makes room for, placed by the same step.
    """

    run_id: RunId
    replica_id: ReplicaId
    by: ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Changes that hold together or not at all, and what they rest on."""

    places: tuple[Place, ...]
    preconditions: tuple[Check, ...]
    stops: tuple[Stop, ...] = ()


class PlanMethod(StrEnum):
    """What the plan came from."""

    FLOOR = "floor"
    IMPROVED = "improved"


class SolverStatus(StrEnum):
    """How the search for something better than the floor ended."""

    NOT_RUN = "not_run"
    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    NOTHING_BETTER = "nothing_better"
    WORK_LIMIT = "work_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassQuality:
    """How good a plan is for one priority class, with the higher classes fixed at the plan's.

    Attributes:
        value_usd_micros_per_hour: of this class's new placements.
        bound_usd_micros_per_hour: at least what any plan gives this class; None before the LP ran.
        demand_usd_micros_per_hour: if every waiting replica of the class got its best term.
    """

    value_usd_micros_per_hour: int
    bound_usd_micros_per_hour: int | None
    demand_usd_micros_per_hour: int

    @property
    def gap(self) -> float | None:
        """(bound - value) / bound: 0 is proven best; None without a bound; 0 when nothing is to gain."""
        if self.bound_usd_micros_per_hour is None:
            return None
        if self.bound_usd_micros_per_hour <= 0:
            return 0.0
        return max(0.0, 1 - self.value_usd_micros_per_hour / self.bound_usd_micros_per_hour)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanQuality:
    """How good a plan is, in micro-dollars per hour; what its search placed in free room.

    What the repair between priority classes then adds or takes is not in it.

    Attributes:
        bound_usd_micros_per_hour: the least bound proven, at least the value of any plan; None before
            the LP ran.
        floor_usd_micros_per_hour: what the greedy floor gave.
        columns, rows, bundles: the size of the model; counts.
        work: deterministic time used by the solver, in its own unit.
    """

    objective_usd_micros_per_hour: int
    bound_usd_micros_per_hour: int | None
    floor_usd_micros_per_hour: int
    per_class: Mapping[PriorityClassName, ClassQuality]
    status: SolverStatus
    bundles: int
    columns: int
    rows: int
    work: float

    @property
    def gap(self) -> float | None:
        """As `ClassQuality.gap`, for the whole objective."""
        if self.bound_usd_micros_per_hour is None:
            return None
        if self.bound_usd_micros_per_hour <= 0:
            return 0.0
        return max(0.0, 1 - self.objective_usd_micros_per_hour / self.bound_usd_micros_per_hour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The decisions for one revision.

    Attributes:
        steps: independent of each other, most worth first.
        deferrals: why each replica that was not placed waits, by replica id.
        shadow_prices: micro-dollars per accelerator-hour that one more accelerator of the pool would be
            worth, by pool id; empty for a floor.
        guidance: for the next cycle.
    """

    revision: Revision
    method: PlanMethod
    steps: tuple[Step, ...]
    deferrals: tuple[tuple[ReplicaId, Deferral], ...]
    quality: PlanQuality
    shadow_prices: tuple[tuple[PoolId, int], ...] = ()
    guidance: Guidance = Guidance()

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(place for step in self.steps for place in step.places)

    @property
    def stops(self) -> tuple[Stop, ...]:
        return tuple(stop for step in self.steps for stop in step.stops)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkLimits:
    """How much work a plan may take; never wall time, so that a plan replays exactly.

    Attributes:
        deterministic_time: CP-SAT's own measure, about a second of one core each.
    """

    deterministic_time: float = 2.0
    lp_iterations_max: int = 1_000_000
    random_seed: int = 1
