"""Panels on the fleet: capacity and money."""

from collections.abc import Iterator

from deploy.dashboards.panels import About, AnyPanel, Limit, Query, bars, stacked
from deploy.dashboards.promql import POOLS, newest

RISING_IS_BAD = (Limit(None, "green"), Limit(0.8, "orange"), Limit(0.95, "red"))


def capacity() -> Iterator[AnyPanel]:
    yield stacked(
        About("Used by accelerator", "Accelerators of live runs, by model.", "short", 12),
        Query(newest("pool_accelerators_used", POOLS, by="accelerator"), "{{accelerator}}"),
    )
    yield stacked(
        About("Free by accelerator", "Accelerators that may be used and are not, by model.", "short", 12),
        Query(newest("pool_accelerators_free", POOLS, by="accelerator"), "{{accelerator}}"),
    )
    used, all_ = (
        newest("pool_accelerators_used", POOLS, by="pool"),
        newest("pool_accelerators", POOLS, by="pool"),
    )
    yield bars(
        About(
            "Fill level by pool",
            "Accelerators of live runs over those that may be used.",
            "percentunit",
            8,
            height=18,
        ),
        Query(f"{used} / ({all_} > 0)", "{{pool}}"),
        limits=RISING_IS_BAD,
        largest=1,
    )
    yield bars(
        About("Free by pool", "Accelerators that may be used and are not.", "short", 8, height=18),
        Query(newest("pool_accelerators_free", POOLS, by="pool"), "{{pool}}"),
    )
    yield bars(
        About(
            "Believed free at providers",
            "What rented pools may ask for: halves at a stockout, doubles when a run gets through.",
            "short",
            8,
            height=18,
        ),
        Query(newest("pool_accelerators_believed_free", POOLS, by="pool"), "{{pool}}"),
    )


def money() -> Iterator[AnyPanel]:
    yield stacked(
        About(
            "Cost by provider and market",
            "Dollars an hour for what runs; reserved capacity counts whether used or not.",
            "currencyUSD",
            6,
        ),
        Query(
            newest("pool_cost_usd_per_hour", POOLS, by="provider, market") + " > 0", "{{provider}} {{market}}"
        ),
    )
    yield stacked(
        About(
            "Cost by use",
            "Dollars an hour for accelerators at work and for reserved ones that lie idle.",
            "currencyUSD",
            6,
        ),
        Query(newest("pool_cost_usd_per_hour", POOLS, by="use"), "{{use}}"),
    )
    yield bars(
        About(
            "Shadow prices",
            "What one more accelerator-hour would be worth, where one is missing.",
            "currencyUSD",
            6,
        ),
        Query(
            f"topk(8, {newest('pool_shadow_price_usd_per_accelerator_hour', POOLS, by='pool')})", "{{pool}}"
        ),
        decimals=2,
    )
    yield stacked(
        About(
            "Unconfirmed jumps",
            "Pools whose price or capacity jumps and waits for a word (docs/operations/jumps.md).",
            "short",
            6,
        ),
        Query(newest("pool_jumps_unconfirmed", POOLS, by="what"), "{{what}}"),
    )
