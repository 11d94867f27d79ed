"""Why a replica waits: an enum with numbers, never only a string."""

from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.brakes import Freeze
from scheduler.model.ids import PoolId, QueueName, Revision
from scheduler.model.queue import CohortName, Resource


class DeferralReason(StrEnum):
    NOT_PLANNED_YET = "not_planned_yet"
    FITS_NO_POOL = "fits_no_pool"
    POOL_NOT_READY = "pool_not_ready"
    NOT_WORTH_THE_PRICE = "not_worth_the_price"
    NO_CAPACITY = "no_capacity"
    OUTBID = "outbid"
    BACKING_OFF = "backing_off"
    AVAILABILITY_DOUBTED = "availability_doubted"
    HELD = "held"
    FROZEN = "frozen"
    SHADOW = "shadow"
    PINNED = "pinned"
    OVER_QUOTA = "over_quota"
    DISRUPTION_BUDGET = "disruption_budget"


class PoolVerdict(StrEnum):
    """What one pool says to a waiting replica; the first that holds, in this order."""

    OTHER_ACCELERATOR = "other_accelerator"
    PINNED_ELSEWHERE = "pinned_elsewhere"
    EXCLUDED_BY_CONSTRAINTS = "excluded_by_constraints"
    TOO_BIG = "too_big"
    CORDONED = "cordoned"
    FROZEN = "frozen"
    NO_LAUNCHER = "no_launcher"
    NOT_WORTH_THE_PRICE = "not_worth_the_price"
    OVER_QUOTA = "over_quota"
    FULL = "full"
    AVAILABILITY_DOUBTED = "availability_doubted"
    OUTBID = "outbid"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaShortage:
    """The quota that keeps a replica out, after the plan; in units of its resource.

    Attributes:
        queue, cohort: whose quota it is; one of them is empty.
        needed: for one replica on the way that needs least.
        available: of what it may use and borrow.
        limit: the most that it could use if nothing ran.
    """

    queue: QueueName
    cohort: CohortName
    resource: Resource
    needed: int
    available: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    """Why a replica waits, with the numbers of the cycle that gave the reason.

    Attributes:
        verdicts: pools per verdict, in the order of the enum; every pool of the fleet is in one.
        accelerators_needed: of the smallest alternative.
        accelerators_free_max: most accelerators free in one pool that could hold it when empty.
        cheapest_cost_usd_micros_per_useful_hour: price over speed, least over pools that could hold it.
        freeze: for FROZEN.
        pool_id: for SHADOW, where it would have been placed; for PINNED, where alone it may be.
        quota: for OVER_QUOTA.
    """

    reason: DeferralReason
    verdicts: tuple[tuple[PoolVerdict, int], ...] = ()
    accelerators_needed: int = 0
    accelerators_free_max: int = 0
    cheapest_cost_usd_micros_per_useful_hour: int | None = None
    worth_usd_micros_per_useful_hour: int = 0
    not_before_ms: int | None = None
    planned_revision: Revision = Revision(0)
    freeze: Freeze | None = None
    pool_id: PoolId | None = None
    quota: QuotaShortage | None = None

    def is_same_reason(self, other: "Deferral | None") -> bool:
        """Whether nothing but the numbers of fill level and revision differs."""
        return other is not None and self._grounds == other._grounds

    @property
    def _grounds(self) -> tuple[object, ...]:
        quota = self.quota
        whose = None if quota is None else (quota.queue, quota.cohort, quota.resource)
        return (self.reason, self.verdicts, self.not_before_ms, self.freeze, self.pool_id, whose)
