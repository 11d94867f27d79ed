"""The commands that keep new placements off pools and nodes. What runs there goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from placewright.cli import exits
from placewright.cli.options import AddressOption, OutputOption, ReasonOption, RequestIdOption
from placewright.cli.output import Output, print_one

cordons = typer.Typer()

PoolArgument = Annotated[str, typer.Argument(metavar="POOL", help="The pool's id.")]
NodeOption = Annotated[
    list[str], typer.Option("--node", help="Only this node, or slice, of the pool; repeatable.")
]


@cordons.command()
def cordon(
    context: typer.Context,
    pool_id: PoolArgument,
    reason: ReasonOption,
    node: NodeOption = [],  # noqa: B006  (typer copies it)
    request_id: RequestIdOption = "",
    output: OutputOption = Output.NAME,
    address: AddressOption = None,
) -> None:
    """Place nothing new on a pool, or on some of its nodes; what runs there goes on."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.tables import print_pools

        if node:
            pool = client.cordon_nodes(pool_id, node, reason, request_id=request_id or None)
            exits.tell(f"{pool_id}: cordoned nodes {', '.join(each.node for each in pool.node_cordons)}")
        else:
            pool = client.cordon_pool(pool_id, reason, request_id=request_id or None)
            exits.tell(f"{pool_id}: cordoned")
        print_one(pool, output, name=pool_id, table=lambda each: print_pools([each]))


@cordons.command()
def uncordon(
    context: typer.Context,
    pool_id: PoolArgument,
    node: NodeOption = [],  # noqa: B006  (typer copies it)
    request_id: RequestIdOption = "",
    output: OutputOption = Output.NAME,
    address: AddressOption = None,
) -> None:
    """Allow placements on a pool again, or on some of its nodes; each keeps what is not named."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.tables import print_pools

        if node:
            pool = client.uncordon_nodes(pool_id, node, request_id=request_id or None)
        else:
            pool = client.uncordon_pool(pool_id, request_id=request_id or None)
        left = ["the pool"] * (pool.cordon is not None) + [f"node {each.node}" for each in pool.node_cordons]
        exits.tell(f"{pool_id}: still cordoned: {', '.join(left)}" if left else f"{pool_id}: not cordoned")
        print_one(pool, output, name=pool_id, table=lambda each: print_pools([each]))
