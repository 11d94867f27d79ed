"""The commands about queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from placewright.cli import exits
from placewright.cli.options import AddressOption, OutputOption, RequestIdOption
from placewright.cli.output import Output, print_many, print_table

if TYPE_CHECKING:
    from placewright.queues import QueueView

queues = typer.Typer()
queue = typer.Typer(
    help="Hold and release a queue: a held one gets nothing new placed.", no_args_is_help=True
)
queues.add_typer(queue, name="queue")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The queue's name.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for people.")]


@queues.command(name="queues")
def list_queues(
    context: typer.Context, output: OutputOption = Output.TABLE, address: AddressOption = None
) -> None:
    """List queues that have unfinished jobs or are held: what waits, what runs, who holds them and why."""
    with exits.connected(address or context.obj) as client:
        print_many(client.queues(), output, name=lambda each: each.queue, table=_print_queues)


@queue.command()
def hold(
    context: typer.Context,
    name: NameArgument,
    reason: ReasonOption,
    request_id: RequestIdOption = "",
    address: AddressOption = None,
) -> None:
    """Place nothing new of the queue's jobs; what runs goes on."""
    with exits.connected(address or context.obj) as client:
        kept = client.hold_queue(name, reason, request_id=request_id or None)
        exits.tell(f"held: {kept}" if kept else "this hold was made and taken back before")


@queue.command()
def release(
    context: typer.Context,
    name: NameArgument,
    request_id: RequestIdOption = "",
    address: AddressOption = None,
) -> None:
    """Place the queue's jobs again, as far as no freeze of the cell or of pools forbids it."""
    with exits.connected(address or context.obj) as client:
        client.release_queue(name, request_id=request_id or None)
        exits.tell(f"queue {name}: not held")


def _print_queues(found: Sequence[QueueView]) -> None:
    print_table(
        ("QUEUE", "JOBS", "WAITING", "RUNS", "ACCELERATORS", "HELD"),
        [
            (
                each.queue,
                str(each.unfinished_jobs),
                str(each.waiting_jobs),
                str(each.live_runs),
                str(each.accelerators_used),
                "" if each.hold is None else f"by {each.hold.principal}: {each.hold.reason}",
            )
            for each in found
        ],
    )
