"""The commands that pin replicas to a pool."""

from __future__ import annotations

from typing import Annotated

import typer

from placewright.cli import exits
from placewright.cli.options import AddressOption, ReasonOption, RequestIdOption

pins = typer.Typer()

ReplicaArgument = Annotated[str, typer.Argument(metavar="REPLICA", help="The replica's id.")]
PoolOption = Annotated[str, typer.Option("--pool", help="The pool. [default: where it runs]")]


@pins.command()
def pin(
    context: typer.Context,
    replica_id: ReplicaArgument,
    reason: ReasonOption,
    pool: PoolOption = "",
    request_id: RequestIdOption = "",
    address: AddressOption = None,
) -> None:
    """Place a replica on one pool only; what runs of it is neither moved nor preempted."""
    with exits.connected(address or context.obj) as client:
        pinned = client.pin_replica(replica_id, reason, pool=pool, request_id=request_id or None)
        where = "not pinned any more" if pinned.pin is None else f"pinned to {pinned.pin.pool_id}"
        exits.tell(f"{replica_id}: {where}")


@pins.command()
def unpin(
    context: typer.Context,
    replica_id: ReplicaArgument,
    request_id: RequestIdOption = "",
    address: AddressOption = None,
) -> None:
    """Let a replica be placed anywhere again."""
    with exits.connected(address or context.obj) as client:
        client.unpin_replica(replica_id, request_id=request_id or None)
        exits.tell(f"{replica_id}: not pinned")
