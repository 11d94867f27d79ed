"""The `simulate` command: many worlds, each from its seed, until a promise breaks."""

import subprocess
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from scheduler.simulation.world import HOUR_MS
from scheduler.simulation.worlds import Kind, WorldReport, reports


class BadSeeds(ValueError):
    """The range of seeds cannot be used."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to print at the end, and the exit code: 1 when a promise was broken."""

    text: str
    exit_code: int


def run(seeds: str, kind: Kind, *, workers: int, log: Path | None) -> Outcome:
    """Live through every world of a range, up to the first broken promise; progress goes to stderr.

    `log` is a file for every line of the last world.

    Raises:
        BadSeeds
    """
    errors, started_s, counts = Console(stderr=True), time.monotonic(), Counter[str]()
    chosen = parsed(seeds)
    virtual_ms = 0
    with closing(reports(chosen, kind, workers=workers, keeps_lines=log is not None)) as worlds:
        shown = track(worlds, description="simulating", total=len(chosen), console=errors, transient=True)
        for report in shown:
            counts.update(report.counts)
            virtual_ms += report.virtual_ms
            if log is not None:
                log.write_text("\n".join(report.lines) + "\n")
            if report.violation is not None:
                return Outcome(failure(report, kind), 1)
    hours = virtual_ms / HOUR_MS
    return Outcome(summary(len(chosen), counts, seconds=time.monotonic() - started_s, hours=hours), 0)


def parsed(seeds: str) -> range:
    """`A:B` is every seed from A up to, not including, B; `A` is that one."""
    first, colon, end = seeds.partition(":")
    if not first.isdigit() or (colon and not end.isdigit()):
        raise BadSeeds(f"seeds must be A or A:B with numbers, got {seeds!r}")
    chosen = range(int(first), int(end) if colon else int(first) + 1)
    if not chosen:
        raise BadSeeds(f"seeds must be A:B with A below B, got {seeds!r}")
    return chosen


def summary(worlds: int, counts: Counter[str], *, seconds: float, hours: float) -> str:
    """What happened, in a line."""
    ends = sum(count for what, count in counts.items() if what.startswith("runs ended"))
    return (
        f"{worlds} worlds, {hours:.0f} virtual hours, in {seconds:.0f} s: "
        f"{counts['jobs']} jobs, {counts['runs']} runs, {ends} ends, "
        f"{counts['service crashes']} service and {counts['launcher crashes']} launcher crashes, "
        f"{counts['leases expired']} leases expired, {counts['writes of deposed leaders']} writes of deposed "
        "leaders refused; every promise kept"
    )


def failure(report: WorldReport, kind: Kind) -> str:
    """What broke, how it came to that, and how to see it again."""
    options = "--faults" if kind.with_faults else "--no-faults"
    options += "" if kind.hours is None else f" --hours {kind.hours}"
    return (
        f"{report.tail}\n"
        f"seed={report.seed} commit={commit()} virtual_time={report.virtual_ms / 1000}s: {report.violation}\n"
        f"again: placewright-scheduler simulate --seeds {report.seed} {options} --log log.txt"
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
