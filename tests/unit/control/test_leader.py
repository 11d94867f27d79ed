"""The leader: one at a time, and a deposed one writes nothing."""

import asyncio

import pytest

from scheduler.control.leader import LEADER_LEASE_MS, Leader
from scheduler.model.errors import LostLeadership
from scheduler.model.replica import ReplicaState
from scheduler.model.state import State
from scheduler.planner_process.inline import InlinePlanner
from tests.builders import PRIORITY_CLASSES
from tests.cell import a_cell


async def until(condition: object, *, turns: int = 2_000) -> None:
    """Let others run until it holds."""
    assert callable(condition)
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")


async def test_a_deposed_leader_writes_nothing() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        await cell.attach()
        job_id = (await cell.submit()).view.job.id
        await cell.memory.release(cell.fence)
        await cell.memory.acquire("another", duration_ms=LEADER_LEASE_MS)

        with pytest.raises(LostLeadership):
            await cell.run_cycle()

        assert cell.replica(job_id).state is ReplicaState.WAITING


async def test_a_leader_takes_over_when_the_lease_is_free_and_places_what_waits() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        await cell.attach()
        job_id = (await cell.submit()).view.job.id
        leader = Leader(cell.tools, cell.memory, holder="second")
        leading = asyncio.ensure_future(leader.run())

        await asyncio.sleep(0)
        assert not leader.is_leading
        await cell.memory.release(cell.fence)
        await until(lambda: cell.replica(job_id).state is ReplicaState.PLACED)

        assert leader.is_leading
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)


async def test_a_leader_whose_lease_was_taken_stops_leading() -> None:
    async with a_cell() as cell:
        await cell.memory.release(cell.fence)
        leader = Leader(cell.tools, cell.memory, holder="second")
        leading = asyncio.ensure_future(leader.run())
        await until(lambda: leader.is_leading)

        cell.clock.pass_ms(LEADER_LEASE_MS * 2)
        await cell.memory.acquire("third", duration_ms=10**12)
        await cell.submit()
        await until(lambda: not leader.is_leading)

        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)


class FailsWhenCancelled(InlinePlanner):
    """A planner that breaks while it is being stopped."""

    async def reset(self, state: State) -> None:  # noqa: ARG002  (the port's signature)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("it broke while it was being stopped") from None


async def test_a_leader_that_is_drained_ends_even_if_its_cycle_fails_at_that_moment() -> None:
    async with a_cell(planner=FailsWhenCancelled(PRIORITY_CLASSES)) as cell:
        await cell.memory.release(cell.fence)
        leader = Leader(cell.tools, cell.memory, holder="second")
        leading = asyncio.ensure_future(leader.run())
        await until(lambda: leader.is_leading)
        for _ in range(50):
            await asyncio.sleep(0)

        leading.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait([leading])

        assert leading.cancelled()
        assert not leader.is_leading
