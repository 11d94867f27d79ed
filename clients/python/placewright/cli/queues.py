"""The commands about queues and cohorts."""

from __future__ import annotations

from typing import Annotated

import typer

from placewright.cli import exits
from placewright.cli.options import AddressOption, OutputOption, ReasonOption, RequestIdOption
from placewright.cli.output import Output, print_many, print_one
from placewright.cli.quota_option import quotas_of, weight_permille_of

APPLY_HELP = """

The options are the whole of it: what is not said is not kept. Nothing that runs is stopped; a quota below
what is used lets nothing new in until enough has ended.

A quota is of one accelerator model, in accelerators, or of money: what is placed, at the pools' prices.

\b
  --quota h100=64                    64 of its own, lent and borrowed freely
  --quota h100=64,borrow=32,lend=16  32 more at most, when others leave them;
                                     others get at most 16 of its own
  --quota usd=2000                   2,000 dollars an hour, whatever for

Of what neither it nor its cohort has a quota of, it may use any amount.
"""

queues = typer.Typer()
queue = typer.Typer(
    help="Give a queue quotas, a cohort and a weight, show it; hold and release it.", no_args_is_help=True
)
cohort = typer.Typer(
    help="Cohorts: queues, and other cohorts, that lend each other the quota they do not use.",
    no_args_is_help=True,
)
queues.add_typer(queue, name="queue")
queues.add_typer(cohort, name="cohort")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The queue's name.")]
CohortArgument = Annotated[str, typer.Argument(metavar="NAME", help="The cohort's name.")]
QuotaOption = Annotated[
    list[str],
    typer.Option(
        "--quota",
        metavar="RESOURCE=N[,borrow=N][,lend=N]",
        help="Of an accelerator model or usd; repeatable.",
    ),
]
EtagOption = Annotated[
    str, typer.Option("--etag", help="Only if it still has this etag, which -o json shows.")
]


@queues.command(name="queues")
def list_queues(
    context: typer.Context, output: OutputOption = Output.TABLE, address: AddressOption = None
) -> None:
    """List the queues: what waits, what runs, how far quotas are used, who holds them and why.

    A row per resource. AVAILABLE is what a job may still use now: the queue's own and what it may borrow.
    """
    with exits.connected(address or context.obj) as client:
        from placewright.cli.quota_tables import print_queues

        print_many(client.queues(), output, name=lambda each: each.queue, table=print_queues)


@queue.command(help="Give a queue quotas, a cohort and a weight, or change them." + APPLY_HELP)
def apply(
    context: typer.Context,
    name: NameArgument,
    in_cohort: Annotated[
        str, typer.Option("--cohort", help="Lends to and borrows from its members; it must exist.")
    ] = "",
    weight: Annotated[
        str, typer.Option("--weight", help="Part in a fair share, beside other queues'.")
    ] = "1",
    quota: QuotaOption = [],  # noqa: B006  (typer copies it)
    etag: EtagOption = "",
    request_id: RequestIdOption = "",
    output: OutputOption = Output.TABLE,
    address: AddressOption = None,
) -> None:
    quotas, weight_permille = quotas_of(quota), weight_permille_of(weight)
    with exits.connected(address or context.obj) as client:
        from placewright.cli.quota_tables import print_queue
        from placewright.queues import QueueSpec

        spec = QueueSpec(cohort=in_cohort, weight_permille=weight_permille, quotas=quotas)
        applied = client.apply_queue(name, spec, etag=etag, request_id=request_id or None)
        print_one(applied, output, name=name, table=print_queue)


@queue.command()
def show(
    context: typer.Context,
    name: NameArgument,
    output: OutputOption = Output.TABLE,
    address: AddressOption = None,
) -> None:
    """Show a queue: its jobs, its quotas and how far they are used."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.quota_tables import print_queue

        print_one(client.get_queue(name), output, name=name, table=print_queue)


@queue.command()
def delete(
    context: typer.Context,
    name: NameArgument,
    etag: EtagOption = "",
    request_id: RequestIdOption = "",
    address: AddressOption = None,
) -> None:
    """Take a queue's quotas away: it may use any amount. Its jobs stay, and new ones may be submitted."""
    with exits.connected(address or context.obj) as client:
        client.delete_queue(name, etag=etag, request_id=request_id or None)
        exits.tell(f"queue {name}: no quotas any more")


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


@cohort.command(name="apply", help="Create a cohort or change it." + APPLY_HELP)
def apply_cohort(
    context: typer.Context,
    name: CohortArgument,
    parent: Annotated[str, typer.Option("--parent", help="The cohort that it is in; it must exist.")] = "",
    quota: QuotaOption = [],  # noqa: B006  (typer copies it)
    etag: EtagOption = "",
    request_id: RequestIdOption = "",
    output: OutputOption = Output.TABLE,
    address: AddressOption = None,
) -> None:
    quotas = quotas_of(quota)
    with exits.connected(address or context.obj) as client:
        from placewright.cli.quota_tables import print_cohorts
        from placewright.queues import CohortSpec

        spec = CohortSpec(parent=parent, quotas=quotas)
        applied = client.apply_cohort(name, spec, etag=etag, request_id=request_id or None)
        print_one(applied, output, name=name, table=lambda each: print_cohorts([each]))


@cohort.command(name="list")
def list_cohorts(
    context: typer.Context, output: OutputOption = Output.TABLE, address: AddressOption = None
) -> None:
    """List the cohorts: the quotas of all their members together, and how far they are used.

    AVAILABLE is what a member may still have of it now, beyond what others keep to themselves.
    """
    with exits.connected(address or context.obj) as client:
        from placewright.cli.quota_tables import print_cohorts

        print_many(client.cohorts(), output, name=lambda each: each.cohort, table=print_cohorts)


@cohort.command(name="delete")
def delete_cohort(
    context: typer.Context,
    name: CohortArgument,
    etag: EtagOption = "",
    request_id: RequestIdOption = "",
    address: AddressOption = None,
) -> None:
    """Remove a cohort; one with members is refused."""
    with exits.connected(address or context.obj) as client:
        client.delete_cohort(name, etag=etag, request_id=request_id or None)
        exits.tell(f"cohort {name}: deleted")
