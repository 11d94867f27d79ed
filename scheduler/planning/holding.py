"""What holds a pool before a plan and after it, in the three parts that `verify` adds up."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from scheduler.model.ids import RunId
from scheduler.model.occupancy import ASKED_FOR, occupancy_of
from scheduler.model.plan import Place, PlannedPool
from scheduler.model.run import Placement, Run


class Held(NamedTuple):
    """Placements that stay, that wait for runs to end, and of those runs: the last two share their room.

    Attributes:
        asked_for: accelerators of those that do not wait, which the provider has not yet shown to have.
    """

    stay: list[Placement]
    waiting: list[Placement]
    awaited: list[Placement]
    asked_for: int

    def at_most(self, amount_of: Callable[[Iterable[Placement]], int]) -> int:
        """What is held of something, whoever of the last two holds it."""
        return amount_of(self.stay) + max(amount_of(self.waiting), amount_of(self.awaited))


def held_before(planned: PlannedPool) -> Held:
    occupancy = occupancy_of(planned.live_runs)
    here = (*occupancy.others, *occupancy.awaited)
    return Held(
        _placements(occupancy.others),
        _placements(occupancy.waiting),
        _placements(occupancy.awaited),
        accelerators(_asked_for(here)),
    )


def held_after(planned: PlannedPool, places: Sequence[Place], stopped: Collection[RunId]) -> Held:
    """What is stopped, or waited for, is awaited from then on."""
    occupancy = occupancy_of(planned.live_runs)
    ending = {*stopped, *(run_id for place in places for run_id in place.after_runs)}
    stay = [run for run in occupancy.others if run.id not in ending]
    ends = [run for run in occupancy.others if run.id in ending]
    now = [place.placement for place in places if not place.after_runs]
    later = [place.placement for place in places if place.after_runs]
    return Held(
        [*_placements(stay), *now],
        [*_placements(occupancy.waiting), *later],
        _placements((*occupancy.awaited, *ends)),
        accelerators([*_asked_for(stay), *now]),
    )


def accelerators(placements: Iterable[Placement]) -> int:
    return sum(placement.accelerators for placement in placements)


def _placements(runs: Iterable[Run]) -> list[Placement]:
    return [run.placement for run in runs]


def _asked_for(runs: Iterable[Run]) -> list[Placement]:
    return [run.placement for run in runs if run.state in ASKED_FOR]
