"""The command that explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from placewright.cli import exits
from placewright.cli.options import AddressOption, OutputOption
from placewright.cli.output import Output, print_one, print_table
from placewright.cli.plan import progress

if TYPE_CHECKING:
    from placewright.explanations import Explanation, WhyPlaced, WhyWaiting

explain = typer.Typer()


@explain.command(name="explain", epilog=exits.EPILOG)
def explain_job(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    replica: Annotated[
        Optional[int],  # noqa: UP045  (typer evaluates it under 3.10)
        typer.Option("--replica", help="Its index; else the first that waits, else that has a place."),
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="Wait at most so long.")] = "60s",
    output: OutputOption = Output.TABLE,
    address: AddressOption = None,
) -> None:
    """Explain why a replica waits, what each pool says and what would let it in; or why it is where it is."""
    with exits.connected(address or context.obj) as client:
        with progress("planning"):
            found = client.explain_job(job_id, replica=replica, timeout=timeout)
        print_one(found, output, name=found.replica_id, table=_print_explanation)


def _print_explanation(found: Explanation) -> None:
    typer.echo(f"replica   {found.replica_id}")
    if found.waiting is not None:
        _print_waiting(found.waiting)
    if found.placed is not None:
        _print_placed(found.placed)


def _print_waiting(found: WhyWaiting) -> None:
    from placewright.strings import usd

    if found.deferral is None:
        typer.echo(f"waits     for the next plan, which places it: {found.placement}")
    else:
        typer.echo(f"waits     {found.deferral} ({found.deferral.reason})")
    worth = usd(found.worth_usd_micros_per_useful_hour)
    typer.echo("")
    print_table(
        ("POOL", "NEEDS", "FREE", "COSTS", "IS-WORTH", "VERDICT"),
        [
            (
                pool.pool_id,
                str(pool.accelerators_needed),
                str(pool.accelerators_free),
                _usd_or_dash(pool.cost_usd_micros_per_useful_hour),
                worth,
                str(pool.verdict).replace("_", " "),
            )
            for pool in found.pools
        ],
    )
    typer.echo("")
    if found.changes:
        typer.echo("any one of these would let it in:")
        for change in found.changes:
            typer.echo(f"  {change}")
    elif found.deferral is not None:
        typer.echo(f"no single change that was tried lets it in ({found.changes_tried} plans)")


def _print_placed(found: WhyPlaced) -> None:
    from placewright.strings import usd

    typer.echo(f"placed    {found.placement}; {found.value}")
    typer.echo("")
    print_table(
        ("TERM", "$/H NOW"),
        [
            ("work at its worth", usd(found.work_usd_micros_per_hour)),
            ("price", usd(found.price_usd_micros_per_hour)),
            ("urgency", usd(found.urgency_usd_micros_per_hour)),
            ("shadow price", usd(found.shadow_usd_micros_per_hour)),
            ("sum", usd(found.term_usd_micros_per_hour)),
            ("when it was placed", usd(found.value.term_usd_micros_per_hour)),
        ],
    )


def _usd_or_dash(micros: int | None) -> str:
    from placewright.strings import usd

    return "-" if micros is None else usd(micros)
