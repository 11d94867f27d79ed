"""Short jobs on a real Slurm and on placewright, in one run: accepted, started, and a submit's time."""

import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from placewright import Client, Job, JobPhase
from scheduler.bench.quiet import others_cores
from scheduler.bench.replicas import replicas
from scheduler.bench.report import Row, show, write
from scheduler.bench.running_cell import LAUNCHER, a_cell, a_pool
from scheduler.bench.slurm_cell import CPUS_PER_NODE, NODES, a_slurm, why_not
from scheduler.bench.timed_backend import job_environment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SLURM = "slurm"
ROUNDS = 3
ALONE = 50  # submits one after the other
JOBS = 400
IN_FLIGHT = 8
DEVICES_PER_NODE = 8  # as many jobs at once as Slurm's nodes have CPUs
LOOK_S = 0.05
ENDED_S_MAX = 300.0
UNFINISHED = (JobPhase.PENDING, JobPhase.ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to submit `/bin/true`, and the gate between accepting jobs and starting them.

    Attributes:
        starts: how its runs are started.
    """

    name: str
    starts: str
    submit: Callable[[], None]
    close_gate: Callable[[], object]
    open_gate: Callable[[], object]
    unfinished: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One round of one way."""

    submit_p50_ms: float
    accepted_per_s: float
    started_per_s: float
    seconds: float


def run(*, out: Path | None) -> list[Row]:
    """The comparison on the screen and, with `out`, as files; nothing where Slurm cannot run."""
    console = Console()
    reason = why_not()
    if reason:
        console.print(f"slurm skipped: {reason}")
        return []
    others = others_cores()
    measured: dict[str, list[Measured]] = {}
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="pw-") as folder,
        Progress(*columns, console=console) as progress,
        _slurm_ways(Path(folder)) as slurm_ways,
        _placewright_ways(Path(folder)) as our_ways,
    ):
        ways = [*slurm_ways, *our_ways]
        task = progress.add_task("starting", total=ROUNDS * len(ways))
        for number, way in itertools.product(range(ROUNDS), ways):
            progress.update(task, description=f"round {number + 1}: {way.name}, {way.starts}")
            measured.setdefault(f"{way.name}; {way.starts}", []).append(_measured(way))
            progress.update(task, advance=1)
    rows = comparison(measured)
    notes = [
        f"`/bin/true`, {JOBS} jobs a round, median of {ROUNDS} interleaved rounds; one submitting process "
        f"with {IN_FLIGHT} threads, for the p50 one submit at a time. Accepted: while nothing may start. "
        f"Started: from when it may until all have ended, at most {NODES * CPUS_PER_NODE} at once.",
        "Slurm keeps its state without waiting for the disk; placewright's answers are on disk (always).",
        f"Other processes used {others:.2f} cores before it began.",
    ]
    show(rows, console, title="slurm: short jobs")
    for note in notes:
        console.print(note)
    if out is not None:
        write(rows, out, name=SLURM, notes=notes, plot=lambda figure: _draw(rows, figure))
    return rows


@contextmanager
def _slurm_ways(folder: Path) -> Iterator[list[Way]]:
    home = folder / "slurm"
    home.mkdir()
    with a_slurm(home) as slurm:
        yield [
            Way(
                name=name,
                starts="slurmd",
                submit=submit,
                close_gate=slurm.close_gate,
                open_gate=slurm.open_gate,
                unfinished=slurm.unfinished,
            )
            for name, submit in (("Slurm sbatch", slurm.sbatch), ("Slurm slurmrestd", slurm.post))
        ]


@contextmanager
def _placewright_ways(folder: Path) -> Iterator[list[Way]]:
    """Two services: the bundled launcher with real processes, and one whose runs are only times."""
    with (
        _placewright_way(folder, "local launcher") as local,
        _placewright_way(folder, "launcher without processes") as timed,
    ):
        yield [local, timed]


@contextmanager
def _placewright_way(folder: Path, starts: str) -> Iterator[Way]:
    home = folder / starts.replace(" ", "-")
    home.mkdir()
    nodes = NODES * CPUS_PER_NODE // DEVICES_PER_NODE
    with a_cell(home, a_pool("bench", nodes=nodes)) as cell, replicas(cell) as running:
        server = running.add("server", "serve", env={"PLACEWRIGHT_LOG_LEVEL": "warning"})
        running.start()
        if starts == "local launcher":
            cell.start_launcher(LAUNCHER, "--log-level=warning")
        else:
            cell.start_timed_launcher(LAUNCHER, ledger=home / "ledger")
        cell.wait_until_ready()
        with server.client() as client:
            yield Way(
                name="placewright SubmitJob",
                starts=starts,
                submit=partial(_submit, client),
                close_gate=partial(client.cordon_pool, "bench", "accepting only"),
                open_gate=partial(client.uncordon_pool, "bench"),
                unfinished=partial(_unfinished, client),
            )


def _submit(client: Client) -> None:
    job = Job(name="bench", accelerators="h100:1", command=["/bin/true"], env=job_environment(0))
    client.submit(job)


def _unfinished(client: Client) -> int:
    return sum(1 for _ in client.list_jobs(phase=UNFINISHED, page_size=1_000))


def _measured(way: Way) -> Measured:
    began_s = time.monotonic()
    way.close_gate()
    alone_ms = [_seconds(way.submit) * 1_000 for _ in range(ALONE)]
    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        accepted_s = _seconds(lambda: list(threads.map(lambda _: way.submit(), range(JOBS))))
    started_s = _seconds(lambda: _let_all_end(way))
    return Measured(
        submit_p50_ms=median(alone_ms),
        accepted_per_s=JOBS / accepted_s,
        started_per_s=(ALONE + JOBS) / started_s,
        seconds=time.monotonic() - began_s,
    )


def _let_all_end(way: Way) -> None:
    way.open_gate()
    end_s = time.monotonic() + ENDED_S_MAX
    while left := way.unfinished():
        assert time.monotonic() < end_s, f"{way.name}, {way.starts}: {left} jobs have not ended"
        threading.Event().wait(LOOK_S)


def _seconds(act: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s


def comparison(measured: Mapping[str, Sequence[Measured]]) -> list[Row]:
    """Rows by way; the ratios are to the first one's medians."""
    rows: list[Row] = []
    first = next(iter(measured.values()))
    for metric, value_of in (
        ("submit p50 ms", lambda one: one.submit_p50_ms),
        ("accepted jobs per second", lambda one: one.accepted_per_s),
        ("started jobs per second", lambda one: one.started_per_s),
    ):
        base = median(map(value_of, first))
        rows += [_row(way, metric, list(map(value_of, each)), base, each) for way, each in measured.items()]
    return rows


def _row(way: str, metric: str, values: Sequence[float], base: float, rounds: Sequence[Measured]) -> Row:
    return Row(
        benchmark=SLURM,
        instance=way,
        method="slurm" if way.startswith("Slurm") else "placewright",
        metric=metric,
        value=median(values),
        ratio=median(values) / base,
        seconds=sum(each.seconds for each in rounds),
        detail={"rounds": list(values)},
    )


def _draw(rows: Sequence[Row], figure: "Figure") -> None:
    """A panel for each metric, a bar for each way."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    panels = figure.subplots(1, len(metrics), sharey=True)
    for axes, metric in zip(panels, metrics, strict=True):
        chosen = [row for row in rows if row.metric == metric]
        colours = ["tab:grey" if row.method == "slurm" else "tab:blue" for row in chosen]
        axes.barh([row.instance for row in chosen], [row.value for row in chosen], color=colours)
        axes.set_xlabel(metric)
    panels[0].invert_yaxis()
