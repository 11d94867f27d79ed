"""Why a replica waits, and why a run is where it is: values with their numbers, and the words for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from placewright.strings import usd
from placewright.words import DeferralReason, Market, PoolVerdict

COST = "usd_millis_per_hour"

VERDICT_WORDS = {
    PoolVerdict.OTHER_ACCELERATOR: "have another accelerator",
    PoolVerdict.PINNED_ELSEWHERE: "are not the one that it is pinned to",
    PoolVerdict.EXCLUDED_BY_CONSTRAINTS: "are excluded by the job's constraints",
    PoolVerdict.TOO_BIG: "are too small even when empty",
    PoolVerdict.CORDONED: "are cordoned",
    PoolVerdict.NO_LAUNCHER: "have no launcher attached",
    PoolVerdict.NOT_WORTH_THE_PRICE: "cost more than the work is worth",
    PoolVerdict.FULL: "are full",
    PoolVerdict.AVAILABILITY_DOUBTED: "are doubted to have that much now",
    PoolVerdict.FROZEN: "are frozen",
    PoolVerdict.OVER_QUOTA: "have what the quotas do not leave",
    PoolVerdict.OUTBID: "went to jobs of more worth",
}


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """Nothing new is placed in a scope; `str()` says it in words.

    Attributes:
        pool_id, queue: of which pool or queue; both empty for the whole cell.
        principal: who froze it.
    """

    pool_id: str = ""
    queue: str = ""
    reason: str
    principal: str
    frozen_at: datetime | None

    @property
    def scope(self) -> str:
        """What is frozen: "the cell", "pool x" or "queue x"."""
        named = f"pool {self.pool_id}" if self.pool_id else f"queue {self.queue}"
        return named if self.pool_id or self.queue else "the cell"

    def __str__(self) -> str:
        since = "" if self.frozen_at is None else f" since {self.frozen_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.scope} by {self.principal}{since}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class QuotaShortage:
    """The quota that keeps a replica out; `str()` says it in words.

    Attributes:
        queue, cohort: whose quota it is; one of them is empty.
        resource: an accelerator model, or `usd_millis_per_hour`.
        needed, available, limit: for one replica, left for it, the most there could be; in the
            resource's unit.
    """

    queue: str
    cohort: str
    resource: str
    needed: int
    available: int
    limit: int

    def __str__(self) -> str:
        holder = f"queue {self.queue}" if self.queue else f"cohort {self.cohort}"
        needed, available, limit = (self._amount(n) for n in (self.needed, self.available, self.limit))
        return f"needs {needed}, the quota of {holder} leaves {available} of {limit}"

    def _amount(self, units: int) -> str:
        if self.resource == COST:
            return f"{usd(units * 1_000)}/h"
        return f"{units} {self.resource}"


@dataclass(frozen=True, kw_only=True)
class Deferral:
    """Why a replica waits, with the numbers of the plan that gave the reason; `str()` says it in words.

    Attributes:
        verdicts: what each pool of the fleet said, counted; empty when no pool was asked.
        accelerators_needed: of the smallest alternative; None, as the other numbers, when no pool was asked.
        accelerators_free_max: the most accelerators free in one pool that could hold it.
        cheapest_cost_usd_micros_per_useful_hour: None also when no pool could hold it.
        not_before: when it may be placed again, for BACKING_OFF.
        planned_revision: the revision that the plan was made for.
        freeze: what froze it, for FROZEN.
        quota: what is short, for OVER_QUOTA.
        pool_id: where it would have been placed, for SHADOW; what it is pinned to, for PINNED; else empty.
    """

    reason: DeferralReason
    verdicts: tuple[tuple[PoolVerdict, int], ...] = ()
    accelerators_needed: int | None = None
    accelerators_free_max: int | None = None
    cheapest_cost_usd_micros_per_useful_hour: int | None = None
    worth_usd_micros_per_useful_hour: int | None = None
    not_before: datetime | None = None
    planned_revision: int | None = None
    freeze: Freeze | None = None
    quota: QuotaShortage | None = None
    pool_id: str = ""

    def __str__(self) -> str:
        return deferral_text(self)


@dataclass(frozen=True, kw_only=True)
class NodeShare:
    """What a task group uses of one node, or of one slice in a pool of slices; both have names."""

    node: str
    tasks: int


@dataclass(frozen=True, kw_only=True)
class TaskGroupPlacement:
    """Where the tasks of one task group are; `nodes` is empty where the provider chooses."""

    role: str
    tasks: int
    devices_per_task: int
    nodes: tuple[NodeShare, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PoolAssignment:
    """The part of a placement on one pool.

    Attributes:
        slice_topology: empty for a gang on nodes.
        charged_usd_micros_per_hour: for all its accelerators.
    """

    pool_id: str
    accelerator: str
    accelerators: int
    slice_topology: str
    market: Market
    charged_usd_micros_per_hour: int
    task_groups: tuple[TaskGroupPlacement, ...]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a run is; `str()` says it in words.

    Attributes:
        assignments: the pools used; one for now.
        alternative_index: which of the job's alternatives was chosen, from 0.
    """

    assignments: tuple[PoolAssignment, ...]
    alternative_index: int

    @property
    def pool_id(self) -> str:
        """The pool; the first one where there are several."""
        return self.assignments[0].pool_id if self.assignments else ""

    @property
    def accelerator(self) -> str:
        """The accelerator model of the (first) pool."""
        return self.assignments[0].accelerator if self.assignments else ""

    @property
    def slice_topology(self) -> str:
        """The slice shape in the (first) pool; empty for a gang on nodes."""
        return self.assignments[0].slice_topology if self.assignments else ""

    @property
    def market(self) -> Market:
        """How the (first) pool is paid for."""
        return self.assignments[0].market if self.assignments else Market.UNKNOWN

    @property
    def accelerators(self) -> int:
        """Accelerators of all its pools."""
        return sum(assignment.accelerators for assignment in self.assignments)

    @property
    def charged_usd_micros_per_hour(self) -> int:
        """What the run is charged for all its accelerators."""
        return sum(assignment.charged_usd_micros_per_hour for assignment in self.assignments)

    @property
    def task_groups(self) -> tuple[TaskGroupPlacement, ...]:
        """The task groups of all its pools."""
        return tuple(group for assignment in self.assignments for group in assignment.task_groups)

    @property
    def tasks(self) -> int:
        """Tasks of all its groups."""
        return sum(group.tasks for group in self.task_groups)

    def __str__(self) -> str:
        return placement_text(self)


