"""Improvement: from the floor and the LP's prices to a plan that little can better."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from scheduler.model.plan import SolverStatus, WorkLimits
from scheduler.planning.dive import best_dive, best_gains
from scheduler.planning.greedy import filled, left_after, topped_up, value_of
from scheduler.planning.prices import Priced
from scheduler.planning.problem import Integers, Problem
from scheduler.planning.solver.integer import SearchLimits, searched

BLENDS = (0.0, 0.01, 0.03, 0.1, 0.3)
"""How far the price greedy's order leans from gain at prices towards plain worth."""
WHOLE_COLUMNS_MAX = 1_500
NEIGHBOURHOOD_POOLS = 10
NEIGHBOURHOOD_COLUMNS = 1_000
"""At first, beside the columns taken; it grows while searches end with a proof."""
NEIGHBOURHOOD_WORK = 0.6
SECONDS_PER_UNIT = 2.5
"""A unit of CP-SAT's deterministic time takes about so long; limits of work are in seconds of a core."""
SECONDS_PER_COLUMN = 5e-5
"""What building a search takes, charged to the limit too."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Improved:
    """The best counts found, the least bound on any, how the search ended and the work that it took."""

    taken: Integers
    bound: int
    status: SolverStatus
    work: float


def improved(problem: Problem, floor: Integers, at_prices: Priced, *, limits: WorkLimits) -> Improved:
    """Never worse than the floor; nothing that still fits is left out."""
    columns = problem.columns
    value = partial(value_of, columns, left=problem.left)
    best = price_greedy(problem, floor, at_prices)
    if value(best) < at_prices.bound:
        best = max(best, best_dive(problem, at_prices, limits=limits), key=value)
    found = searched_further(problem, best, at_prices, limits=limits)
    taken = topped_up(problem, found.taken, at_prices.losses)
    status = found.status
    if value(taken) == found.bound:
        status = SolverStatus.OPTIMAL
    elif value(taken) == value(floor):
        status = SolverStatus.NOTHING_BETTER
    return Improved(taken=taken, bound=found.bound, status=status, work=found.work)


def searched_further(problem: Problem, best: Integers, at_prices: Priced, *, limits: WorkLimits) -> Improved:
    """By CP-SAT: all columns that a better plan may use if they are few, else neighbourhoods."""
    gap = at_prices.bound - value_of(problem.columns, best, left=problem.left)
    if not gap:
        return Improved(taken=best, bound=at_prices.bound, status=SolverStatus.OPTIMAL, work=0.0)
    useful = np.flatnonzero((at_prices.losses <= gap) | (best > 0))
    if len(useful) <= WHOLE_COLUMNS_MAX:
        return search_whole(problem, best, useful, bound=at_prices.bound, limits=limits)
    return search_neighbourhoods(problem, best, at_prices, limits=limits)


def price_greedy(problem: Problem, floor: Integers, at_prices: Priced) -> Integers:
    """The best of greedy orders by gain at the prices, from scratch; the floor if none is better."""
    columns, best = problem.columns, floor
    top = best_gains(problem)
    gains = at_prices.gains[columns.bundle]
    for blend in BLENDS:
        score = gains + blend * (top[columns.bundle] - gains) - at_prices.losses
        order = np.lexsort((np.arange(len(columns)), at_prices.losses, -score))
        taken = filled(columns, order, left=problem.left)
        if value_of(columns, taken, left=problem.left) > value_of(columns, best, left=problem.left):
            best = taken
    return best


def search_whole(
    problem: Problem, best: Integers, useful: Integers, *, bound: int, limits: WorkLimits
) -> Improved:
    """Search the useful columns; any plan that uses others is worth no more than the best so far."""
    columns = problem.columns
    found = searched(
        columns.only(useful),
        left=problem.left,
        hint=best[useful],
        limits=search_limits(limits.deterministic_time, limits),
    )
    taken = np.zeros_like(best)
    taken[useful] = found.taken
    value = partial(value_of, columns, left=problem.left)
    if value(taken) < value(best):
        taken = best
    if found.bound is not None:
        bound = min(bound, max(found.bound, value(taken)))
    return Improved(
        taken=taken, bound=bound, status=SolverStatus.FEASIBLE, work=SECONDS_PER_UNIT * found.work
    )


def search_limits(seconds: float, limits: WorkLimits) -> SearchLimits:
    return SearchLimits(deterministic_time=seconds / SECONDS_PER_UNIT, random_seed=limits.random_seed)


def search_neighbourhoods(
    problem: Problem, best: Integers, at_prices: Priced, *, limits: WorkLimits
) -> Improved:
    """Free a few pools at a time, drawn by what they lose against the bound, and fill them anew."""
    draw = np.random.default_rng(limits.random_seed)
    work, size, columns = 0.0, NEIGHBOURHOOD_COLUMNS, problem.columns
    while work < limits.deterministic_time:
        best = topped_up(problem, best, at_prices.losses)
        chosen = neighbourhood(problem, best, at_prices, draw=draw, size=size)
        outside = best.copy()
        outside[chosen] = 0
        part, left = columns.only(chosen), left_after(columns, outside, left=problem.left)
        found = searched(
            part,
            left=left,
            hint=best[chosen],
            limits=search_limits(min(NEIGHBOURHOOD_WORK, limits.deterministic_time - work), limits),
        )
        work += SECONDS_PER_UNIT * found.work + SECONDS_PER_COLUMN * len(chosen)
        size = size * 3 // 2 if found.is_optimal else max(NEIGHBOURHOOD_COLUMNS, size * 3 // 4)
        if value_of(part, found.taken, left=left) >= value_of(part, best[chosen], left=left):
            best = outside
            best[chosen] = found.taken
        if found.is_optimal and len(chosen) == len(columns):
            value = value_of(columns, best, left=problem.left)
            return Improved(taken=best, bound=value, status=SolverStatus.FEASIBLE, work=work)
    return Improved(taken=best, bound=at_prices.bound, status=SolverStatus.FEASIBLE, work=work)


def neighbourhood(
    problem: Problem, best: Integers, at_prices: Priced, *, draw: np.random.Generator, size: int
) -> Integers:
    """Columns of drawn pools, ascending: those taken, and those with the least loss."""
    columns = problem.columns
    regret = pool_regrets(problem, best, at_prices)
    pools = np.flatnonzero(regret)
    if len(pools) > NEIGHBOURHOOD_POOLS:
        shares = regret[pools] / regret[pools].sum()
        pools = draw.choice(pools, NEIGHBOURHOOD_POOLS, replace=False, p=shares)
    inside = np.flatnonzero(np.isin(columns.pool, pools))
    order = np.lexsort((inside, at_prices.losses[inside], best[inside] == 0))
    taken = int((best[inside] > 0).sum())
    return np.sort(inside[order[: taken + size]])


def pool_regrets(problem: Problem, best: Integers, at_prices: Priced) -> npt.NDArray[np.float64]:
    """(pools,) floats above 0: the loss of what is placed and the price of what is free."""
    columns = problem.columns
    regret = np.full(len(problem.pools), 1.0)
    np.add.at(regret, columns.pool, (at_prices.losses * best).astype(np.float64))
    of_pools = slice(len(problem.row_pools))
    slack = left_after(columns, best, left=problem.left).free[of_pools]
    np.add.at(regret, problem.row_pools, slack.astype(np.float64) * at_prices.rows[of_pools])
    regret[~np.isin(np.arange(len(regret)), columns.pool)] = 0.0
    return regret
