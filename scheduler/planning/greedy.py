"""Greedy: columns taken one after the other while they fit."""

from typing import NamedTuple

import numpy as np

from scheduler.planning.problem import Columns, Integers, Left, Problem
from scheduler.planning.quotas import Ledger

CHUNK = 4096


def floor_of(problem: Problem) -> Integers:
    """The best of the greedy orders, as counts by column; a tie goes to the first."""
    columns = problem.columns
    best = np.zeros(len(columns), dtype=np.int64)
    for order in floor_orders(problem):
        taken = filled(columns, order, left=problem.left)
        if value_of(columns, taken, left=problem.left) > value_of(columns, best, left=problem.left):
            best = taken
    return best


def floor_orders(problem: Problem) -> list[Integers]:
    """Density; class then density; class, then the bundle with most to gain, then its best way."""
    columns = problem.columns
    worth = np.array([-bundle.work.worth for bundle in problem.bundles], dtype=np.int64)[columns.bundle]
    density = -(columns.gain / columns.accelerators)
    best_gain = np.zeros(len(problem.bundles), dtype=np.int64)
    np.maximum.at(best_gain, columns.bundle, columns.gain)
    ties = np.arange(len(columns))
    return [
        np.lexsort((ties, -columns.gain, density)),
        np.lexsort((ties, -columns.gain, density, worth)),
        np.lexsort((ties, -columns.gain, columns.bundle, -best_gain[columns.bundle], worth)),
    ]


def filled(columns: Columns, order: Integers, *, left: Left, taken: Integers | None = None) -> Integers:
    """Counts by column after taking each column of the order as often as it fits what is left.

    `taken` is what was taken before from elsewhere; it is added to.
    """
    counts = np.zeros(len(columns), dtype=np.int64) if taken is None else taken.copy()
    stock = Stock(left)
    for start in range(0, len(order), CHUNK):
        chunk = stock.that_may_fit(columns, order[start : start + CHUNK])
        rows, amounts = columns.rows[chunk].tolist(), columns.amounts[chunk].tolist()
        ways = map(Way, columns.bundle[chunk].tolist(), columns.gain[chunk].tolist(), rows, amounts)
        for column, way in zip(chunk.tolist(), ways, strict=True):
            counts[column] += stock.take(way)
    return counts


class Way(NamedTuple):
    """A column, as plain numbers."""

    bundle: int
    gain: int
    rows: list[int]
    amounts: list[int]


class Stock:
    """What is left, while columns are taken one after the other."""

    def __init__(self, left: Left) -> None:
        self._free, self._replicas = left.free.tolist(), left.replicas.tolist()
        self._nodes = range(left.pool_rows, len(left.free) - 1)  # rows of quotas and shares
        self._ledger = Ledger(left.quotas)

    def that_may_fit(self, columns: Columns, chosen: Integers) -> Integers:
        """Those of the chosen columns that fit now."""
        for node, row in enumerate(self._nodes):
            self._free[row] = self._ledger.available(node)
        free, replicas = np.array(self._free), np.array(self._replicas)
        fits = np.all(columns.amounts[chosen] <= free[columns.rows[chosen]], axis=1)
        fitting: Integers = chosen[fits & (replicas[columns.bundle[chosen]] > 0)]
        return fitting

    def take(self, way: Way) -> int:
        """Take a column as often as it fits and is worth its tolls, and how often that was."""
        many: int = self._replicas[way.bundle]
        for row, amount in zip(way.rows, way.amounts, strict=True):
            if amount and many:
                many = min(many, self._units(row) // amount)
        for row, amount in zip(way.rows, way.amounts, strict=True):
            if amount and many and row in self._nodes:
                many = self._worthwhile(row - self._nodes.start, amount, many, way.gain)
        if many:
            self._replicas[way.bundle] -= many
            for row, amount in zip(way.rows, way.amounts, strict=True):
                self._use(row, many * amount)
        return many

    def _worthwhile(self, node: int, amount: int, many: int, gain: int) -> int:
        """How many of so many gain more than their tolls, which rise with each."""
        if not self._ledger.is_tolled(node):
            return many
        gaining, beyond = 0, many + 1
        while beyond - gaining > 1:
            middle = (gaining + beyond) // 2
            last = self._toll(node, middle * amount) - self._toll(node, (middle - 1) * amount)
            gaining, beyond = (middle, beyond) if last < gain else (gaining, middle)
        return gaining

    def _toll(self, node: int, units: int) -> int:
        return self._ledger.toll(((node, units),))

    def _units(self, row: int) -> int:
        if row in self._nodes:
            return self._ledger.available(row - self._nodes.start)
        units: int = self._free[row]
        return units

    def _use(self, row: int, units: int) -> None:
        if row in self._nodes:
            self._ledger.take(((row - self._nodes.start, units),))
        else:
            self._free[row] -= units


def topped_up(problem: Problem, taken: Integers, losses: Integers) -> Integers:
    """`taken` and everything that still fits, least loss first."""
    columns = problem.columns
    order = np.lexsort((np.arange(len(columns)), losses))
    return filled(columns, order, left=left_after(columns, taken, left=problem.left), taken=taken)


def value_of(columns: Columns, taken: Integers, *, left: Left) -> int:
    """Micro-dollars per hour, exact: the gains less the tolls of what is taken of what is left."""
    placed = np.flatnonzero(taken)
    gains = zip(columns.gain[placed].tolist(), taken[placed].tolist(), strict=True)
    total: int = sum(gain * many for gain, many in gains)
    return total - left.toll(used_by(columns, taken, left=left))


def used_by(columns: Columns, taken: Integers, *, left: Left) -> Integers:
    """(rows + 1,) units that are used when each column is taken that often."""
    used = np.zeros(len(left.free), dtype=np.int64)
    np.add.at(used, columns.rows, columns.amounts * taken[:, None])
    return used


def left_after(columns: Columns, taken: Integers, *, left: Left) -> Left:
    """What is left once each column has been taken that often."""
    placed = np.zeros(len(left.replicas), dtype=np.int64)
    np.add.at(placed, columns.bundle, taken)
    return left.after(used_by(columns, taken, left=left), placed)
