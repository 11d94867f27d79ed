"""Explanation: why each replica that got no place waits, with the numbers of this plan."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from scheduler.model.brakes import Freeze, FreezeScope
from scheduler.model.deferral import Deferral, DeferralReason, PoolVerdict
from scheduler.model.ids import ReplicaId
from scheduler.planning.bundles import Bundle
from scheduler.planning.eligibility import is_allowed
from scheduler.planning.greedy import left_after
from scheduler.planning.problem import Integers, Problem

STRUCTURAL = (PoolVerdict.OTHER_ACCELERATOR, PoolVerdict.EXCLUDED_BY_CONSTRAINTS, PoolVerdict.TOO_BIG)
CLOSED = (PoolVerdict.CORDONED, PoolVerdict.FROZEN, PoolVerdict.NO_LAUNCHER)


def deferrals_of(
    problem: Problem, left: Sequence[int], accelerators: list[int], *, held_back: Collection[int]
) -> tuple[tuple[ReplicaId, Deferral], ...]:
    """A deferral for every replica without a place, by replica id; made once per bundle.

    `left`: by bundle, the last so many have none. `accelerators`: free after the plan, by pool.
    `held_back`: bundles that the disruption budget keeps waiting.
    """
    found: list[tuple[ReplicaId, Deferral]] = []
    for number, bundle in enumerate(problem.bundles):
        waiting = left[number] if bundle.may_be_placed else len(bundle.replicas)
        if waiting:
            deferral = deferral_of(problem, number, accelerators)
            if number in held_back:
                deferral = replace(deferral, reason=DeferralReason.DISRUPTION_BUDGET)
            found.extend((each.replica.id, deferral) for each in bundle.replicas[-waiting:])
    return tuple(sorted(found, key=lambda each: each[0]))


def deferral_of(problem: Problem, number: int, accelerators: list[int]) -> Deferral:
    bundle, survey = problem.bundles[number], problem.survey
    verdicts = survey.verdicts[number] if bundle.may_be_placed else {}
    reason = reason_of(bundle, verdicts)
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
    )
    return bundle.freeze or next(wanted, None)


def reason_of(bundle: Bundle, verdicts: Mapping[PoolVerdict, int]) -> DeferralReason:
    """The first that explains the wait: people, time, structure, readiness, price, others, provider, room."""
    if bundle.is_held:
        return DeferralReason.HELD
    if bundle.freeze is not None:
        return DeferralReason.FROZEN
    if bundle.not_before_ms is not None:
        return DeferralReason.BACKING_OFF
    said = {verdict for verdict, pools in verdicts.items() if pools}
    possible = said.difference(STRUCTURAL)
    if not possible:
        return DeferralReason.FITS_NO_POOL
    open_ = possible.difference(CLOSED)
    if not open_ and PoolVerdict.FROZEN in said:
        return DeferralReason.FROZEN
    if not open_:
        return DeferralReason.POOL_NOT_READY
    if open_ == {PoolVerdict.NOT_WORTH_THE_PRICE}:
        return DeferralReason.NOT_WORTH_THE_PRICE
    if PoolVerdict.OUTBID in open_:
        return DeferralReason.OUTBID
    if PoolVerdict.AVAILABILITY_DOUBTED in open_:
        return DeferralReason.AVAILABILITY_DOUBTED
    return DeferralReason.NO_CAPACITY


def accelerators_left(problem: Problem, taken: Integers) -> list[int]:
    """Free accelerators per pool after the plan, whatever their shape."""
    free = np.array([room.accelerators for room in problem.rooms], dtype=np.int64)
    after = left_after(problem.columns, taken, left=problem.left)
    used = (problem.left.free - after.free)[:-1] * problem.row_accelerators
    most_used = np.zeros(len(free), dtype=np.int64)
    np.maximum.at(most_used, problem.row_pools, used)
    return [int(left) for left in free - most_used]
