"""What-if: what is supposed, and how the plan would differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from placewright.pools import PoolSpec
from placewright.reasons import Deferral, Placement, PlacementValue


@dataclass(frozen=True, kw_only=True)
class SupposedPool:
    """A pool that is added, or one that is there with another spec."""

    pool_id: str
    spec: PoolSpec


@dataclass(frozen=True, kw_only=True)
class SupposedQuota:
    """How much of one resource a queue may use.

    Attributes:
        resource: an accelerator model, in accelerators; or `usd_millis_per_hour`.
        borrowing_limit: of what others in its cohort leave unused; None: all of it.
        lending_limit: of what it leaves unused itself; None: all of it.
    """

    resource: str
    nominal: int
    borrowing_limit: int | None = None
    lending_limit: int | None = None


@dataclass(frozen=True, kw_only=True)
class SupposedQueue:
    """A queue with other quotas, all of them; its cohort and its weight stay."""

    queue: str
    quotas: Sequence[SupposedQuota]


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What becomes of a replica: one of placement, deferral and preempted_by; `str()` says it in words."""

    placement: Placement | None = None
    value: PlacementValue | None = None
    deferral: Deferral | None = None
    preempted_by: str = ""

    def __str__(self) -> str:
        if self.preempted_by:
            return f"preempted for {self.preempted_by}"
        if self.placement is None:
            return f"waits: {self.deferral or 'for a reason this client does not know'}"
        return f"{self.placement}" if self.value is None else f"{self.placement}; {self.value}"


@dataclass(frozen=True, kw_only=True)
class PlannedReplica:
    """A replica of a hypothetical job."""

    index: int
    fate: Fate


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """What would become of a hypothetical job; its replicas by index."""

    name: str
    replicas: tuple[PlannedReplica, ...]


@dataclass(frozen=True, kw_only=True)
class ChangedReplica:
    """A replica that is there and fares otherwise with what is supposed."""

    replica_id: str
    job_id: str
    before: Fate
    after: Fate


@dataclass(frozen=True, kw_only=True)
class PlanFigures:
    """A plan in numbers; money in micro-dollars per hour.

    Attributes:
        objective_usd_micros_per_hour: of its new placements.
        bound_usd_micros_per_hour: at least the objective of any plan; None without a proof.
        gap_permille: how far the objective may be from the best, of the bound; None without a bound.
        charged_usd_micros_per_hour: to jobs, for what runs and what would be placed.
        paid_usd_micros_per_hour: to providers: reserved pools whole, rented ones for what is used.
        placed, waiting: replicas that the plan places, and that it does not.
    """

    objective_usd_micros_per_hour: int
    bound_usd_micros_per_hour: int | None
    gap_permille: int | None
    charged_usd_micros_per_hour: int
    paid_usd_micros_per_hour: int
    placed: int
    waiting: int


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """How the plan of the state at one revision would differ.

    Attributes:
        jobs: in the order in which they were supposed.
        changes: by job and replica, as many as are told.
        changes_left_out: how many more there are.
    """

    revision: int
    before: PlanFigures
    after: PlanFigures
    jobs: tuple[PlannedJob, ...]
    changes: tuple[ChangedReplica, ...]
    changes_left_out: int
