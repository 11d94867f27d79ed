"""Tables of queues and cohorts, with a row per resource that they have a quota of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import typer

from placewright.cli.output import print_table
from placewright.queues import CohortView, QueueView, Quota, QuotaUsage
from placewright.reasons import COST
from placewright.strings import usd

USAGE_COLUMNS = ("RESOURCE", "USED", "QUOTA", "BORROWED", "AVAILABLE")
QUEUE_COLUMNS = (
    "QUEUE",
    "COHORT",
    "WEIGHT",
    "JOBS",
    "WAITING",
    "RUNS",
    "ACCELERATORS",
    *USAGE_COLUMNS,
    "HELD",
)
COHORT_COLUMNS = ("COHORT", "PARENT", *USAGE_COLUMNS)
NO_USAGE = ("",) * len(USAGE_COLUMNS)


def print_queues(queues: Sequence[QueueView]) -> None:
    print_table(QUEUE_COLUMNS, (row for queue in queues for row in queue_rows(queue)))


def queue_rows(queue: QueueView) -> Iterator[tuple[str, ...]]:
    """What belongs to the queue as a whole stands in its first row only."""
    spec = queue.spec
    head: tuple[str, ...] = (
        queue.queue,
        spec.cohort if spec is not None else "",
        weight_text(spec.weight_permille) if spec is not None else "",
        str(queue.unfinished_jobs),
        str(queue.waiting_jobs),
        str(queue.live_runs),
        str(queue.accelerators_used),
    )
    held = "" if queue.hold is None else f"by {queue.hold.principal}: {queue.hold.reason}"
    for usage in _usages(queue.usage):
        yield (*head, *usage, held)
        head, held = ("",) * len(head), ""


def print_cohorts(cohorts: Sequence[CohortView]) -> None:
    print_table(COHORT_COLUMNS, (row for cohort in cohorts for row in cohort_rows(cohort)))


def cohort_rows(cohort: CohortView) -> Iterator[tuple[str, ...]]:
    head = (cohort.cohort, cohort.spec.parent)
    for usage in _usages(cohort.usage):
        yield (*head, *usage)
        head = ("", "")


def _usages(usages: Sequence[QuotaUsage]) -> list[tuple[str, ...]]:
    return [_usage_cells(usage) for usage in usages] or [NO_USAGE]


def _usage_cells(usage: QuotaUsage) -> tuple[str, ...]:
    amounts = (usage.used, usage.nominal, usage.borrowed, usage.available)
    return (
        "$/h" if usage.resource == COST else usage.resource,
        *(amount(usage.resource, n) for n in amounts),
    )


def amount(resource: str, units: int) -> str:
    """So many units of a resource; dollars where it is money."""
    return usd(units * 1_000) if resource == COST else str(units)


def weight_text(permille: int) -> str:
    return f"{permille / 1_000:g}"


def print_queue(queue: QueueView) -> None:
    """All there is to say about a queue."""
    for line in queue_lines(queue):
        typer.echo(line)
    if queue.usage:
        print_table(USAGE_COLUMNS, _usages(queue.usage))


def queue_lines(queue: QueueView) -> Iterator[str]:
    yield f"queue     {queue.queue}"
    yield (
        f"jobs      {queue.unfinished_jobs} unfinished, {queue.waiting_jobs} of them waiting with "
        f"{queue.waiting_replicas} replicas"
    )
    yield f"running   {queue.live_runs} runs on {queue.accelerators_used} accelerators"
    if queue.hold is not None:
        yield f"held      by {queue.hold.principal}: {queue.hold.reason}"
    if queue.spec is None:
        yield "quotas    none: nobody applied this queue, it may use any amount"
        return
    yield f"cohort    {queue.spec.cohort or 'none'}"
    yield f"weight    {weight_text(queue.spec.weight_permille)}"
    for quota in queue.spec.quotas:
        yield f"quota     {quota_text(quota)}"


def quota_text(quota: Quota) -> str:
    """The quota in words: "64 h100, borrows up to 32, lends all it leaves"."""

    def limit(units: int | None, everything: str) -> str:
        return everything if units is None else f"up to {amount(quota.resource, units)}"

    unit = "/h" if quota.resource == COST else f" {quota.resource}"
    return (
        f"{amount(quota.resource, quota.nominal)}{unit}, "
        f"borrows {limit(quota.borrowing_limit, 'all that others leave')}, "
        f"lends {limit(quota.lending_limit, 'all it leaves')}"
    )
