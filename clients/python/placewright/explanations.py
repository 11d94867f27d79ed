"""Why a replica waits or is where it is, and what would change that."""

from __future__ import annotations

from dataclasses import dataclass

from placewright.reasons import COST, Deferral, Placement, PlacementValue
from placewright.strings import usd
from placewright.words import ChangeKind, PoolVerdict


@dataclass(frozen=True, kw_only=True)
class AdmittingChange:
    """A change that admits the replica when it is made alone; `str()` says it in words.

    Attributes:
        field: of the constraints, for DROP_CONSTRAINT.
        queue, cohort, resource: whose quota of what, for RAISE_QUOTA; one of the first two is empty.
        amount: accelerators, micro-dollars per accelerator-hour, or units of the resource, by the kind.
    """

    kind: ChangeKind
    pool_id: str = ""
    field: str = ""
    queue: str = ""
    cohort: str = ""
    resource: str = ""
    amount: int = 0

    def __str__(self) -> str:
        holder = f"queue {self.queue}" if self.queue else f"cohort {self.cohort}"
        units = f"{usd(self.amount * 1_000)}/h" if self.resource == COST else f"{self.amount} {self.resource}"
        sentences = {
            ChangeKind.RELEASE_JOB: "the job released from its hold",
            ChangeKind.LIFT_FREEZES: "the freezes that concern it lifted",
            ChangeKind.UNPIN: "its pin taken back",
            ChangeKind.BACK_OFF_ENDS: "the end of its back-off",
            ChangeKind.DROP_CONSTRAINT: f"the constraint {self.field} dropped",
            ChangeKind.UNCORDON_POOL: f"pool {self.pool_id} uncordoned",
            ChangeKind.ATTACH_LAUNCHER: f"the launcher of pool {self.pool_id} attached",
            ChangeKind.MORE_ACCELERATORS: f"{self.amount} more accelerators free on pool {self.pool_id}",
            ChangeKind.LOWER_PRICE: f"{usd(self.amount)} per accelerator-hour on pool {self.pool_id}",
            ChangeKind.RAISE_QUOTA: f"the quota of {holder} raised by {units}",
        }
        return sentences.get(self.kind, "a change that this client does not know")


@dataclass(frozen=True, kw_only=True)
class PoolAnswer:
    """What one pool says to the replica.

    Attributes:
        accelerators_needed: of the smallest alternative that it could hold when empty; else of the smallest.
        accelerators_free: after the plan, whatever their shape.
        cost_usd_micros_per_useful_hour: at its marginal price; None when it could hold none.
    """

    pool_id: str
    verdict: PoolVerdict
    accelerators_needed: int
    accelerators_free: int
    cost_usd_micros_per_useful_hour: int | None


@dataclass(frozen=True, kw_only=True)
class WhyWaiting:
    """What a plan, made for the question, says of a replica that waits.

    Attributes:
        deferral: None when that plan places it.
        placement: where that plan places it.
        changes: each admits it when made alone on the same state and replanned.
        changes_tried: plans made to find them.
    """

    deferral: Deferral | None
    placement: Placement | None
    worth_usd_micros_per_useful_hour: int
    pools: tuple[PoolAnswer, ...]
    changes: tuple[AdmittingChange, ...]
    changes_tried: int


@dataclass(frozen=True, kw_only=True)
class WhyPlaced:
    """Why a replica is where it is.

    Attributes:
        value: what it counted for in the plan that placed it, and the runner-up of then.
        work_usd_micros_per_hour: at present prices, as the other parts; their sum is what it would count for.
    """

    placement: Placement
    value: PlacementValue
    work_usd_micros_per_hour: int
    price_usd_micros_per_hour: int
    urgency_usd_micros_per_hour: int
    shadow_usd_micros_per_hour: int

    @property
    def term_usd_micros_per_hour(self) -> int:
        """What the placement would count for in a plan now."""
        paid = self.price_usd_micros_per_hour + self.urgency_usd_micros_per_hour
        return self.work_usd_micros_per_hour + paid + self.shadow_usd_micros_per_hour


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Of one replica at one revision; one of the last two is None."""

    replica_id: str
    revision: int
    waiting: WhyWaiting | None
    placed: WhyPlaced | None
