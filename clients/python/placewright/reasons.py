"""Why a replica waits, and why a run is where it is: values with their numbers, and the words for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from placewright.strings import usd
from placewright.words import DeferralReason, Market, PoolVerdict

VERDICT_WORDS = {
    PoolVerdict.OTHER_ACCELERATOR: "have another accelerator",
    PoolVerdict.EXCLUDED_BY_CONSTRAINTS: "are excluded by the job's constraints",
    PoolVerdict.TOO_BIG: "are too small even when empty",
    PoolVerdict.CORDONED: "are cordoned",
    PoolVerdict.NO_LAUNCHER: "have no launcher attached",
    PoolVerdict.NOT_WORTH_THE_PRICE: "cost more than the work is worth",
    PoolVerdict.FULL: "are full",
    PoolVerdict.AVAILABILITY_DOUBTED: "are doubted to have that much now",
    PoolVerdict.OUTBID: "went to jobs of more worth",
}


@dataclass(frozen=True, kw_only=True)
class Deferral:
    """Why a replica waits, with the numbers of the plan that gave the reason; `str()` says it in words.

    Attributes:
        verdicts: what each pool of the fleet said, counted.
        accelerators_needed: of the smallest alternative.
        accelerators_free_max: the most accelerators free in one pool that could hold it.
        cheapest_cost_usd_micros_per_useful_hour: None when no pool could hold it.
        not_before: when it may be placed again, for BACKING_OFF.
    """

    reason: DeferralReason
    verdicts: tuple[tuple[PoolVerdict, int], ...] = ()
    accelerators_needed: int = 0
    accelerators_free_max: int = 0
    cheapest_cost_usd_micros_per_useful_hour: int | None = None
    worth_usd_micros_per_useful_hour: int = 0
    not_before: datetime | None = None
    planned_revision: int = 0

    def __str__(self) -> str:
        return deferral_text(self)


@dataclass(frozen=True, kw_only=True)
class NodeShare:
    """What a run uses of one node, or of one slice in a pool of slices."""

    node: int
    tasks: int


@dataclass(frozen=True, kw_only=True)
class PoolAssignment:
    """The part of a placement on one pool; `nodes` is empty where the provider chooses."""

    pool_id: str
    accelerators: int
    nodes: tuple[NodeShare, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a run is, and why there; `str()` says it in words.

    Attributes:
        term_usd_micros_per_hour: what the placement counted for in the plan's objective.
        runner_up_pool_id: the next best pool; empty when there was none.
    """

    assignments: tuple[PoolAssignment, ...]
    alternative_index: int
    accelerator: str
    slice_topology: str
    tasks: int
    devices_per_task: int
    market: Market
    charged_usd_micros_per_hour: int
    term_usd_micros_per_hour: int
    runner_up_pool_id: str
    runner_up_term_usd_micros_per_hour: int

    @property
    def pool_id(self) -> str:
        """The pool; the first one where there are several."""
        return self.assignments[0].pool_id if self.assignments else ""

    @property
    def accelerators(self) -> int:
        return sum(assignment.accelerators for assignment in self.assignments)

    def __str__(self) -> str:
        return placement_text(self)


def deferral_text(deferral: Deferral) -> str:
    """Why a replica waits, as a sentence."""
    needed, free = deferral.accelerators_needed, deferral.accelerators_free_max
    cost = deferral.cheapest_cost_usd_micros_per_useful_hour
    worth = usd(deferral.worth_usd_micros_per_useful_hour)
    until = "" if deferral.not_before is None else f" until {deferral.not_before:%Y-%m-%d %H:%M:%S} UTC"
    sentences = {
        DeferralReason.NOT_PLANNED_YET: "not planned yet",
        DeferralReason.FITS_NO_POOL: f"needs {needed}; no pool of the fleet could hold it even if empty",
        DeferralReason.POOL_NOT_READY: "pools that could hold it are cordoned or have no launcher",
        DeferralReason.NOT_WORTH_THE_PRICE: (
            f"an hour of useful work costs at least {'?' if cost is None else usd(cost)}, it is worth {worth}"
        ),
        DeferralReason.NO_CAPACITY: f"needs {needed}, at most {free} free in one pool",
        DeferralReason.OUTBID: f"needs {needed}; jobs of more worth took the room ({free} left in one pool)",
        DeferralReason.BACKING_OFF: f"its last run ended; it waits{until} before the next",
        DeferralReason.AVAILABILITY_DOUBTED: f"needs {needed}; the provider is believed to have less now",
    }
    return sentences.get(deferral.reason, "waits for a reason this client does not know")


def verdict_lines(deferral: Deferral) -> list[str]:
    """What the pools of the fleet said, a line for each verdict."""
    return [
        f"{count} {'pool' if count == 1 else 'pools'} {VERDICT_WORDS.get(verdict, 'gave another verdict')}"
        for verdict, count in deferral.verdicts
    ]


def size_text(placement: Placement) -> str:
    """What a placement takes: "64 h100" or "tpu-v5p:4x4x8"."""
    if placement.slice_topology:
        return f"{placement.accelerator}:{placement.slice_topology}"
    return f"{placement.accelerators} {placement.accelerator}"


def placement_text(placement: Placement) -> str:
    """Where a run is and why there, as a sentence."""
    market = "" if placement.market is Market.UNKNOWN else f" ({placement.market})"
    text = f"{size_text(placement)} in {placement.pool_id}{market}"
    text += f" at {usd(placement.charged_usd_micros_per_hour)}/h"
    if not placement.runner_up_pool_id:
        return f"{text}; no other pool was possible"
    difference = placement.runner_up_term_usd_micros_per_hour - placement.term_usd_micros_per_hour
    if difference > 0:
        return (
            f"{text}; {placement.runner_up_pool_id} would net {usd(difference)}/h more for this job, "
            "but its room is worth more to others"
        )
    return f"{text}; next best {placement.runner_up_pool_id}, {usd(-difference)}/h worse in the plan"