@dataclass(frozen=True, kw_only=True)
class RunnerUp:
    """The next best place for a replica in the plan that placed it."""

    pool_id: str
    term_usd_micros_per_hour: int


@dataclass(frozen=True, kw_only=True)
class PlacementValue:
    """Why a run is where it is; `str()` says it in words.

    Attributes:
        term_usd_micros_per_hour: what the placement counted for in the plan's objective.
        runner_up: None when no other pool was possible.
    """

    term_usd_micros_per_hour: int
    runner_up: RunnerUp | None

    def __str__(self) -> str:
        return value_text(self)


def deferral_text(deferral: Deferral) -> str:
    """Why a replica waits, as a sentence."""
    needed, free = _or_unknown(deferral.accelerators_needed), _or_unknown(deferral.accelerators_free_max)
    cost = _usd_or_unknown(deferral.cheapest_cost_usd_micros_per_useful_hour)
    worth = _usd_or_unknown(deferral.worth_usd_micros_per_useful_hour)
    until = "" if deferral.not_before is None else f" until {deferral.not_before:%Y-%m-%d %H:%M:%S} UTC"
    frozen = "" if deferral.freeze is None else f" for {deferral.freeze}"
    sentences = {
        DeferralReason.NOT_PLANNED_YET: "not planned yet",
        DeferralReason.FITS_NO_POOL: f"needs {needed}; no pool of the fleet could hold it even if empty",
        DeferralReason.POOL_NOT_READY: "pools that could hold it are cordoned or have no launcher",
        DeferralReason.NOT_WORTH_THE_PRICE: (
            f"an hour of useful work costs at least {cost}, it is worth {worth}"
        ),
        DeferralReason.NO_CAPACITY: f"needs {needed}, at most {free} free in one pool",
        DeferralReason.OUTBID: f"needs {needed}; jobs of more worth took the room ({free} left in one pool)",
        DeferralReason.BACKING_OFF: f"its last run ended; it waits{until} before the next",
        DeferralReason.AVAILABILITY_DOUBTED: f"needs {needed}; the provider is believed to have less now",
        DeferralReason.HELD: "its job is held",
        DeferralReason.FROZEN: f"planning is frozen{frozen}",
        DeferralReason.OVER_QUOTA: str(deferral.quota or "its quotas leave too little"),
        DeferralReason.SHADOW: f"the scheduler only shadows: it would have been placed on {deferral.pool_id}",
        DeferralReason.PINNED: f"needs {needed}; pinned to {deferral.pool_id}, which cannot take it now",
        DeferralReason.DISRUPTION_BUDGET: (
            f"needs {needed}; runs of less worth would make room, but no more may be stopped now"
        ),
    }
    return sentences.get(deferral.reason, "waits for a reason this client does not know")


def verdict_lines(deferral: Deferral) -> list[str]:
    """What the pools of the fleet said, a line for each verdict."""
    return [
        f"{count} {'pool' if count == 1 else 'pools'} {VERDICT_WORDS.get(verdict, 'gave another verdict')}"
        for verdict, count in deferral.verdicts
    ]


def size_text(assignment: PoolAssignment) -> str:
    """What a run takes of a pool: "64 h100" or "tpu-v5p:4x4x8"."""
    if assignment.slice_topology:
        return f"{assignment.accelerator}:{assignment.slice_topology}"
    return f"{assignment.accelerators} {assignment.accelerator}"


def placement_text(placement: Placement) -> str:
    """Where a run is and at what price."""
    places = " and ".join(_assignment_text(assignment) for assignment in placement.assignments)
    return f"{places or 'nowhere'} at {usd(placement.charged_usd_micros_per_hour)}/h"


def value_text(value: PlacementValue) -> str:
    """Why a run is where it is, against the next best place."""
    runner_up = value.runner_up
    if runner_up is None:
        return "no other pool was possible"
    difference = runner_up.term_usd_micros_per_hour - value.term_usd_micros_per_hour
    if difference > 0:
        return (
            f"{runner_up.pool_id} would net {usd(difference)}/h more for this job, "
            "but its room is worth more to others"
        )
    return f"next best {runner_up.pool_id}, {usd(-difference)}/h worse in the plan"


def _assignment_text(assignment: PoolAssignment) -> str:
    market = "" if assignment.market is Market.UNKNOWN else f" ({assignment.market})"
    return f"{size_text(assignment)} in {assignment.pool_id}{market}"


def _or_unknown(number: int | None) -> str:
    return "?" if number is None else str(number)


def _usd_or_unknown(micros: int | None) -> str:
    return "?" if micros is None else usd(micros)
