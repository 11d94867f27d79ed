"""The command that asks what would be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from placewright.cli import exits
from placewright.cli.input import text_of
from placewright.cli.options import AddressOption, OutputOption
from placewright.cli.output import Output, print_one, print_table

if TYPE_CHECKING:
    from placewright.job import Job
    from placewright.plans import Fate, PlanFigures, SupposedPool, SupposedQueue, WhatIf

plan = typer.Typer()


@plan.command(name="plan", epilog=exits.EPILOG)
def plan_jobs(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="[FILE]...", help="YAML job files, as for submit; - for stdin.")
    ] = [],  # noqa: B006  (typer copies it)
    pool_files: Annotated[
        list[str],
        typer.Option("--pool", help="A fleet file of pools that are added or changed; repeatable."),
    ] = [],  # noqa: B006  (typer copies it)
    removed_pools: Annotated[
        list[str], typer.Option("--without-pool", help="A pool that is lost; repeatable.")
    ] = [],  # noqa: B006  (typer copies it)
    left_out_jobs: Annotated[
        list[str], typer.Option("--without-job", help="A job that is left out; repeatable.")
    ] = [],  # noqa: B006  (typer copies it)
    quotas: Annotated[
        list[str],
        typer.Option("--quota", help="QUEUE:RESOURCE=N, in place of the queue's quotas; repeatable."),
    ] = [],  # noqa: B006  (typer copies it)
    timeout: Annotated[str, typer.Option("--timeout", help="Wait at most so long.")] = "60s",
    output: OutputOption = Output.TABLE,
    address: AddressOption = None,
) -> None:
    """Show the next plan with these jobs, pools and quotas, against the one as things are. Changes nothing.

    With no arguments it shows the latter alone.
    """
    with exits.connected(address or context.obj) as client:
        jobs, pools = _jobs_of(files), _pools_of(pool_files)
        queues = _queues_of(quotas)
        with progress("planning"):
            answer = client.plan_jobs(
                jobs,
                pools=pools,
                removed_pools=removed_pools,
                queues=queues,
                left_out_jobs=left_out_jobs,
                timeout=timeout,
            )
        print_one(answer, output, name=str(answer.revision), table=_print_what_if)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """A sign of life on stderr while something is waited for; one line where nobody watches."""
    if not sys.stderr.isatty():
        exits.tell(f"{what} ...")
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{what} ..."):
        yield


def _jobs_of(files: list[str]) -> list[Job]:
    from placewright.cli.job_file import job_of, read_documents

    return [
        job_of(document, {})
        for file in files
        for document in read_documents(text_of(file), "stdin" if file == "-" else file)
    ]


def _pools_of(files: list[str]) -> list[SupposedPool]:
    from placewright.cli.pool_file import read_pools

    return [pool for file in files for pool in read_pools(text_of(file), file)]


def _queues_of(texts: list[str]) -> list[SupposedQueue]:
    from placewright.plans import SupposedQueue, SupposedQuota

    found: dict[str, list[SupposedQuota]] = {}
    for text in texts:
        queue, colon, rest = text.partition(":")
        resource, equals, amount = rest.partition("=")
        if not (colon and equals and amount.isdecimal()):
            exits.refuse(f"--quota must be QUEUE:RESOURCE=N such as research:h100=64, got {text!r}")
        found.setdefault(queue, []).append(SupposedQuota(resource=resource, nominal=int(amount)))
    return [SupposedQueue(queue=queue, quotas=quotas) for queue, quotas in found.items()]


def _print_what_if(answer: WhatIf) -> None:
    before, after = _figures(answer.before), _figures(answer.after)
    print_table(("PLAN", "BEFORE", "AFTER"), [(name, was, after[name]) for name, was in before.items()])
    rows = [
        (job.name, str(replica.index), *_words(replica.fate))
        for job in answer.jobs
        for replica in job.replicas
    ]
    if rows:
        typer.echo("")
        print_table(("SUPPOSED JOB", "REPLICA", "WHERE", "$/H", "WHY"), rows)
    if answer.changes:
        typer.echo("")
        print_table(
            ("CHANGED", "BEFORE", "AFTER", "WHY"),
            [
                (
                    change.replica_id,
                    _words(change.before)[0],
                    _words(change.after)[0],
                    _words(change.after)[2],
                )
                for change in answer.changes
            ],
        )
    if answer.changes_left_out:
        typer.echo(f"... and {answer.changes_left_out} more")


def _figures(figures: PlanFigures) -> dict[str, str]:
    from placewright.strings import usd

    bound, gap = figures.bound_usd_micros_per_hour, figures.gap_permille
    return {
        "replicas placed": str(figures.placed),
        "replicas waiting": str(figures.waiting),
        "jobs are charged $/h": usd(figures.charged_usd_micros_per_hour),
        "providers are paid $/h": usd(figures.paid_usd_micros_per_hour),
        "objective $/h": usd(figures.objective_usd_micros_per_hour),
        "bound $/h": "-" if bound is None else usd(bound),
        "gap": "-" if gap is None else f"{gap / 10:g} %",
    }


def _words(fate: Fate) -> tuple[str, str, str]:
    """Where, at what price and why."""
    from placewright.strings import usd

    if fate.preempted_by:
        return "preempted", "-", f"for {fate.preempted_by}"
    if fate.placement is None:
        return "waits", "-", str(fate.deferral or "")
    price = usd(fate.placement.charged_usd_micros_per_hour)
    return fate.placement.pool_id, price, "" if fate.value is None else str(fate.value)
