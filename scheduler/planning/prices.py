"""Prices of rows: the bound they prove, what each column loses at them, and the guidance they give."""

from dataclasses import dataclass

import numpy as np

from scheduler.model.guidance import Guidance
from scheduler.model.ids import PoolId
from scheduler.model.plan import Snapshot
from scheduler.planning.problem import Columns, Integers, Left, Problem
from scheduler.planning.quotas import NO_PARENT

SMOOTHING = 4
"""A new shadow price moves the smoothed one by this part of the difference."""
STILL = 32
"""A difference of less than this part of the price moves nothing, so that guidance comes to rest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Priced:
    """Columns judged at given row prices; everything in integer micro-dollars per hour.

    Attributes:
        rows: (rows + 1,) price of one unit; the padding's is 0.
        gains: (bundles,) what one replica gains at these prices on its best column, at least 0.
        losses: (columns,) gain of the column's bundle less its own; what taking it costs the bound.
        bound: at least the value of any plan, for any prices that are not negative.
    """

    rows: Integers
    gains: Integers
    losses: Integers
    bound: int


def priced(columns: Columns, rows: Integers, *, left: Left) -> Priced:
    """Judge columns; the bound is the price of all that is free and the best gain of every replica."""
    reduced = columns.gain - (columns.amounts * rows[columns.rows]).sum(axis=1)
    gains = np.zeros(len(left.replicas), dtype=np.int64)
    np.maximum.at(gains, columns.bundle, reduced)
    of_pools = slice(left.pool_rows)
    bound = dot(left.free[of_pools], rows[of_pools]) + dot(left.replicas, gains)
    bound += price_of_quotas(left, rows[left.pool_rows : -1])
    return Priced(rows=rows, gains=gains, losses=gains[columns.bundle] - reduced, bound=bound)


def price_of_quotas(left: Left, prices: Integers) -> int:
    """At least what all that quotas leave is worth at these prices of their nodes.

    A node's own part at its price, and what it passes on at what that is above its parent's and the toll.
    """
    trees, found = left.quotas, 0
    available = left.free[left.pool_rows : -1].tolist()
    local, overflow, price = trees.local.tolist(), trees.overflow.tolist(), prices.tolist()
    for node, (parent, toll) in enumerate(zip(trees.parents.tolist(), trees.tolls.tolist(), strict=True)):
        found += local[node] * price[node]
        if parent != NO_PARENT:
            most = min(overflow[node], available[parent])
            found += most * max(0, price[node] - price[parent] - toll)
    return found


def dot(left: Integers, right: Integers) -> int:
    """The exact sum of products, however large."""
    both = np.flatnonzero((left != 0) & (right != 0))
    return sum(a * b for a, b in zip(left[both].tolist(), right[both].tolist(), strict=True))


def shadow_prices_of(problem: Problem, found: Priced) -> tuple[tuple[PoolId, int], ...]:
    """What one more accelerator of each open pool would be worth, micro-dollars per hour, by pool id.

    Candidates for which nothing is free have no column; their pool is worth what they would gain there,
    if their quotas let them in.
    """
    prices = np.zeros(len(problem.pools), dtype=np.int64)
    of_pools = found.rows[: len(problem.row_pools)]
    np.add.at(prices, problem.row_pools, of_pools // problem.row_accelerators)
    candidates = problem.candidates.only(problem.within_quotas())
    paid = (candidates.amounts * found.rows[candidates.rows]).sum(axis=1)
    better = candidates.gain - paid - found.gains[candidates.bundle]
    np.maximum.at(prices, candidates.pool, prices[candidates.pool] + better // candidates.accelerators)
    return tuple(
        (planned.pool.id, price)
        for planned, price in zip(problem.pools, prices.tolist(), strict=True)
        if price > 0
    )


def guidance_of(snapshot: Snapshot, unguided: tuple[tuple[PoolId, int], ...]) -> Guidance:
    """The snapshot's guidance moved towards the prices that the pools have without any guidance.

    Those do not depend on the guidance, so that it comes to rest while nothing else changes.
    """
    old, new = dict(snapshot.guidance.shadow_prices), dict(unguided)
    ids = [planned.pool.id for planned in snapshot.pools]
    moved = ((pool, smoothed(old.get(pool, 0), new.get(pool, 0))) for pool in ids)
    return Guidance(shadow_prices=tuple((pool, price) for pool, price in moved if price > 0))


def smoothed(old: int, new: int) -> int:
    difference = new - old
    if abs(difference) <= new // STILL:
        return old
    step = max(1, abs(difference) // SMOOTHING)
    return old + step if difference > 0 else old - step
