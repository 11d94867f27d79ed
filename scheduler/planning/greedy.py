"""Greedy: columns taken one after the other while they fit."""

import numpy as np

from scheduler.planning.problem import Columns, Integers, Left, Problem

CHUNK = 4096


def floor_of(problem: Problem) -> Integers:
    """The best of the greedy orders, as counts by column; a tie goes to the first."""
    columns = problem.columns
    best = np.zeros(len(columns), dtype=np.int64)
    for order in floor_orders(problem):
        taken = filled(columns, order, left=problem.left)
        if value_of(columns, taken) > value_of(columns, best):
            best = taken
    return best


def floor_orders(problem: Problem) -> list[Integers]:
    """Density; class then density; class, then the bundle with most to gain, then its best way."""
    columns = problem.columns
    worth = np.array([-bundle.work.worth for bundle in problem.bundles], dtype=np.int64)[columns.bundle]
    density = -(columns.term / columns.accelerators)
    best_term = np.zeros(len(problem.bundles), dtype=np.int64)
    np.maximum.at(best_term, columns.bundle, columns.term)
    ties = np.arange(len(columns))
    return [
        np.lexsort((ties, -columns.term, density)),
        np.lexsort((ties, -columns.term, density, worth)),
        np.lexsort((ties, -columns.term, columns.bundle, -best_term[columns.bundle], worth)),
    ]


def filled(columns: Columns, order: Integers, *, left: Left, taken: Integers | None = None) -> Integers:
    """Counts by column after taking each column of the order as often as it fits what is left.

    `taken` is what was taken before from elsewhere; it is added to.
    """
    counts = np.zeros(len(columns), dtype=np.int64) if taken is None else taken.copy()
    rows_left, replicas_left = left.free.tolist(), left.replicas.tolist()
    for start in range(0, len(order), CHUNK):
        chunk = order[start : start + CHUNK]
        free_now, left_now = np.array(rows_left), np.array(replicas_left)
        fits = np.all(columns.amounts[chunk] <= free_now[columns.rows[chunk]], axis=1)
        chunk = chunk[fits & (left_now[columns.bundle[chunk]] > 0)]
        uses = zip(columns.rows[chunk].tolist(), columns.amounts[chunk].tolist(), strict=True)
        for column, bundle, (rows, amounts) in zip(
            chunk.tolist(), columns.bundle[chunk].tolist(), uses, strict=True
        ):
            many = replicas_left[bundle]
            for row, amount in zip(rows, amounts, strict=True):
                if amount and rows_left[row] < many * amount:
                    many = rows_left[row] // amount
            if many:
                counts[column] += many
                replicas_left[bundle] -= many
                for row, amount in zip(rows, amounts, strict=True):
                    rows_left[row] -= many * amount
    return counts


def topped_up(problem: Problem, taken: Integers, losses: Integers) -> Integers:
    """`taken` and everything that still fits, least loss first."""
    columns = problem.columns
    order = np.lexsort((np.arange(len(columns)), losses))
    return filled(columns, order, left=left_after(columns, taken, left=problem.left), taken=taken)


def value_of(columns: Columns, taken: Integers) -> int:
    """Micro-dollars per hour, exact."""
    placed = np.flatnonzero(taken)
    return sum(
        term * many for term, many in zip(columns.term[placed].tolist(), taken[placed].tolist(), strict=True)
    )


def left_after(columns: Columns, taken: Integers, *, left: Left) -> Left:
    """What is left once each column has been taken that often."""
    used = np.zeros(len(left.free), dtype=np.int64)
    np.add.at(used, columns.rows, columns.amounts * taken[:, None])
    placed = np.zeros(len(left.replicas), dtype=np.int64)
    np.add.at(placed, columns.bundle, taken)
    return Left(free=left.free - used, replicas=left.replicas - placed)
