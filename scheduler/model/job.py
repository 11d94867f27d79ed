"""What a user submits: a job, the ways to satisfy it and where it may run."""

from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.brakes import Hold
from scheduler.model.ids import (
    NO_HISTORY,
    AcceleratorName,
    History,
    JobId,
    PoolId,
    Principal,
    PriorityClassName,
    QueueName,
)


class Market(StrEnum):
    RESERVED = "reserved"
    ON_DEMAND = "on_demand"
    SPOT = "spot"


class LaunchedBy(StrEnum):
    POOL = "pool"
    SUBMITTER = "submitter"


class JobPhase(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGroup:
    """Equal tasks of a gang; each gets `devices_per_task` accelerators of one node."""

    role: str = "worker"
    tasks: int
    devices_per_task: int

    def __post_init__(self) -> None:
        assert self.tasks >= 1, self
        assert self.devices_per_task >= 1, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One way to satisfy a job: a gang on nodes, or a slice.

    Attributes:
        task_groups: exactly one for now; for a slice, one task per host.
        slice_topology: the slice's shape, or None for a gang on nodes.
        speed_permille: of one accelerator, relative to the reference accelerator.
    """

    accelerator: AcceleratorName
    task_groups: tuple[TaskGroup, ...]
    slice_topology: str | None = None
    speed_permille: int

    def __post_init__(self) -> None:
        assert len(self.task_groups) == 1, self
        assert self.speed_permille >= 1, self

    @property
    def accelerators(self) -> int:
        group = self.task_groups[0]
        return group.tasks * group.devices_per_task

    @property
    def tasks(self) -> int:
        return self.task_groups[0].tasks

    @property
    def devices_per_task(self) -> int:
        return self.task_groups[0].devices_per_task

    @property
    def gang_speed_permille(self) -> int:
        """Useful accelerator-hours of the reference accelerator per hour, in permille."""
        return self.accelerators * self.speed_permille


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place at a provider; an empty string means any."""

    provider: str = ""
    region: str = ""
    zone: str = ""

    def contains(self, provider: str, region: str, zone: str) -> bool:
        return self.provider in ("", provider) and self.region in ("", region) and self.zone in ("", zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Where a job may run; what is empty allows everything."""

    allowed_locations: tuple[Location, ...] = ()
    denied_locations: tuple[Location, ...] = ()
    allowed_pools: tuple[PoolId, ...] = ()
    denied_pools: tuple[PoolId, ...] = ()
    markets: tuple[Market, ...] = ()
    residency: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Finite work of one replica.

    Attributes:
        estimated_duration_ms: on the fastest alternative; None: unknown, planned like a service.
    """

    estimated_duration_ms: int | None = None

    def __post_init__(self) -> None:
        assert self.estimated_duration_ms is None or self.estimated_duration_ms >= 1, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """A service of equal replicas that run until the job is cancelled."""

    replicas: int

    def __post_init__(self) -> None:
        assert self.replicas >= 1, self


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What a user asks for, with every default filled in.

    Attributes:
        preemptible: its runs may be stopped for a worthier priority class.
        min_runtime_ms: a run is not preempted before all its tasks have run for so long.
    """

    name: str
    queue: QueueName
    priority_class: PriorityClassName
    launched_by: LaunchedBy = LaunchedBy.POOL
    alternatives: tuple[Alternative, ...]
    constraints: Constraints = Constraints()
    training: Training | None = None
    inference: Inference | None = None
    max_duration_ms: int | None = None
    grace_period_ms: int
    user_error_retries: int = 0
    preemptible: bool = True
    min_runtime_ms: int = 0

    def __post_init__(self) -> None:
        assert self.alternatives, self
        assert (self.training is None) != (self.inference is None), self

    @property
    def replicas(self) -> int:
        return 1 if self.inference is None else self.inference.replicas


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the scheduler keeps it.

    Attributes:
        outcome: SUCCEEDED, FAILED or CANCELLED once every replica is done, else None.
        history: in which it was submitted; in a later one, what became of it may be lost.
        request_key: id of the idempotency record, which lives as long as the job.
    """

    id: JobId
    spec: JobSpec
    spec_generation: int = 1
    submitter: Principal
    submitted_at_ms: int
    request_key: str
    cancel_requested_at_ms: int | None = None
    cancel_reason: str = ""
    hold: Hold | None = None
    outcome: JobPhase | None = None
    finished_at_ms: int | None = None
    history: History = NO_HISTORY

    def __post_init__(self) -> None:
        assert (self.outcome is None) == (self.finished_at_ms is None), self

    @property
    def is_finished(self) -> bool:
        return self.outcome is not None

    @property
    def is_cancelling(self) -> bool:
        return self.cancel_requested_at_ms is not None and self.outcome is None
