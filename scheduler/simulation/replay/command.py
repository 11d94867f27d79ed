"""The `simulate --trace` command: replays a trace with a progress bar and tells what came of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from scheduler.catalog.fleet import load_fleet
from scheduler.catalog.load import load_catalogue
from scheduler.simulation.replay.figures import Figures, figures_of
from scheduler.simulation.replay.plots import plot
from scheduler.simulation.replay.replaying import replay
from scheduler.simulation.replay.trace_file import read_trace

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What the command line says.

    Attributes:
        out: a directory for plots; None: none.
    """

    trace: Path
    fleet: Path
    jobs_max: int | None
    improves: bool
    as_json: bool
    out: Path | None


def run_trace(trace: Path, fleet: Path, *, jobs_max: int | None, improves: bool) -> Figures:
    """Replay a trace on a fleet; progress goes to stderr.

    Raises:
        BadTrace, InvalidFleet, Violation
    """
    jobs = read_trace(trace, load_catalogue(), jobs_max=jobs_max)
    wanted = load_fleet(fleet)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=len(jobs))

        def progress(finished: int, virtual_ms: int) -> None:
            bar.update(task, completed=finished, description=f"replaying, hour {virtual_ms // HOUR_MS}")

        return figures_of(replay(jobs, wanted, improves=improves, progress=progress))


def replayed(options: ReplayOptions) -> str:
    """What to print; plots go to `out`.

    Raises:
        BadTrace, InvalidFleet, NoPlots, Violation
    """
    figures = run_trace(options.trace, options.fleet, jobs_max=options.jobs_max, improves=options.improves)
    if options.out is not None:
        plot(figures, options.out)
    return as_json(figures) if options.as_json else as_tables(figures)


def as_json(figures: Figures) -> str:
    return json.dumps(asdict(figures), indent=2)


def as_tables(figures: Figures) -> str:
    """What a person reads."""
    tables = (
        _table(
            "waits, in seconds",
            ("class", "jobs", "never ran", "p50", "p90", "p99"),
            [
                (c.priority_class, c.jobs, c.never_ran, *(f"{wait:.1f}" for wait in c.wait_s.values()))
                for c in figures.classes
            ],
        ),
        _table(
            "pools",
            ("pool", "accelerators", "accelerator-hours", "utilisation", "charged $"),
            [
                (
                    p.pool,
                    p.accelerators,
                    f"{p.accelerator_hours:.1f}",
                    f"{p.utilisation:.1%}",
                    f"{p.charged_usd:,.2f}",
                )
                for p in figures.pools
            ],
        ),
        _table(
            "queues, until the last submission",
            ("queue", "jobs", "asked hours", "got hours", "share"),
            [
                (q.queue, q.jobs, f"{q.asked_hours:.1f}", f"{q.got_hours:.1f}", f"{q.share:.1%}")
                for q in figures.queues
            ],
        ),
    )
    return "\n".join((*map(_text, tables), summary(figures)))


def summary(figures: Figures) -> str:
    return (
        f"{figures.finished} of {figures.jobs} jobs finished in {figures.virtual_hours:.1f} virtual hours; "
        f"charged ${figures.charged_usd:,.2f}; fairness between queues (Jain) {figures.jain:.3f}"
    )


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(str, row))
    return table


def _text(table: Table) -> str:
    console = Console(width=100, no_color=True)
    with console.capture() as captured:
        console.print(table)
    return captured.get()
