"""Who holds the room of a pool: what runs, what waits for runs to end, and the runs that it waits for."""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.model.run import Run, RunState
from scheduler.model.state import State


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The live runs of one pool, each in one part, in the order given.

    What is waiting gets the room of what is awaited, so that a node holds `others` and the larger of the two.
    """

    others: tuple[Run, ...]
    waiting: tuple[Run, ...]
    awaited: tuple[Run, ...]


def occupancy_of(live_runs: Sequence[Run]) -> Occupancy:
    if not any(run.after_runs for run in live_runs):
        return Occupancy(tuple(live_runs), (), ())
    live = {run.id for run in live_runs}
    waiting = tuple(run for run in live_runs if is_waiting(run) and not live.isdisjoint(run.after_runs))
    awaited_ids = {run_id for run in waiting for run_id in run.after_runs}
    awaited = tuple(run for run in live_runs if run.id in awaited_ids)
    apart = {run.id for run in (*waiting, *awaited)}
    return Occupancy(tuple(run for run in live_runs if run.id not in apart), waiting, awaited)


def is_waiting(run: Run) -> bool:
    """Whether it may have to wait for others to end."""
    return bool(run.after_runs) and run.state is RunState.PLACED


def awaited_by(state: State, run: Run) -> list[Run]:
    """The runs that must still end before it is offered."""
    if not is_waiting(run):
        return []
    awaited = map(state.run, run.after_runs)
    return [each for each in awaited if each is not None and each.is_live]


ASKED_FOR = frozenset({RunState.PLACED, RunState.STARTING})
"""States in which the provider has not yet shown that it has the capacity."""


def accelerators_asked_for(live_runs: Sequence[Run]) -> int:
    """What the provider has not yet shown to have; of what waits, what exceeds those that it waits for."""
    occupancy = occupancy_of(live_runs)
    asked_for = sum(
        run.placement.accelerators
        for run in (*occupancy.others, *occupancy.awaited)
        if run.state in ASKED_FOR
    )
    return asked_for + max(0, accelerators_of(occupancy.waiting) - accelerators_of(occupancy.awaited))


def accelerators_of(runs: Sequence[Run]) -> int:
    return sum(run.placement.accelerators for run in runs)
