"""Prices of rows: the bound they prove, what each column loses at them, and the guidance they give."""

from dataclasses import dataclass

import numpy as np

from scheduler.model.guidance import Guidance
from scheduler.model.ids import PoolId
from scheduler.planning.problem import Columns, Integers, Left, Problem

SMOOTHING = 4
"""A new shadow price moves the smoothed one by at most this part of the difference."""
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
    reduced = columns.term - (columns.amounts * rows[columns.rows]).sum(axis=1)
    gains = np.zeros(len(left.replicas), dtype=np.int64)
    np.maximum.at(gains, columns.bundle, reduced)
    bound = dot(left.free[:-1], rows[:-1]) + dot(left.replicas, gains)
    return Priced(rows=rows, gains=gains, losses=gains[columns.bundle] - reduced, bound=bound)


def dot(left: Integers, right: Integers) -> int:
    """The exact sum of products, however large."""
    both = np.flatnonzero((left != 0) & (right != 0))
    return sum(a * b for a, b in zip(left[both].tolist(), right[both].tolist(), strict=True))


def shadow_prices_of(problem: Problem, found: Priced) -> tuple[tuple[PoolId, int], ...]:
    """What one more accelerator of each open pool would be worth, micro-dollars per hour, by pool id.

    Candidates for which nothing is free have no column; their pool is worth what they would gain there.
    """
    prices = np.zeros(len(problem.pools), dtype=np.int64)
    np.add.at(prices, problem.row_pools, found.rows[:-1] // problem.row_accelerators)
    candidates = problem.candidates
    paid = (candidates.amounts * found.rows[candidates.rows]).sum(axis=1)
    better = candidates.term - paid - found.gains[candidates.bundle]
    np.maximum.at(prices, candidates.pool, prices[candidates.pool] + better // candidates.accelerators)
    return tuple(
        (planned.pool.id, price)
        for planned, price in zip(problem.pools, prices.tolist(), strict=True)
        if price > 0
    )


def guidance_of(problem: Problem, shadow_prices: tuple[tuple[PoolId, int], ...]) -> Guidance:
    """The snapshot's guidance moved towards the new prices; a pool that is gone loses its price."""
    old, new = dict(problem.snapshot.guidance.shadow_prices), dict(shadow_prices)
    parts = smoothing_parts(problem)
    moved = (
        (planned.pool.id, smoothed(old.get(planned.pool.id, 0), new.get(planned.pool.id, 0), part=part))
        for planned, part in zip(problem.pools, parts, strict=True)
    )
    return Guidance(shadow_prices=tuple((pool, price) for pool, price in moved if price > 0))


def smoothing_parts(problem: Problem) -> list[int]:
    """Per pool, what part of a difference its price moves by; smaller where that lowers terms most.

    A candidate that takes k times its fastest way's time pays the guidance k - 1 times, so that its pool's
    next price falls by as much: a step of more than 1/k would overshoot and swing for ever.
    """
    slowest = [SMOOTHING] * len(problem.pools)
    candidates = problem.candidates
    ways = zip(
        candidates.pool.tolist(), candidates.bundle.tolist(), candidates.alternative.tolist(), strict=True
    )
    for pool, bundle, alternative in ways:
        fastest = problem.bundles[bundle].work.fastest_permille
        if fastest is not None:
            speed = problem.bundles[bundle].spec.alternatives[alternative].gang_speed_permille
            slowest[pool] = max(slowest[pool], -(-fastest // speed))
    return slowest


def smoothed(old: int, new: int, *, part: int = SMOOTHING) -> int:
    difference = new - old
    if abs(difference) <= new // STILL:
        return old
    step = max(1, abs(difference) // part)
    return old + step if difference > 0 else old - step
