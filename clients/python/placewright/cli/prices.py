"""The command about prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from placewright.cli import exits
from placewright.cli.options import AddressOption, OutputOption
from placewright.cli.output import Output, print_many, print_table

if TYPE_CHECKING:
    from placewright.prices import PoolPrices

prices = typer.Typer()


@prices.command(name="prices")
def list_prices(
    context: typer.Context, output: OutputOption = Output.TABLE, address: AddressOption = None
) -> None:
    """List what an accelerator of each pool costs, and what one more would be worth to the plan.

    CHARGED is what a job pays; MARGINAL what plans count (0 where it is paid for anyhow); SHADOW what one
    more accelerator there would be worth, 0 where there is enough. All in dollars per accelerator-hour.
    """
    with exits.connected(address or context.obj) as client:
        print_many(client.prices(), output, name=lambda each: each.pool_id, table=_print_prices)


def _print_prices(found: Sequence[PoolPrices]) -> None:
    from placewright.strings import usd

    print_table(
        ("POOL", "ACCELERATOR", "MARKET", "FREE", "CHARGED", "MARGINAL", "SHADOW", "STATE"),
        [
            (
                each.pool_id,
                each.accelerator,
                str(each.market),
                str(each.accelerators_free),
                usd(each.charged_usd_micros_per_accelerator_hour),
                usd(each.marginal_usd_micros_per_accelerator_hour),
                usd(each.shadow_usd_micros_per_accelerator_hour),
                str(each.state).replace("_", " "),
            )
            for each in found
        ],
    )
