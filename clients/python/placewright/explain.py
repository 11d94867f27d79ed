"""Deferrals and placements in words, with their numbers."""

from __future__ import annotations

from placewright.views import Deferral, Placement
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


def usd(micros: int) -> str:
    """Micro-dollars as dollars: "$12.50"; small amounts keep four digits."""
    dollars = micros / 1_000_000
    return f"${dollars:,.4f}" if 0 < abs(dollars) < 0.1 else f"${dollars:,.2f}"


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
    return f"{text}; next best {placement.runner_up_pool_id}, {usd(abs(difference))}/h worse in the plan"
