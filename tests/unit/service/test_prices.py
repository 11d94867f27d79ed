"""Prices of pools: what they cost, what one more accelerator is worth, and whether they take anything."""

from scheduler.model.brakes import FreezeScope
from scheduler.model.ids import PoolId, Revision
from scheduler.service.freezes import Freezes
from scheduler.service.prices import PoolPrices, PoolState, Prices, prices
from tests.builders import DOLLAR, a_pool, a_rented_pool, a_spec
from tests.cell import Cell, a_cell


async def asked(cell: Cell) -> Prices:
    return await prices(cell.parts, min_revision=Revision(0))


async def of_pool(cell: Cell, pool_id: str = "pool") -> PoolPrices:
    return next(each for each in (await asked(cell)).pools if each.pool_id == pool_id)


async def test_before_any_plan_nothing_is_worth_more() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool(nodes=2))

        found = await asked(cell)

        assert found.guidance_revision is None
        (pool,) = found.pools
        assert (pool.charged_usd_micros, pool.marginal_usd_micros, pool.shadow_usd_micros) == (
            2 * DOLLAR,
            0,
            0,
        )
        assert (pool.free, pool.state) == (16, PoolState.NO_LAUNCHER)


async def test_a_full_pool_that_others_wait_for_has_the_shadow_price_of_the_guidance() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool(nodes=1))
        await cell.apply_pool(a_rented_pool(limit_accelerators=16, believed=8))
        await cell.attach()
        for _ in range(4):
            await cell.submit(a_spec("h100:8"))
        await cell.run_cycle()

        found = await asked(cell)

        guidance = cell.mirror.state.guidance()
        shadow = dict(guidance.shadow_prices)
        assert shadow[PoolId("pool")] > 0
        assert {
            each.pool_id: each.shadow_usd_micros for each in found.pools if each.shadow_usd_micros
        } == shadow
        assert found.guidance_revision is not None
        rented = await of_pool(cell, "rented")
        assert (rented.charged_usd_micros, rented.marginal_usd_micros) == (2 * DOLLAR, 2 * DOLLAR)
        assert ((await of_pool(cell)).free, rented.free) == (
            0,
            0,
        )  # what is being started is not asked for twice


async def test_the_state_says_what_keeps_new_work_out() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool())
        await cell.attach()
        assert (await of_pool(cell)).state is PoolState.READY

        freezes = Freezes(cell.parts)
        await freezes.freeze(FreezeScope.POOL, "pool", reason="why", caller=cell.caller())
        assert (await of_pool(cell)).state is PoolState.FROZEN
        await freezes.unfreeze(FreezeScope.POOL, "pool", caller=cell.caller())
        await freezes.freeze(FreezeScope.CELL, "", reason="why", caller=cell.caller())
        assert (await of_pool(cell)).state is PoolState.FROZEN
        await cell.fleet.cordon(PoolId("pool"), reason="a fan is loud", caller=cell.caller())
        assert (await of_pool(cell)).state is PoolState.CORDONED
