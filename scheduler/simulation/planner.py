"""The real planning, verified, in this process; it takes virtual time, as a real planner takes real time."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from random import Random

from scheduler.model.errors import PlannerFailed
from scheduler.model.plan import Plan, WorkLimits
from scheduler.model.priority import DEFAULT_PRIORITY_CLASSES
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.planner_process.inline import InlinePlanner
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.virtual_time import appointments

PLANNING_MS_MAX = 400
SLOW_PLANNING_MS_MAX = 30_000
SLOW_PERMILLE = 20


class SimulatedPlanner:
    """`Planner` for one process: the greedy floor, and its improvement in worlds that ask for it."""

    def __init__(self, around: Surroundings, *, name: str) -> None:
        self._around = around
        self._draw = Random(f"{around.world.seed}/planner/{name}")
        classes = {c.name: c for c in DEFAULT_PRIORITY_CLASSES}
        self._inline = InlinePlanner(classes, around.world.disruption)

    async def reset(self, state: State) -> None:
        await self._inline.reset(state)

    async def observe(self, commits: Sequence[Commit]) -> None:
        await self._inline.observe(commits)

    async def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        """As the port says."""
        try:
            async with aclosing(self._inline.plan(now_ms=now_ms, limits=limits)) as plans:
                async for plan in plans:
                    await self._think()
                    yield plan
                    if not self._around.world.improves:
                        return
        except PlannerFailed as error:
            self._around.violated(f"the planner failed: {error}", error)
            raise

    async def _think(self) -> None:
        is_slow = (
            self._around.faults.chaos_every_ms is not None and self._draw.randrange(1000) < SLOW_PERMILLE
        )
        duration_ms = self._draw.randint(0, SLOW_PLANNING_MS_MAX if is_slow else PLANNING_MS_MAX)
        with appointments():
            await self._around.clock.sleep(duration_ms)

    async def interrupt(self) -> None:
        await self._inline.interrupt()

    async def close(self) -> None:
        await self._inline.close()
