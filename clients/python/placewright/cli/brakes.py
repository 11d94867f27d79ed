"""The commands that stop new placements and allow them again. What runs goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from placewright.cli import exits
from placewright.cli.options import AddressOption, OutputOption, RequestIdOption
from placewright.cli.output import Output, print_one

brakes = typer.Typer()

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for people.")]


@brakes.command()
def hold(
    context: typer.Context,
    job_id: JobArgument,
    reason: ReasonOption,
    request_id: RequestIdOption = "",
    output: OutputOption = Output.NAME,
    address: AddressOption = None,
) -> None:
    """Give a job no new placements; what runs goes on."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.tables import print_job

        held = client.hold_job(job_id, reason, request_id=request_id or None)
        exits.tell(f"{job_id} {held.name}: {'held' if held.hold else held.phase}")
        print_one(held, output, name=job_id, table=print_job)


@brakes.command()
def release(
    context: typer.Context,
    job_id: JobArgument,
    request_id: RequestIdOption = "",
    output: OutputOption = Output.NAME,
    address: AddressOption = None,
) -> None:
    """Allow placements of a held job again."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.tables import print_job

        freed = client.release_job(job_id, request_id=request_id or None)
        exits.tell(f"{job_id} {freed.name}: {freed.phase}, not held")
        print_one(freed, output, name=job_id, table=print_job)
