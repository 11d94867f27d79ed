"""A leader that stalls between plan and commit while another takes over writes nothing, on a real store."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from scheduler.model.errors import LostLeadership
from scheduler.model.plan import Plan, WorkLimits
from scheduler.model.replica import ReplicaState
from scheduler.model.transaction import Fence
from scheduler.planner_process.inline import InlinePlanner
from scheduler.ports import Leadership
from tests.builders import PRIORITY_CLASSES
from tests.cell import a_cell
from tests.contract.stores import WAIT_SECONDS_MAX, RedisStore, world_at


class StallingPlanner(InlinePlanner):
    """Has its plan ready, and gives it when it is told to."""

    def __init__(self) -> None:
        super().__init__(PRIORITY_CLASSES)
        self.has_planned, self.goes_on = asyncio.Event(), asyncio.Event()

    async def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        async for plan in super().plan(now_ms=now_ms, limits=limits):
            yield plan
        self.has_planned.set()
        await self.goes_on.wait()


async def taken_over(leadership: Leadership) -> Fence:
    """The fence of the next leader, once the lease has run out."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            fence = await leadership.acquire("another", duration_ms=60_000)
            if fence is not None:
                return fence
            await asyncio.sleep(0.02)


async def test_a_plan_that_another_leader_overtook_is_refused_whole(real_url: str) -> None:
    planner = StallingPlanner()
    async with world_at(real_url) as world:
        store, another = await world.open(), await world.open()
        assert isinstance(store, RedisStore)
        async with a_cell(store=store, leadership=store, planner=planner) as cell:
            await cell.apply_pool()
            await cell.attach()
            job_id = (await cell.submit()).view.job.id
            cycle = asyncio.ensure_future(cell.run_cycle())
            await planner.has_planned.wait()

            fence = await taken_over(another)
            before = await another.load()
            planner.goes_on.set()
            with pytest.raises(LostLeadership):
                await cycle

            assert fence.number > cell.fence.number
            assert (await another.load()).revision == before.revision
            assert cell.replica(job_id).state is ReplicaState.WAITING
