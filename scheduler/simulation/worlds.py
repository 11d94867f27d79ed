"""Many worlds in parallel processes, reported in the order of their seeds."""

import multiprocessing
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from scheduler.simulation.simulation import simulate
from scheduler.simulation.world import world_of


@dataclass(frozen=True, slots=True)
class Kind:
    """Which world of a seed: the same for every world of one command."""

    with_faults: bool
    hours: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldReport:
    """What became of a world, in words that another process can send."""

    seed: int
    virtual_ms: int
    violation: str | None
    counts: dict[str, int]
    tail: str
    lines: Sequence[str]


def live_through(seed: int, kind: Kind, keeps_lines: bool) -> WorldReport:
    """One world, in this process."""
    world = world_of(seed, with_faults=kind.with_faults, hours=kind.hours)
    result = simulate(world)
    return WorldReport(
        seed=seed,
        virtual_ms=result.virtual_ms,
        violation=None if result.violation is None else str(result.violation),
        counts=result.counts,
        tail="" if result.violation is None else result.trace.tail(),
        lines=result.trace.lines if keeps_lines else (),
    )


def reports(
    seeds: range, kind: Kind, *, workers: int, keeps_lines: bool
) -> Generator[WorldReport, None, None]:
    """In the order of the seeds, whichever is done first; closing it ends what is not begun."""
    if workers == 1 or len(seeds) == 1:
        for seed in seeds:
            yield live_through(seed, kind, keeps_lines)
        return
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(seeds)), mp_context=spawning) as pool:
        futures = [pool.submit(live_through, seed, kind, keeps_lines) for seed in seeds]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
