"""Why one replica waits or is where it is, and what would change that."""

from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.deferral import Deferral, PoolVerdict
from scheduler.model.ids import JobId, PoolId, ReplicaId, Revision
from scheduler.model.run import Placement


class ChangeKind(StrEnum):
    """What a change is made to, and in which unit its amount is.

    RELEASE_JOB, LIFT_FREEZES, UNPIN, BACK_OFF_ENDS: of the replica, its job or its scopes; no amount.
    DROP_CONSTRAINT: named by its field; no amount. UNCORDON_POOL, ATTACH_LAUNCHER: no amount.
    MORE_ACCELERATORS: in a pool, so many more. LOWER_PRICE: of a pool, to so many micro-dollars per
    accelerator-hour. RAISE_QUOTA: of a queue or cohort, by so many units of the resource.
    """

    RELEASE_JOB = "release_job"
    LIFT_FREEZES = "lift_freezes"
    UNPIN = "unpin"
    BACK_OFF_ENDS = "back_off_ends"
    DROP_CONSTRAINT = "drop_constraint"
    UNCORDON_POOL = "uncordon_pool"
    ATTACH_LAUNCHER = "attach_launcher"
    MORE_ACCELERATORS = "more_accelerators"
    LOWER_PRICE = "lower_price"
    RAISE_QUOTA = "raise_quota"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change; what does not apply to its kind is empty or 0.

    Attributes:
        field: of the constraints.
        queue, cohort, resource: whose quota of what.
    """

    kind: ChangeKind
    pool_id: PoolId | None = None
    field: str = ""
    queue: str = ""
    cohort: str = ""
    resource: str = ""
    amount: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAnswer:
    """What one pool says to the replica; of ways that the pool could hold when empty, if there are any.

    Attributes:
        accelerators_needed: of the smallest such way; else of the smallest way at all.
        accelerators_free: after the plan, whatever their shape.
        cost_usd_micros_per_useful_hour: marginal, of the cheapest such way; None without one.
    """

    pool_id: PoolId
    verdict: PoolVerdict
    accelerators_needed: int
    accelerators_free: int
    cost_usd_micros_per_useful_hour: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyWaiting:
    """Why a replica waits, at one revision.

    Attributes:
        deferral: of the plan made for the question; None if that plan places it.
        placement: where that plan places it.
        pools: by id.
        changes: of those tried, each admits the replica when made alone; smallest of its kind and subject.
        changes_tried: plans made for them; a count.
    """

    revision: Revision
    replica_id: ReplicaId
    job_id: JobId
    deferral: Deferral | None
    placement: Placement | None
    worth_usd_micros_per_useful_hour: int
    pools: tuple[PoolAnswer, ...]
    changes: tuple[Change, ...]
    changes_tried: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TermParts:
    """What a placement counts for, at given prices; micro-dollars per hour, their sum is the term."""

    work_usd_micros_per_hour: int
    price_usd_micros_per_hour: int
    urgency_usd_micros_per_hour: int
    shadow_usd_micros_per_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyPlaced:
    """Why a replica is where it is; the parts are at present prices."""

    revision: Revision
    replica_id: ReplicaId
    placement: Placement
    parts: TermParts
