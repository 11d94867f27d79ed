"""Dive: settle the worthiest bundles first, each part by an LP on what the parts above have left."""

from typing import NamedTuple

import numpy as np

from scheduler.model.plan import WorkLimits
from scheduler.planning.greedy import filled, left_after, topped_up, value_of
from scheduler.planning.prices import Priced, priced
from scheduler.planning.problem import Columns, Flags, Integers, Left, Problem
from scheduler.planning.solver.relaxation import Relaxation, relaxed

INTEGRAL_WITHIN = 1e-6
NEAR_LOSS = 0.1
"""Columns that lose more than this part of their bundle's best gain are left to the end."""
DIVES_COLUMNS_MAX = 100_000
"""A larger problem is dived into once only."""


class Dive(NamedTuple):
    """A way down.

    Attributes:
        quantiles: of the bundles' best gains; each part is what lies above one.
        loss: bundles that the LP splits take columns that lose at most this part of their best gain.
    """

    quantiles: tuple[float, ...]
    loss: float


DIVES = (
    Dive((0.995, 0.985, 0.97, 0.955, 0.94, 0.9, 0.8, 0.6, 0.3, 0.0, 0.0), 0.0),
    Dive((0.98, 0.95, 0.9, 0.8, 0.6, 0.3, 0.0), 0.003),
    Dive((0.99, 0.97, 0.94, 0.9, 0.8, 0.6, 0.3, 0.0), 0.0),
)
"""None is best on every instance (docs/decisions/planning-search.md)."""


def best_dive(problem: Problem, at_prices: Priced, *, limits: WorkLimits) -> Integers:
    """Counts by column of the best dive; a tie goes to the first."""
    dives = DIVES if len(problem.columns) <= DIVES_COLUMNS_MAX else DIVES[:1]
    found = [dived(problem, at_prices, dive, limits=limits) for dive in dives]
    return max(found, key=lambda taken: value_of(problem.columns, taken, left=problem.left))


def dived(problem: Problem, at_prices: Priced, dive: Dive, *, limits: WorkLimits) -> Integers:
    """Rounding a whole LP down lets small bundles block big split gangs; from the top down they cannot."""
    columns, top = problem.columns, best_gains(problem)
    taken = np.zeros(len(columns), dtype=np.int64)
    near = np.flatnonzero(at_prices.losses <= NEAR_LOSS * top[columns.bundle])
    for quantile in dive.quantiles if len(columns) else ():
        left = left_after(columns, taken, left=problem.left)
        usable = near[columns.only(near).that_fit(left.free) & (left.replicas[columns.bundle[near]] > 0)]
        part = columns.only(usable)
        is_high = top[part.bundle] >= np.quantile(top, quantile)
        relaxation = relaxed(part, left=left, iterations_max=limits.lp_iterations_max)
        taken[usable] += settled(part, top, is_high, relaxation=relaxation, left=left, loss=dive.loss)
    return topped_up(problem, taken, at_prices.losses)


def best_gains(problem: Problem) -> Integers:
    """(bundles,) the best gain of each."""
    top = np.zeros(len(problem.left.replicas), dtype=np.int64)
    np.maximum.at(top, problem.columns.bundle, problem.columns.gain)
    return top


def settled(
    part: Columns, top: Integers, is_high: Flags, *, relaxation: Relaxation, left: Left, loss: float
) -> Integers:
    """What the high bundles take: what the LP gives them whole, then the split ones, worthiest first."""
    whole = np.floor(relaxation.fractions + INTEGRAL_WITHIN).astype(np.int64) * is_high
    losses = priced(part, relaxation.rows, left=left).losses
    order = np.lexsort((np.arange(len(part)), losses, -top[part.bundle]))
    is_wanted = is_high & (losses <= loss * top[part.bundle])
    return filled(part, order[is_wanted[order]], left=left_after(part, whole, left=left), taken=whole)
