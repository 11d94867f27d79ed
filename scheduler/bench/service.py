"""B7: what the service costs beside a no-op RPC, and how long its callers wait."""

import asyncio
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from scheduler.bench.latency import latencies
from scheduler.bench.quiet import OTHERS_CORES_MAX, others_cores
from scheduler.bench.report import Row, show, write
from scheduler.bench.rpc_cost import rpc_costs
from scheduler.bench.scale import start_up_rows, watcher_rows
from scheduler.state.server import Durability

ROUNDS = 5
ROUND_SECONDS = 3.0
JOBS_PLANNED = 4_000
JOBS_AT_START = 100_000
OFFERS = 30
QUICK_ROUNDS = 2
QUICK_ROUND_SECONDS = 0.5
QUICK_JOBS_PLANNED = 500
QUICK_JOBS_AT_START = 5_000
QUICK_OFFERS = 5


def run(*, out: Path | None, quick: bool, force: bool) -> list[Row]:
    """All of B7 on the screen and, with `out`, as files; nothing while others use the machine."""
    console = Console()
    others = others_cores()
    notes = [
        f"Other processes used {others:.2f} cores before it began; it is skipped above {OTHERS_CORES_MAX}."
    ]
    if others > OTHERS_CORES_MAX and not force:
        console.print(
            f"b7 skipped: other processes use {others:.2f} cores, at most {OTHERS_CORES_MAX} may; "
            "--force runs it all the same"
        )
        return []
    if quick:
        notes.append("Quick: too short to judge by.")
    rows = _measured(console, quick=quick)
    show(rows, console, title="b7: the service")
    for note in notes:
        console.print(note)
    if out is not None:
        write(rows, out, name="b7", notes=notes)
    return rows


def _measured(console: Console, *, quick: bool) -> list[Row]:
    rounds = QUICK_ROUNDS if quick else ROUNDS
    seconds = QUICK_ROUND_SECONDS if quick else ROUND_SECONDS
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=2 * rounds + 2 + 3 + 3)

        def advance(done: str) -> None:
            progress.update(task, advance=1, description=done)

        async def all_rows() -> list[Row]:
            rows: list[Row] = []
            for durability in (Durability.ALWAYS, Durability.EVERYSEC):
                rows += await rpc_costs(durability, rounds=rounds, seconds=seconds, advance=advance)
            rows += await latencies(
                offers=QUICK_OFFERS if quick else OFFERS,
                jobs=QUICK_JOBS_PLANNED if quick else JOBS_PLANNED,
                seconds=2 * seconds,
                advance=advance,
            )
            rows += await watcher_rows(seconds=2 * seconds, advance=advance)
            rows += await start_up_rows(jobs=QUICK_JOBS_AT_START if quick else JOBS_AT_START, advance=advance)
            return rows

        return asyncio.run(all_rows())
