"""Mishaps outside the service: clocks that jump, pools that vanish or seem to, wrong prices."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from scheduler.model.ids import LauncherId, PoolId
from scheduler.simulation.host import Hosts
from scheduler.simulation.launcher import SimulatedLauncher
from scheduler.simulation.notes import Belongings
from scheduler.simulation.operators import Operator
from scheduler.simulation.process import ServiceProcess
from scheduler.simulation.surroundings import Surroundings

JUMP_MS_MAX = 3_600_000
LASTS_MS_MAX = 120_000


class Unlucky(Protocol):
    """What a mishap can befall."""

    @property
    def around(self) -> Surroundings: ...

    @property
    def replicas(self) -> Sequence[ServiceProcess]: ...

    @property
    def launchers(self) -> Mapping[LauncherId, SimulatedLauncher]: ...

    @property
    def belongings(self) -> Mapping[LauncherId, Belongings]: ...


class Mishaps:
    """One after the other, while the world is busy; each is put right again."""

    def __init__(self, world: Unlucky, operator: Operator) -> None:
        self._world, self._around, self._operator = world, world.around, operator
        self._draw = Random(f"{world.around.world.seed}/mishaps")

    async def live(self, *, every_ms: int) -> None:
        acts: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (
            self._jump_clock,
            self._lose_pool,
            self._misprice,
            self._lose_sight,
        )
        async with asyncio.TaskGroup() as mishaps:
            while True:
                await asyncio.sleep(self._draw.randint(0, 2 * every_ms) / 1000)
                await self._around.bustle.wait()
                mishaps.create_task(self._draw.choice(acts)())

    async def _jump_clock(self) -> None:
        """The wall clock of a process is set, forwards or back, and set right later."""
        if not self._world.replicas:
            return
        process = self._draw.choice(self._world.replicas)
        ahead_ms = self._draw.randint(-JUMP_MS_MAX, JUMP_MS_MAX)
        self._around.trace.add(f"the clock of {process.name} jumps by {ahead_ms} ms")
        process.clock.jump(ahead_ms)
        try:
            await self._last()
        finally:
            process.clock.jump(-ahead_ms)

    async def _lose_pool(self) -> None:
        """The machines of a pool go away with all that runs there; later there are new ones."""
        pool_id = self._draw.choice(self._around.world.pools)[0]
        holders = [b.hosts for b in self._world.belongings.values() if pool_id not in b.hosts.lost_pools]
        self._around.trace.add(f"{pool_id} vanishes")
        self._tell_of(pool_id, holders, Hosts.lose_pool)
        try:
            await self._last()
        finally:
            self._around.trace.add(f"{pool_id} returns")
            self._tell_of(pool_id, holders, Hosts.return_pool)

    async def _lose_sight(self) -> None:
        """A launcher reports that nothing of a pool is there, which is not so; later it sees it again."""
        pool_id = self._draw.choice(self._around.world.pools)[0]
        holders = [b.hosts for b in self._world.belongings.values() if pool_id not in b.hosts.unseen_pools]
        self._around.trace.add(f"{pool_id} is seen no more")
        self._tell_of(pool_id, holders, Hosts.lose_sight_of)
        try:
            await self._last()
        finally:
            self._around.trace.add(f"{pool_id} is seen again")
            self._tell_of(pool_id, holders, Hosts.see_again)

    def _tell_of(
        self, pool_id: PoolId, holders: list[Hosts], change: Callable[[Hosts, PoolId], None]
    ) -> None:
        for hosts in holders:
            change(hosts, pool_id)
        for launcher in self._world.launchers.values():
            launcher.pool_changed(pool_id)

    async def _misprice(self) -> None:
        """An operator writes a price a thousand times too high, or none, and finds out later.

        One in four even says that it is meant.
        """
        pool_id = self._draw.choice(self._around.world.pools)[0]
        factor, insists = self._draw.choice((0, 1_000)), self._draw.randrange(4) == 0
        await self._operator.misprice(pool_id, factor=factor, insists=insists, lasts=self._last)

    async def _last(self) -> None:
        await asyncio.sleep(self._draw.randint(1_000, LASTS_MS_MAX) / 1000)
