"""The commands that stop new placements and allow them again. What runs goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from placewright.cli import exits
from placewright.cli.options import AddressOption, OutputOption, ReasonOption, RequestIdOption
from placewright.cli.output import Output, print_many, print_one

if TYPE_CHECKING:
    from placewright.reasons import Freeze

brakes = typer.Typer()

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]
PoolOption = Annotated[str, typer.Option("--pool", help="Only this pool.")]
QueueOption = Annotated[str, typer.Option("--queue", help="Only this queue.")]


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


@brakes.command()
def freeze(
    context: typer.Context,
    reason: ReasonOption,
    pool: PoolOption = "",
    queue: QueueOption = "",
    request_id: RequestIdOption = "",
    address: AddressOption = None,
) -> None:
    """Place nothing new in a pool, a queue or, with neither, the whole cell; what runs goes on."""
    with exits.connected(address or context.obj) as client:
        kept = client.freeze_planning(reason, pool=pool, queue=queue, request_id=request_id or None)
        exits.tell(f"frozen: {kept}" if kept else "this freeze was made and taken back before")


@brakes.command()
def unfreeze(
    context: typer.Context,
    pool: PoolOption = "",
    queue: QueueOption = "",
    request_id: RequestIdOption = "",
    address: AddressOption = None,
) -> None:
    """Take the freeze of a pool, a queue or, with neither, the cell back."""
    with exits.connected(address or context.obj) as client:
        client.unfreeze_planning(pool=pool, queue=queue, request_id=request_id or None)
        left = [str(each.scope) for each in client.freezes()]
        exits.tell(f"still frozen: {', '.join(left)}" if left else "nothing is frozen")


@brakes.command()
def freezes(
    context: typer.Context, output: OutputOption = Output.TABLE, address: AddressOption = None
) -> None:
    """List what is frozen, by whom, since when and why."""
    with exits.connected(address or context.obj) as client:
        print_many(
            client.freezes(),
            output,
            name=lambda each: each.scope,
            table=_print_freezes,
        )


@brakes.command()
def confirm(
    context: typer.Context,
    pool_id: Annotated[str, typer.Argument(metavar="POOL", help="The pool's id.")],
    price: Annotated[bool, typer.Option("--price", help="The price that waits is meant.")] = False,
    capacity: Annotated[bool, typer.Option("--capacity", help="The capacity is really gone.")] = False,
    request_id: RequestIdOption = "",
    output: OutputOption = Output.NAME,
    address: AddressOption = None,
) -> None:
    """Confirm a pool's jump of price or capacity; with neither option, show what waits."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.tables import age, print_pools

        pool, now = client.get_pool(pool_id), datetime.now(timezone.utc)
        for jump in pool.unconfirmed_jumps:
            exits.tell(f"{pool_id}: {jump}, by {jump.principal} {age(jump.since, now)} ago")
        values = {str(jump.what): jump.unconfirmed for jump in pool.unconfirmed_jumps}
        if not (price or capacity):
            options = ", ".join(f"--{what}" for what in values)
            exits.tell(f"to confirm: {options}" if values else f"{pool_id}: nothing to confirm")
            return
        for option, is_given in (("price", price), ("capacity", capacity)):
            if is_given and option not in values:
                exits.tell(f"error: --{option}: {pool_id} has no {option} to confirm")
                raise typer.Exit(exits.REFUSED)
        taken = client.confirm_pool(
            pool_id,
            price_usd_micros=values["price"] if price else None,
            accelerators=values["capacity"] if capacity else None,
            request_id=request_id or None,
        )
        exits.tell(f"{pool_id}: confirmed")
        print_one(taken, output, name=pool_id, table=lambda one: print_pools([one]))


def _print_freezes(found: Sequence[Freeze]) -> None:
    for each in found:
        typer.echo(str(each))
