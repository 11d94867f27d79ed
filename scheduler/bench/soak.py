"""A soak: mixed load at a steady rate for a long time; memory and latency must stay flat."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from placewright import AsyncClient, Job
from scheduler.bench.mixed_load import CALL_TIMEOUT_S, OUTAGE_S_MAX, Answered, MixedLoad, Rates
from scheduler.bench.processes import memory_bytes
from scheduler.bench.quiet import others_cores
from scheduler.bench.replicas import Replica, Replicas, replicas
from scheduler.bench.report import Row, show, write
from scheduler.bench.running_cell import a_cell, a_pool, planners_of
from scheduler.bench.soak_verdict import MIB, SOAK, Sample, latency_over_time, soak_rows
from scheduler.bench.timed_backend import job_environment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATES = Rates(submits=10.0, gets=20.0, lists=0.5, cancels=1.0, watches=4)
SAMPLE_EVERY_S = 10.0
MINUTES_TO_JUDGE_MIN = 15
POOLS, NODES, LAUNCHER = 4, 24, "bench"
SECONDS_OF_WORK = (1.0, 2.0, 4.0, 8.0, 16.0)
GANGS = ("h100:1", "h100:2", "h100:8", "h100:8x2")
SETTINGS = {
    "PLACEWRIGHT_RETENTION_MS": "60000",  # so that as many jobs leave as come, long before the warm-up ends
    "PLACEWRIGHT_RETENTION_AFTER_END_MS": "60000",
    "PLACEWRIGHT_LOG_LEVEL": "warning",
}
COMMITS_BEFORE = 100_000  # what the event stream holds at most; without them the store grows for long
FILLERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """What a soak saw; times are since its load began."""

    samples: Sequence[Sample]
    answered: Sequence[Answered]
    seconds: float
    failed: dict[str, int]
    restarts: int
    jobs: int

    def rows(self) -> list[Row]:
        failed = sum(self.failed.values()) + self.restarts
        return soak_rows(self.samples, self.answered, seconds=self.seconds, failed=failed)


def run(*, minutes: float, seed: int, out: Path | None) -> list[Row]:
    """A soak on the screen and, with `out`, as files."""
    console = Console()
    others = others_cores()
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("filling the event stream", total=minutes * 60)
        soaked = asyncio.run(
            _soak(
                minutes * 60,
                seed=seed,
                advance=lambda at_s, done: progress.update(task, completed=at_s, description=done),
            )
        )
    rows = soaked.rows()
    notes = [
        f"{soaked.jobs} jobs in {soaked.seconds / 60:.1f} minutes; per second {RATES.submits:g} submits, "
        f"{RATES.gets:g} gets, {RATES.lists:g} lists, {RATES.cancels:g} cancels; {RATES.watches} watches of "
        f"everything; seed {seed}.",
        f"Other processes used {others:.2f} cores before it began. The first third is warm-up.",
        f"Failed: {soaked.failed or 'none'}; watches that lost their position: {soaked.restarts}.",
    ]
    if minutes < MINUTES_TO_JUDGE_MIN:
        notes.append(f"Too short to judge by: memory is steady after some of {MINUTES_TO_JUDGE_MIN} minutes.")
    show(rows, console, title="soak")
    for note in notes:
        console.print(note)
    if out is not None:
        write(rows, out, name=SOAK, notes=notes, plot=lambda figure: _draw(soaked, figure))
    return rows


async def _soak(seconds: float, *, seed: int, advance: Callable[[float, str], None]) -> Soaked:
    with tempfile.TemporaryDirectory(prefix="pw-") as folder, _service(Path(folder)) as running:
        server = running.all["server"]
        async with AsyncClient(
            server.address, tls=False, timeout_s=CALL_TIMEOUT_S, outage_s_max=OUTAGE_S_MAX
        ) as client:
            await _fill_stream(client)
            load = MixedLoad(client, RATES, _job, str(seed))
            began_s = time.monotonic()
            doing = asyncio.ensure_future(load.run())
            samples = await _sampled(running, server, load, seconds=seconds, advance=advance)
            load.finish()
            await doing
    return Soaked(
        samples=samples,
        answered=[replace(call, began_s=call.began_s - began_s) for call in load.answered],
        seconds=seconds,
        failed={f"{rpc} {error}": count for (rpc, error), count in load.failed.items()},
        restarts=load.restarts,
        jobs=len(load.acknowledged),
    )


@contextmanager
def _service(folder: Path) -> Iterator[Replicas]:
    """A server over a Valkey of its own, and a launcher whose runs are only times."""
    pools = [a_pool(f"pool-{number}", nodes=NODES, launcher_id=LAUNCHER) for number in range(POOLS)]
    with a_cell(folder, *pools) as cell, replicas(cell) as running:
        running.add("server", "serve", env=SETTINGS)
        running.start()
        cell.start_timed_launcher(LAUNCHER, ledger=folder / "ledger")
        cell.wait_until_ready()
        yield running


async def _fill_stream(client: AsyncClient) -> None:
    """As many commits as the event stream holds, each of a whole job, by holds of jobs that fit no pool."""

    async def fill(filler: int) -> None:
        job = Job(name=f"filler-{filler}", accelerators="a100-80gb:8", command=["true"])
        job_id = (await client.submit(job)).job_id
        for _ in range(COMMITS_BEFORE // FILLERS // 2):
            await client.hold_job(job_id, "to fill the event stream")
            await client.release_job(job_id)
        await client.cancel_job(job_id)

    await asyncio.gather(*map(fill, range(FILLERS)))


async def _sampled(
    running: Replicas,
    server: Replica,
    load: MixedLoad,
    *,
    seconds: float,
    advance: Callable[[float, str], None],
) -> list[Sample]:
    began_s, samples = time.monotonic(), list[Sample]()
    while (at_s := time.monotonic() - began_s) < seconds:
        rss_bytes = _memory(running, server)
        samples.append(Sample(at_s=at_s, rss_bytes=rss_bytes, unfinished=load.unfinished))
        shown = ", ".join(f"{name} {size / MIB:.0f} MiB" for name, size in rss_bytes.items())
        advance(at_s, f"{len(load.acknowledged)} jobs, {load.unfinished} unfinished; {shown}")
        await asyncio.sleep(min(SAMPLE_EVERY_S, seconds - at_s))
    return samples


def _memory(running: Replicas, server: Replica) -> dict[str, int]:
    processes = {"server": server.process_id, "valkey": running.valkey.process.pid}
    planners = planners_of(server.process_id)
    if planners:
        processes["planner"] = planners[0]
    return {name: memory_bytes(process_id) for name, process_id in processes.items()}


def _job(number: int) -> Job:
    return Job(
        name=f"soak-{number}",
        accelerators=GANGS[number % len(GANGS)],
        command=["train"],
        env=job_environment(SECONDS_OF_WORK[number % len(SECONDS_OF_WORK)]),
        queue=f"team-{number % 3}",
        estimated_duration="1h",
    )


def _draw(soaked: Soaked, figure: "Figure") -> None:
    memory, latency = figure.subplots(1, 2)
    for name in soaked.samples[0].rss_bytes:
        at_min = [sample.at_s / 60 for sample in soaked.samples]
        memory.plot(at_min, [sample.rss_bytes[name] / MIB for sample in soaked.samples], label=name)
    memory.set_xlabel("minutes")
    memory.set_ylabel("RSS, MiB")
    memory.set_ylim(bottom=0)
    memory.legend()
    _draw_latency(soaked, latency)


def _draw_latency(soaked: Soaked, axes: "Axes") -> None:
    for rpc in sorted({call.rpc for call in soaked.answered}):
        found = latency_over_time([call for call in soaked.answered if call.rpc == rpc])
        for place, (percent, style) in enumerate(((50, "-"), (99, ":"))):
            at_min = [at_s / 60 for at_s in found]
            axes.plot(at_min, [ms[place] for ms in found.values()], style, label=f"{rpc} p{percent}")
    axes.set_yscale("log")
    axes.set_xlabel("minutes")
    axes.set_ylabel("ms")
    axes.legend(fontsize="x-small")
