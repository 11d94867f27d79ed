"""What everyone in a world shares: its trace, its store, its faults while they last."""

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from scheduler.simulation.store import Outage, Store
from scheduler.simulation.trace import Trace, Violation
from scheduler.simulation.virtual_time import VirtualClock
from scheduler.simulation.world import NO_FAULTS, Faults, World


class Failing(Protocol):
    """Takes the first violation."""

    def __call__(self, violation: Violation) -> None: ...


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """Everything that is shared.

    Attributes:
        faults: those of now: none once the world is calm.
        clock: the true time.
        bustle: set while people act and troubles begin: not in lulls.
    """

    world: World
    trace: Trace
    clock: VirtualClock
    store: Store
    fail: Failing
    outage: Outage = field(default_factory=Outage)
    faults: Faults = NO_FAULTS
    bustle: asyncio.Event = field(default_factory=asyncio.Event)

    def drift_ppm_of(self, machine: str) -> int:
        """How much faster than true time the clock of a machine goes, in millionths."""
        most_ppm = self.world.faults.clock_drift_ppm
        return Random(f"{self.world.seed}/{machine}/drift").randint(-most_ppm, most_ppm)

    def violated(self, what: str, cause: BaseException | None = None) -> Violation:
        """Take note that a promise was broken; the world ends with the first."""
        violation = Violation(what)
        violation.__cause__ = cause
        self.trace.add(f"VIOLATION {what}")
        self.fail(violation)
        return violation
