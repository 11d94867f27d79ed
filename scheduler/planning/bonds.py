"""Bonds: which placements and stops must be carried out together, and whether one step can hold them."""

from collections.abc import Iterable
from dataclasses import dataclass

from scheduler.model.limits import CHANGES_PER_TRANSACTION_MAX, VICTIMS_PER_STEP_MAX

CHANGES_PER_PLACE = 3  # the run, its replica, and a run that is too old to be kept
CHANGES_PER_STOP = 2

Unit = tuple[int, int]
"""Of a pool, by its number: a node, or the whole."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one step has to do."""

    places: int = 0
    stops: int = 0

    def __add__(self, other: "Load") -> "Load":
        return Load(self.places + other.places, self.stops + other.stops)

    @property
    def fits_a_step(self) -> bool:
        changes = CHANGES_PER_PLACE * self.places + CHANGES_PER_STOP * self.stops
        return self.stops <= VICTIMS_PER_STEP_MAX and changes <= CHANGES_PER_TRANSACTION_MAX


class Bonds:
    """Units on which runs are stopped, joined where a placement or a run is on several."""

    def __init__(self) -> None:
        self._parents: dict[Unit, Unit] = {}
        self._loads: dict[Unit, Load] = {}

    def root(self, unit: Unit) -> Unit | None:
        """What names the step of a unit; None if nothing is stopped there."""
        if unit not in self._parents:
            return None
        while self._parents[unit] != unit:
            unit = self._parents[unit]
        return unit

    def roots(self, units: Iterable[Unit]) -> set[Unit]:
        return {root for unit in units if (root := self.root(unit)) is not None}

    def load_on(self, units: Iterable[Unit]) -> Load:
        """What the steps of these units have to do by now."""
        return sum((self._loads[root] for root in self.roots(units)), Load())

    def join(self, units: Iterable[Unit], load: Load) -> None:
        """From now on these units are of one step, which has that much more to do."""
        units = list(units)
        load += self.load_on(units)
        for root in self.roots(units):
            self._parents[root] = units[0]
            del self._loads[root]
        first = self._parents[units[0]] = units[0]
        for unit in units:
            self._parents.setdefault(unit, first)
        self._loads[first] = load
