"""Prices for large problems: an LP on few columns, and on those that its prices show to be missing.

Whatever the prices are, they prove a bound (`prices.priced`); the closer they are, the better it is.
"""

import numpy as np

from scheduler.planning.prices import Priced, priced
from scheduler.planning.problem import Columns, Flags, Integers, Left
from scheduler.planning.quotas import QuotaTrees
from scheduler.planning.solver.relaxation import Relaxation, relaxed

DIRECT_COLUMNS_MAX = 40_000
"""Up to so many the whole LP is as fast."""
SAMPLE_EVERY = 10
"""One bundle in so many gives the first prices, on as small a part of what is free."""
FIRST_PER_BUNDLE = 2
MORE_PER_BUNDLE = 2
ROUNDS_MAX = 30
GAP = 1e-4
"""Between what the columns at hand give and the bound at their prices; a part of the bound."""


def lp_priced(columns: Columns, *, left: Left, iterations_max: int) -> Priced:
    """The columns judged at prices of the LP, or at nearly those where it is large."""
    if len(columns) <= DIRECT_COLUMNS_MAX:
        return priced(columns, relaxed(columns, left=left, iterations_max=iterations_max).rows, left=left)
    return generated(columns, left=left, iterations_max=iterations_max)


def generated(columns: Columns, *, left: Left, iterations_max: int) -> Priced:
    """The columns judged at prices of an LP on those that matter."""
    found = sample_priced(columns, left=left, iterations_max=iterations_max)
    chosen = best_of_bundles(columns, found.losses, FIRST_PER_BUNDLE)
    best = found
    for _ in range(ROUNDS_MAX):
        part = columns.only(np.flatnonzero(chosen))
        relaxation = relaxed(part, left=left, iterations_max=iterations_max)
        if not relaxation.is_solved:
            break
        found = priced(columns, relaxation.rows, left=left)
        best = min(best, found, key=lambda each: each.bound)
        if best.bound - worth_of(part, relaxation, left=left) <= GAP * best.bound:
            break
        missing = best_of_bundles(columns, found.losses, MORE_PER_BUNDLE) & ~chosen
        if not missing.any():
            break
        chosen |= missing
    return best


def sample_priced(columns: Columns, *, left: Left, iterations_max: int) -> Priced:
    """At prices of a sample of bundles, spread over what they are worth, on a like part of what is free."""
    top = np.zeros(len(left.replicas), dtype=np.int64)
    np.maximum.at(top, columns.bundle, columns.gain)
    order = np.lexsort((np.arange(len(top)), -top))
    is_sampled = np.zeros(len(top), dtype=np.bool_)
    is_sampled[order[SAMPLE_EVERY // 2 :: SAMPLE_EVERY]] = True
    sample = columns.only(is_sampled[columns.bundle])
    relaxation = relaxed(sample, left=a_tenth_of(left), iterations_max=iterations_max)
    return priced(columns, relaxation.rows, left=left)


def a_tenth_of(left: Left) -> Left:
    trees = left.quotas
    quotas = QuotaTrees(
        trees.parents, trees.local // SAMPLE_EVERY, trees.overflow // SAMPLE_EVERY, trees.tolls
    )
    free = left.free // SAMPLE_EVERY
    free[left.pool_rows : -1] = quotas.available()
    return Left(free, left.replicas, quotas)


def best_of_bundles(columns: Columns, losses: Integers, many: int) -> Flags:
    """(columns,) whether it is among the columns of its bundle that lose least."""
    order = np.lexsort((np.arange(len(columns)), losses, columns.bundle))
    bundles = columns.bundle[order]
    firsts = np.flatnonzero(np.diff(bundles, prepend=-1))
    place = np.arange(len(order)) - np.repeat(firsts, np.diff([*firsts, len(order)]))
    chosen = np.zeros(len(columns), dtype=np.bool_)
    chosen[order[place < many]] = True
    return chosen


def worth_of(columns: Columns, relaxation: Relaxation, *, left: Left) -> float:
    """What the LP's optimum is worth, micro-dollars per hour: by duality, the price of all that it uses."""
    return float(priced(columns, relaxation.rows, left=left).bound)
