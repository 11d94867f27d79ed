"""Replicas that start together on an empty store agree on one history."""

import asyncio

from tests.contract.stores import world_at

PROCESSES = 5


async def test_processes_that_start_together_on_an_empty_store_share_its_history(real_url: str) -> None:
    async with world_at(real_url) as world:
        stores = await asyncio.gather(*(world.open() for _ in range(PROCESSES)))

        states = [await store.load() for store in stores]

    assert len({state.history for state in states}) == 1
