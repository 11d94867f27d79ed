"""B8: real processes are broken under load; how soon jobs are placed again, and whether anything was lost."""

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from placewright import AsyncClient, Job, JobView, PlacewrightError
from scheduler.bench.failure_verdict import B8, FAILOVER_S_MAX, Outcome, Repetition, failure_rows, outcome_of
from scheduler.bench.failures import LAUNCHERS, BrokenCell, Fault, a_cell_to_break
from scheduler.bench.ledger import Ledger
from scheduler.bench.mixed_load import CALL_TIMEOUT_S, OUTAGE_S_MAX, MixedLoad, Rates, placements_of
from scheduler.bench.quiet import others_cores
from scheduler.bench.report import Row, show, write
from scheduler.bench.timed_backend import job_environment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLIENTS = 2
RATES = Rates(submits=5.0, gets=10.0, watches=1)  # of each client
JOBS_BEFORE = 10  # of each client
PAUSE_S = (0.2, 1.2)  # before the fault, so that it meets other moments
LOAD_AFTER_S = 3.0  # once everything is whole again
CALM_S_MAX = 120.0
LOOK_S = 0.3
SHORT_S, LONG_S = (0.2, 1.5), 10.0  # how long runs last; one in ten outlives most faults
POOLS_ALLOWED = ((), *((name,) for name in LAUNCHERS))  # each pool has runs of its own
GANGS = ("h100:1", "h100:2", "h100:8", "h100:2x4")


def run(*, repeats: int, first_seed: int, out: Path | None) -> list[Row]:
    """All of B8 on the screen and, with `out`, as files."""
    console = Console()
    others = others_cores()
    seeds = range(first_seed, first_seed + repeats)
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=len(Fault) * repeats)
        outcomes, not_done = list[Outcome](), list[str]()
        for seed, fault in itertools.product(seeds, Fault):
            progress.update(task, description=f"{fault}, seed {seed}")
            try:
                outcomes.append(repetition(fault, seed))
            except AssertionError as error:  # a process or server that did not come up in time
                not_done.append(f"{fault}, seed {seed}: {error}")
            progress.update(task, advance=1)
    rows = failure_rows(outcomes, not_done)
    notes = [
        f"Seeds {seeds[0]} to {seeds[-1]}, each in a cell of its own: two services, two launchers whose runs "
        f"are only times, {CLIENTS} clients with {RATES.submits:g} submits per second each; "
        f"{sum(outcome.jobs for outcome in outcomes)} jobs in all. Pools of even seeds fence themselves.",
        f"Other processes used {others:.2f} cores before it began.",
        f"The bar of a killed leader is its lease and a second: {FAILOVER_S_MAX:g} s. Durability always; "
        "for the failover replicated with one replica, in sync: until Sentinel has made the old primary its "
        "replica, nothing is acknowledged.",
    ]
    show(rows, console, title="b8: failure")
    for note in notes:
        console.print(note)
    if out is not None:
        write(rows, out, name=B8, notes=notes, plot=lambda figure: _draw(outcomes, figure))
    return rows


def repetition(fault: Fault, seed: int) -> Outcome:
    """One fault under load in a new cell, until everything is calm again."""
    with (
        tempfile.TemporaryDirectory(prefix="pw-") as folder,
        a_cell_to_break(Path(folder), fault, self_fencing=seed % 2 == 0) as cell,
    ):
        return outcome_of(asyncio.run(_lived_through(cell, fault, seed)))


async def _lived_through(cell: BrokenCell, fault: Fault, seed: int) -> Repetition:
    began_s, chance = time.monotonic(), random.Random(f"{fault}/{seed}")
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(cell)) for _ in range(CLIENTS)]
        loads = [
            MixedLoad(client, RATES, _jobs(random.Random(f"{fault}/{seed}/{number}")), f"{seed}-{number}")
            for number, client in enumerate(clients)
        ]
        doing = asyncio.gather(*(load.run() for load in loads))
        try:
            await _under_way(loads)
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            await asyncio.to_thread(cell.break_and_mend, fault, chance)
            await asyncio.sleep(LOAD_AFTER_S)
        finally:
            for load in loads:
                load.finish()
        await doing
        acknowledged = [each for load in loads for each in load.acknowledged]
        jobs = await _all_finished(clients[0], {each.job_id for each in acknowledged})
    return Repetition(
        fault=fault,
        seed=seed,
        seconds=time.monotonic() - began_s,
        broken_at_s=cell.broken_at_s,
        acknowledged=acknowledged,
        jobs=jobs,
        placed_at_s=_placements(loads, jobs.values()),
        entries=Ledger(cell.ledger).entries(),
    )


def _placements(loads: Sequence[MixedLoad], jobs: Iterable[JobView]) -> dict[str, float]:
    """Of every run that a watch or the last list told of."""
    told = [load.placed_at_s for load in loads] + [placements_of(job) for job in jobs]
    return {run_id: at_s for placed in told for run_id, at_s in placed.items()}


def _client(cell: BrokenCell) -> AsyncClient:
    addresses = cell.running.addresses
    return AsyncClient(addresses, tls=False, timeout_s=CALL_TIMEOUT_S, outage_s_max=OUTAGE_S_MAX)


async def _under_way(loads: Sequence[MixedLoad]) -> None:
    """Until every load has had jobs accepted."""
    async with asyncio.timeout(CALM_S_MAX):
        while min(len(load.acknowledged) for load in loads) < JOBS_BEFORE:  # noqa: ASYNC110  (for all of them)
            await asyncio.sleep(LOOK_S)


async def _all_finished(client: AsyncClient, job_ids: set[str]) -> Mapping[str, JobView]:
    """The jobs once those that are there are over, or after `CALM_S_MAX` as they are then."""
    jobs: dict[str, JobView] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(CALM_S_MAX):
            while not jobs or not all(job.is_finished for job in jobs.values()):
                await asyncio.sleep(LOOK_S)
                with suppress(PlacewrightError):
                    jobs = {job.job_id: job async for job in client.list_jobs(page_size=1_000)}
    return {job_id: job for job_id, job in jobs.items() if job_id in job_ids}


def _jobs(chance: random.Random) -> Callable[[int], Job]:
    def job(number: int) -> Job:
        is_long = number % 10 == 0
        return Job(
            name=f"b8-{number}",
            accelerators=chance.choice(GANGS),
            command=["train"],
            env=job_environment(LONG_S if is_long else chance.uniform(*SHORT_S)),
            estimated_duration="1h",
            pools=chance.choice(POOLS_ALLOWED),
        )

    return job


def _draw(outcomes: Sequence[Outcome], figure: "Figure") -> None:
    """The seconds of every repetition, by fault."""
    axes = figure.subplots()
    names = [fault for fault in Fault if any(outcome.fault is fault for outcome in outcomes)]
    seconds = [[each.placing_again_s for each in outcomes if each.fault is name] for name in names]
    axes.boxplot(seconds, orientation="horizontal", showfliers=False)
    for place, values in enumerate(seconds, start=1):
        axes.plot(values, [place] * len(values), "o", alpha=0.5)
    axes.axvline(FAILOVER_S_MAX, color="black", linewidth=1, linestyle=":")
    axes.set_yticks(range(1, len(names) + 1), [str(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds until placing again; dotted: the bar of a killed leader")
