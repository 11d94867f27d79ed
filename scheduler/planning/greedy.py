"""Greedy: columns taken one after the other while they fit."""

import numpy as np

from scheduler.planning.problem import Columns, Integers, Left, Problem
from scheduler.planning.quotas import NO_PARENT

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
    stock = Stock(left)
    for start in range(0, len(order), CHUNK):
        chunk = stock.that_may_fit(columns, order[start : start + CHUNK])
        uses = zip(columns.rows[chunk].tolist(), columns.amounts[chunk].tolist(), strict=True)
        for column, bundle, (rows, amounts) in zip(
            chunk.tolist(), columns.bundle[chunk].tolist(), uses, strict=True
        ):
            counts[column] += stock.take(bundle, rows, amounts)
    return counts


class Stock:
    """What is left, while columns are taken one after the other."""

    def __init__(self, left: Left) -> None:
        self._free, self._replicas = left.free.tolist(), left.replicas.tolist()
        self._pool_rows, self._padding = left.pool_rows, len(left.free) - 1
        self._parents: list[int] = left.quotas.parents.tolist()
        self._local: list[int] = left.quotas.local.tolist()
        self._overflow: list[int] = left.quotas.overflow.tolist()

    def that_may_fit(self, columns: Columns, chosen: Integers) -> Integers:
        """Those of the chosen columns that fit now."""
        for node in range(len(self._parents)):
            self._free[self._pool_rows + node] = self._available(node)
        free, replicas = np.array(self._free), np.array(self._replicas)
        fits = np.all(columns.amounts[chosen] <= free[columns.rows[chosen]], axis=1)
        fitting: Integers = chosen[fits & (replicas[columns.bundle[chosen]] > 0)]
        return fitting

    def take(self, bundle: int, rows: list[int], amounts: list[int]) -> int:
        """Take a column as often as it fits, and how often that was."""
        many: int = self._replicas[bundle]
        for row, amount in zip(rows, amounts, strict=True):
            if amount and many:
                many = min(many, self._units(row) // amount)
        if many:
            self._replicas[bundle] -= many
            for row, amount in zip(rows, amounts, strict=True):
                self._use(row, many * amount)
        return many

    def _units(self, row: int) -> int:
        if self._pool_rows <= row < self._padding:
            return self._available(row - self._pool_rows)
        units: int = self._free[row]
        return units

    def _use(self, row: int, units: int) -> None:
        if self._pool_rows <= row < self._padding:
            self._use_quota(row - self._pool_rows, units)
        else:
            self._free[row] -= units

    def _available(self, node: int) -> int:
        local, parent = self._local[node], self._parents[node]
        if parent == NO_PARENT:
            return local
        return local + min(self._overflow[node], self._available(parent))

    def _use_quota(self, node: int, units: int) -> None:
        local = min(units, self._local[node])
        self._local[node] -= local
        if units > local:
            self._overflow[node] -= units - local
            self._use_quota(self._parents[node], units - local)


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
    return left.after(used, placed)
