"""The `simulate` command: many worlds, each from its seed, until a promise breaks."""

import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from scheduler.simulation.simulation import Result, simulate
from scheduler.simulation.world import world_of


class BadSeeds(ValueError):
    """The range of seeds cannot be used."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to print at the end, and the exit code: 1 when a promise was broken."""

    text: str
    exit_code: int


def run(seeds: str, *, with_faults: bool, trace: Path | None) -> Outcome:
    """Live through every world of a range, up to the first broken promise; progress goes to stderr.

    `trace` is a file for every line of the last world.

    Raises:
        BadSeeds
    """
    errors, started_s, counts = Console(stderr=True), time.monotonic(), Counter[str]()
    chosen = parsed(seeds)
    for seed in track(chosen, description="simulating", console=errors, transient=True):
        result = simulate(world_of(seed, with_faults=with_faults))
        counts.update(result.counts)
        if trace is not None:
            trace.write_text("\n".join(result.trace.lines) + "\n")
        if result.violation is not None:
            return Outcome(failure(result, with_faults=with_faults), 1)
    return Outcome(summary(len(chosen), counts, seconds=time.monotonic() - started_s), 0)


def parsed(seeds: str) -> range:
    """`A:B` is every seed from A up to, not including, B; `A` is that one."""
    first, colon, end = seeds.partition(":")
    if not first.isdigit() or (colon and not end.isdigit()):
        raise BadSeeds(f"seeds must be A or A:B with numbers, got {seeds!r}")
    chosen = range(int(first), int(end) if colon else int(first) + 1)
    if not chosen:
        raise BadSeeds(f"seeds must be A:B with A below B, got {seeds!r}")
    return chosen


def summary(worlds: int, counts: Counter[str], *, seconds: float) -> str:
    """What happened, in a line."""
    ends = sum(count for what, count in counts.items() if what.startswith("runs ended"))
    return (
        f"{worlds} worlds in {seconds:.0f} s: {counts['jobs']} jobs, {counts['runs']} runs, {ends} ends, "
        f"{counts['service crashes']} service and {counts['launcher crashes']} launcher crashes, "
        f"{counts['leases expired']} leases expired, {counts['writes of deposed leaders']} writes of deposed "
        "leaders refused; every promise kept"
    )


def failure(result: Result, *, with_faults: bool) -> str:
    """What broke, how it came to that, and how to see it again."""
    faults = "--faults" if with_faults else "--no-faults"
    return (
        f"{result.trace.tail()}\n"
        f"seed={result.seed} commit={commit()} virtual_time={result.virtual_ms / 1000}s: {result.violation}\n"
        f"again: placewright-scheduler simulate --seeds {result.seed} {faults} --trace trace.txt"
    )


def commit() -> str:
    """The commit of the code that runs; `unknown` outside a repository."""
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ("git", "describe", "--always", "--dirty", "--abbrev=12"),
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip()
