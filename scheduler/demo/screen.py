"""What the demo shows: a live board, and the tables at the end."""

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from placewright import JobKind, JobPhase, JobView, PlacementValue, QueueView, Replica, ReplicaState
from placewright.reasons import COST, deferral_text, size_text
from placewright.strings import usd
from scheduler.demo.plan_figures import PlanFigures

STATES = (ReplicaState.WAITING, ReplicaState.PLACED, ReplicaState.RUNNING, ReplicaState.DONE)


class Board:
    """A bar per replica state while the jobs go their way; plain lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:>8}"), BarColumn(), TextColumn("{task.completed:>3}/{task.total}"),
            TimeElapsedColumn(), console=console, transient=True,
        )  # fmt: skip
        self._bars = {state: self._progress.add_task(state.value, total=None) for state in STATES}
        self._last_line = ""

    def __enter__(self) -> "Board":
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def show(self, jobs: Sequence[JobView]) -> None:
        counts = {state: sum(getattr(job.counts, state.value) for job in jobs) for state in STATES}
        if self._console.is_terminal:
            for state, bar in self._bars.items():
                self._progress.update(bar, completed=counts[state], total=sum(counts.values()))
            return
        line = "replicas: " + ", ".join(f"{count} {state.value}" for state, count in counts.items())
        if line != self._last_line:
            self._console.print(line, highlight=False)
        self._last_line = line


def results_table(jobs: Sequence[JobView]) -> Table:
    """A row per job that got a place: what was chosen, where, at what price, and why."""
    table = Table(title="placed", title_justify="left", expand=False)
    for column in ("job", "class", "chosen", "pool", "market", "$/h", "why here", "became"):
        table.add_column(column, justify="right" if column == "$/h" else "left", overflow="fold")
    for job in jobs:
        for replica in _distinct_places(job):
            table.add_row(*_placed_row(job, replica))
    return table


def _distinct_places(job: JobView) -> list[Replica]:
    """One replica per pool that the job runs on."""
    by_pool: dict[str, Replica] = {}
    for replica in job.replicas:
        if replica.run is not None and replica.run.placement is not None:
            by_pool.setdefault(replica.run.placement.pool_id, replica)
    return list(by_pool.values())


def _placed_row(job: JobView, replica: Replica) -> list[str]:
    assert replica.run is not None
    assert replica.run.placement is not None
    placement = replica.run.placement
    count = sum(
        r.run is not None and r.run.placement is not None and r.run.placement.pool_id == placement.pool_id
        for r in job.replicas
    )
    return [
        job.name if job.spec.kind is JobKind.TRAINING else f"{job.name} x{count}",
        job.spec.priority_class,
        ", ".join(size_text(assignment) for assignment in placement.assignments),
        placement.pool_id,
        placement.market.value,
        usd(placement.charged_usd_micros_per_hour),
        _why(replica.run.value),
        _became(job, replica),
    ]


def _why(value: PlacementValue | None) -> str:
    if value is None:
        return "-"
    term, runner_up = f"nets {usd(value.term_usd_micros_per_hour)}/h", value.runner_up
    if runner_up is None:
        return f"{term}; the only possible pool"
    return f"{term}; next {runner_up.pool_id}: {usd(runner_up.term_usd_micros_per_hour)}/h"


def _became(job: JobView, replica: Replica) -> str:
    assert replica.run is not None
    if job.phase is JobPhase.FAILED and replica.run.exit_code is not None:
        return f"failed, exit code {replica.run.exit_code}"
    return job.phase.value if job.phase is not JobPhase.ACTIVE else replica.state.value


def waiting_table(jobs: Sequence[JobView]) -> Table:
    """A row per job that still waits, and why."""
    table = Table(title="waiting", title_justify="left")
    for column in ("job", "class", "wants any of", "reason", "in words"):
        table.add_column(column, overflow="fold")
    for job in jobs:
        waiting = [replica for replica in job.replicas if replica.deferral is not None]
        if waiting and waiting[0].deferral is not None:
            deferral = waiting[0].deferral
            sizes = ", ".join(alternative.size for alternative in job.spec.alternatives)
            table.add_row(
                job.name, job.spec.priority_class, sizes, deferral.reason.value, deferral_text(deferral)
            )
    return table


def quotas_table(queues: Sequence[QueueView]) -> Table:
    """A row per quota of a queue: how far it was used when most was used, and by borrowing how much."""
    table = Table(title="quotas, when most of them was used", title_justify="left")
    for column in ("queue", "cohort", "of", "quota", "used", "borrowed", "still available"):
        table.add_column(column, justify="left" if column in ("queue", "cohort", "of") else "right")
    for queue in queues:
        cohort = "" if queue.spec is None else queue.spec.cohort
        for usage in queue.usage:
            units = (usage.nominal, usage.used, usage.borrowed, usage.available)
            of = "$/h" if usage.resource == COST else usage.resource
            amounts = (usd(n * 1_000) if usage.resource == COST else str(n) for n in units)
            table.add_row(queue.queue, cohort, of, *amounts)
    return table


def plan_line(figures: PlanFigures) -> str:
    """The numbers of the biggest plan."""
    return (
        f"the joint plan nets ${figures.objective:,.2f}/h; LP bound ${figures.bound:,.2f}/h, "
        f"gap {figures.gap:.4%}; the greedy floor of the same cycle ${figures.floor:,.2f}/h"
    )
