"""The demo's course: start, submit, watch, tell."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from placewright import Client, JobHandle, JobKind, JobPhase, JobView, PlacewrightError, QueueView
from placewright.reasons import COST
from scheduler.demo.jobs import lab_jobs
from scheduler.demo.plan_figures import PlanFigures, read_plan
from scheduler.demo.processes import DemoFailed, Running, launcher, service
from scheduler.demo.screen import Board, plan_line, quotas_table, results_table, waiting_table

ATTACH_SECONDS_MAX = 30
RUN_SECONDS_MAX = 180
POLL_SECONDS = 0.25
CALM_SECONDS = 2.0
PLAIN_WIDTH = 170  # of tables in a log


def tell(fleet: Path, *, keeps_running: bool) -> int:
    """Run the demo; the exit code."""
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    if not fleet.is_file():
        console.print(f"there is no fleet file {fleet}; run from the repository or say --fleet")
        return 2
    work_dir = Path(tempfile.mkdtemp(prefix="placewright-demo-"))
    try:
        _play(console, work_dir, fleet, keeps_running=keeps_running)
    except (DemoFailed, PlacewrightError) as error:
        console.print(f"[red]the demo failed:[/red] {error}\nlogs are in {work_dir}", highlight=False)
        return 1
    shutil.rmtree(work_dir, ignore_errors=True)
    return 0


def _play(console: Console, work_dir: Path, fleet: Path, *, keeps_running: bool) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(service(work_dir, fleet))
        client = stack.enter_context(Client(running.address))
        stack.enter_context(launcher(work_dir, running.address))
        console.print(
            f"service at [bold]{running.address}[/bold] (embedded Valkey), {_wait_for_pools(client)} pools "
            f"served by a local launcher, metrics at {running.metrics_url}",
            highlight=False,
        )
        handles = _submit(client, console)
        jobs, queues, figures = _watch(client, console, running, handles)
        console.print(results_table(jobs))
        console.print(waiting_table(jobs))
        console.print(quotas_table(queues))
        console.print(plan_line(figures), highlight=False)
        _stop_services(handles, console)
        console.print(f"metrics: {running.metrics_url}", highlight=False)
        if keeps_running:
            _keep(console, running)


def _wait_for_pools(client: Client) -> int:
    """Pools of the fleet, once the launcher serves every one."""
    deadline = time.monotonic() + ATTACH_SECONDS_MAX
    while time.monotonic() < deadline:
        pools = client.pools()
        if pools and all(pool.status.ready for pool in pools):
            return len(pools)
        time.sleep(POLL_SECONDS)
    raise DemoFailed(f"the launcher did not serve every pool within {ATTACH_SECONDS_MAX} s")


def _submit(client: Client, console: Console) -> list[JobHandle]:
    """All jobs in one call, so that the first plan weighs them against each other."""
    jobs = lab_jobs()
    results = client.submit_many(jobs)
    for result in results:
        if isinstance(result, PlacewrightError):
            raise result
    console.print(f"submitted {len(jobs)} jobs in one call")
    return [result for result in results if isinstance(result, JobHandle)]


def _watch(
    client: Client, console: Console, running: Running, handles: Sequence[JobHandle]
) -> tuple[list[JobView], list[QueueView], PlanFigures]:
    """Show how the jobs are placed, run and finish, until nothing finite that has a place is left.

    The queues are as they were when they used most of their quotas.
    """
    ids = [handle.job_id for handle in handles]
    deadline, calm_since = time.monotonic() + RUN_SECONDS_MAX, time.monotonic()
    biggest: PlanFigures | None = None
    fullest: list[QueueView] = []
    with Board(console) as board:
        while True:
            by_id = {job.job_id: job for job in client.list_jobs()}
            jobs = [by_id[job_id] for job_id in ids]
            board.show(jobs)
            figures = read_plan(running.metrics_url)
            if figures is not None and (biggest is None or figures.objective > biggest.objective):
                biggest = figures
            fullest = max(fullest, client.queues(), key=_used)
            if any(_is_busy(job) for job in jobs):
                calm_since = time.monotonic()
            if time.monotonic() - calm_since > CALM_SECONDS and biggest is not None:
                return jobs, fullest, biggest
            if time.monotonic() > deadline:
                raise DemoFailed(f"jobs were still running after {RUN_SECONDS_MAX} s")
            time.sleep(POLL_SECONDS)


def _used(queues: Sequence[QueueView]) -> int:
    return sum(usage.used for queue in queues for usage in queue.usage if usage.resource == COST)


def _is_busy(job: JobView) -> bool:
    """Whether the job is on its way: unplanned, starting, or finite and running."""
    if job.phase not in (JobPhase.PENDING, JobPhase.ACTIVE):
        return False
    if job.spec.kind is JobKind.INFERENCE:
        return job.counts.placed > 0
    return job.counts.placed + job.counts.running > 0


def _stop_services(handles: Sequence[JobHandle], console: Console) -> None:
    """Cancel what would run or wait for ever, and see it end."""
    left = [handle for handle in handles if not handle.refresh().is_finished]
    for handle in left:
        handle.cancel("the demo is over")
    for handle in left:
        handle.wait(until="finished", timeout=60)
    console.print(f"cancelled the {len(left)} services and waiting jobs that were left; every run has ended")


def _keep(console: Console, running: Running) -> None:
    console.print(f"still serving: export PLACEWRIGHT_ADDRESS={running.address}; Ctrl-C ends it")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopping")
