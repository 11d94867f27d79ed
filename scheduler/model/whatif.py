"""What-if: hypotheses about jobs, pools and quotas, and how the plan would differ."""

from dataclasses import dataclass

from scheduler.model.deferral import Deferral
from scheduler.model.ids import JobId, PoolId, QueueName, ReplicaId, Revision
from scheduler.model.job import JobSpec
from scheduler.model.pool import PoolSpec
from scheduler.model.queue import Quota
from scheduler.model.run import Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class SupposedPool:
    """A pool that is added, open, or that has this spec instead of its own."""

    id: PoolId
    spec: PoolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SupposedQuotas:
    """All quotas of a queue; its cohort and its weight stay."""

    queue: QueueName
    quotas: tuple[Quota, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypotheses:
    """What is supposed; docs/decisions/what-if.md.

    Attributes:
        jobs: submitted now, in this order.
        removed_pools: lost with all that runs there, whose replicas wait again.
        left_out_jobs: as if they had never been, with their runs.
    """

    jobs: tuple[JobSpec, ...] = ()
    pools: tuple[SupposedPool, ...] = ()
    removed_pools: tuple[PoolId, ...] = ()
    quotas: tuple[SupposedQuotas, ...] = ()
    left_out_jobs: tuple[JobId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a replica: a placement, why it waits, or the replica that its run makes room for."""

    placement: Placement | None = None
    deferral: Deferral | None = None
    preempted_by: ReplicaId | None = None

    def __post_init__(self) -> None:
        assert (self.placement, self.deferral, self.preempted_by).count(None) == 2, self


@dataclass(frozen=True, slots=True, kw_only=True)
class FateOfReplica:
    """A replica of a hypothetical job."""

    replica_id: ReplicaId
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFate:
    """A replica that is there, and what becomes of it without and with the hypotheses."""

    replica_id: ReplicaId
    job_id: JobId
    before: Fate
    after: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFigures:
    """A plan in numbers; money in micro-dollars per hour.

    Attributes:
        objective_usd_micros_per_hour: of the plan's new placements.
        bound_usd_micros_per_hour: at least the objective of any plan; None without a proof.
        charged_usd_micros_per_hour: to jobs, for what runs and what would be placed.
        paid_usd_micros_per_hour: to providers: reserved pools whole, rented ones for what is used.
        placed, waiting: replicas that the plan places, and that it does not.
    """

    objective_usd_micros_per_hour: int
    bound_usd_micros_per_hour: int | None
    charged_usd_micros_per_hour: int
    paid_usd_micros_per_hour: int
    placed: int
    waiting: int

    @property
    def gap_permille(self) -> int | None:
        """How far the objective may be from the best, of the bound, rounded up; None without a bound."""
        if self.bound_usd_micros_per_hour is None:
            return None
        missing = self.bound_usd_micros_per_hour - self.objective_usd_micros_per_hour
        return -(-1_000 * missing // self.bound_usd_micros_per_hour) if missing > 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """How the plan of one revision would differ.

    Attributes:
        jobs: the replicas of each hypothetical job, by index.
        changes: by job and replica, as many as are told.
        changes_left_out: how many more there are; a count.
    """

    revision: Revision
    before: PlanFigures
    after: PlanFigures
    jobs: tuple[tuple[FateOfReplica, ...], ...]
    changes: tuple[ChangedFate, ...]
    changes_left_out: int
