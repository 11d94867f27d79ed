"""Deferrals: why each replica that got no place waits, with the numbers of this plan."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from scheduler.model.brakes import Freeze, FreezeScope
from scheduler.model.deferral import Deferral, DeferralReason, PoolVerdict, QuotaShortage
from scheduler.model.ids import QueueName, ReplicaId
from scheduler.model.queue import CohortName
from scheduler.planning.bundles import Bundle
from scheduler.planning.eligibility import is_allowed
from scheduler.planning.problem import Left, Problem
from scheduler.planning.quotas import QuotaTrees

STRUCTURAL = (
    PoolVerdict.OTHER_ACCELERATOR,
    PoolVerdict.PINNED_ELSEWHERE,
    PoolVerdict.EXCLUDED_BY_CONSTRAINTS,
    PoolVerdict.TOO_BIG,
)
CLOSED = (PoolVerdict.CORDONED, PoolVerdict.FROZEN, PoolVerdict.NO_LAUNCHER)


class Outcome(Protocol):
    """What a plan leaves.

    Attributes:
        left: by bundle, the last so many have no place.
        quotas: what is left of quotas and shares.
        held_back: bundles that the disruption budget keeps waiting.
    """

    @property
    def left(self) -> Sequence[int]: ...
    @property
    def quotas(self) -> QuotaTrees: ...
    @property
    def held_back(self) -> Collection[int]: ...


def deferrals_of(
    problem: Problem, outcome: Outcome, accelerators: list[int]
) -> tuple[tuple[ReplicaId, Deferral], ...]:
    """A deferral for every replica without a place, by replica id; made once per bundle.

    `accelerators`: free after the plan, by pool.
    """
    found: list[tuple[ReplicaId, Deferral]] = []
    for number, bundle in enumerate(problem.bundles):
        waiting = outcome.left[number] if bundle.may_be_placed else len(bundle.replicas)
        if waiting:
            deferral = deferral_of(
                problem, number, accelerators, quota_shortage(problem, number, outcome.quotas)
            )
            if number in outcome.held_back:
                deferral = replace(
                    deferral, reason=DeferralReason.DISRUPTION_BUDGET, freeze=None, pool_id=None, quota=None
                )
            found.extend((each.replica.id, deferral) for each in bundle.replicas[-waiting:])
    return tuple(sorted(found, key=lambda each: each[0]))


def deferral_of(
    problem: Problem, number: int, accelerators: list[int], shortage: QuotaShortage | None
) -> Deferral:
    bundle, survey = problem.bundles[number], problem.survey
    verdicts = survey.verdicts[number] if bundle.may_be_placed else {}
    reason = reason_of(bundle, verdicts, is_over_quota=shortage is not None)
    return Deferral(
        reason=reason,
        verdicts=tuple((verdict, verdicts[verdict]) for verdict in PoolVerdict if verdicts.get(verdict)),
        accelerators_needed=min(way.accelerators for way in bundle.spec.alternatives),
        accelerators_free_max=max((accelerators[pool] for pool in survey.holders[number]), default=0),
        cheapest_cost_usd_micros_per_useful_hour=survey.cheapest[number],
        worth_usd_micros_per_useful_hour=bundle.work.worth,
        not_before_ms=bundle.not_before_ms,
        planned_revision=problem.snapshot.revision,
        freeze=freeze_told(problem, bundle) if reason is DeferralReason.FROZEN else None,
        pool_id=bundle.pinned_to if reason is DeferralReason.PINNED else None,
        quota=shortage if reason is DeferralReason.OVER_QUOTA else None,
    )


def quota_shortage(problem: Problem, number: int, after: QuotaTrees) -> QuotaShortage | None:
    """What is short where no way of the bundle is within its quotas after the plan."""
    if not after.nodes:
        return None
    candidates, pool_rows, free = problem.candidates, problem.left.pool_rows, problem.left.free.copy()
    free[pool_rows:-1] = after.available()
    first, last = np.searchsorted(candidates.bundle, (number, number + 1)).tolist()
    found: list[tuple[int, int]] = []
    for rows, amounts in zip(candidates.rows[first:last], candidates.amounts[first:last], strict=True):
        of_quotas = (rows >= pool_rows) & (rows < len(free) - 1)
        short = np.flatnonzero(of_quotas & (amounts > free[rows]))
        if not len(short):
            return None
        found.append((int(amounts[short[0]]), int(rows[short[0]]) - pool_rows))
    return None if not found else shortage_at(problem, after, *min(found))


def shortage_at(problem: Problem, after: QuotaTrees, needed: int, leaf: int) -> QuotaShortage:
    node = after.binding(leaf)
    name = problem.quotas.names[node]
    return QuotaShortage(
        queue=name.queue or QueueName(""),
        cohort=name.cohort or CohortName(""),
        resource=name.resource,
        needed=needed,
        available=int(after.available()[leaf]),
        limit=problem.quotas.limits[leaf],
    )


def freeze_told(problem: Problem, bundle: Bundle) -> Freeze | None:
    """The freeze of the cell or the queue, else the first of a pool that the bundle might use."""
    accelerators = {way.accelerator for way in bundle.spec.alternatives}
    of_pools = {each.target: each for each in problem.snapshot.freezes if each.scope is FreezeScope.POOL}
    wanted = (
        of_pools[pool.id]
        for pool in (planned.pool for planned in problem.pools)
        if pool.id in of_pools
        and pool.spec.accelerator in accelerators
        and is_allowed(bundle.spec.constraints, pool)
        and bundle.allows(pool.id)
    )
    return bundle.freeze or next(wanted, None)


def reason_of(bundle: Bundle, verdicts: Mapping[PoolVerdict, int], *, is_over_quota: bool) -> DeferralReason:
    """The first that explains the wait: people, time, pin, size, readiness, price, quota, others, room.

    `is_over_quota`: no way that is worth its price is within the quotas after the plan.
    """
    if bundle.is_held:
        return DeferralReason.HELD
    if bundle.freeze is not None:
        return DeferralReason.FROZEN
    if bundle.not_before_ms is not None:
        return DeferralReason.BACKING_OFF
    said = {verdict for verdict, pools in verdicts.items() if pools}
    possible = said.difference(STRUCTURAL)
    if bundle.pinned_to is not None and PoolVerdict.FROZEN not in said:
        return DeferralReason.PINNED
    if not possible:
        return DeferralReason.FITS_NO_POOL
    open_ = possible.difference(CLOSED)
    if not open_ and PoolVerdict.FROZEN in said:
        return DeferralReason.FROZEN
    if not open_:
        return DeferralReason.POOL_NOT_READY
    if open_ == {PoolVerdict.NOT_WORTH_THE_PRICE}:
        return DeferralReason.NOT_WORTH_THE_PRICE
    if is_over_quota:
        return DeferralReason.OVER_QUOTA
    if PoolVerdict.OUTBID in open_:
        return DeferralReason.OUTBID
    if PoolVerdict.AVAILABILITY_DOUBTED in open_:
        return DeferralReason.AVAILABILITY_DOUBTED
    return DeferralReason.NO_CAPACITY


def accelerators_left(problem: Problem, after: Left) -> list[int]:
    """Free accelerators per pool after the plan, whatever their shape."""
    free = np.array([room.accelerators for room in problem.rooms], dtype=np.int64)
    used = (problem.left.free - after.free)[: len(problem.row_pools)] * problem.row_accelerators
    most_used = np.zeros(len(free), dtype=np.int64)
    np.maximum.at(most_used, problem.row_pools, used)
    return [int(left) for left in free - most_used]
