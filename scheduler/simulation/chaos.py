"""Chaos: crashes, stalls, outages, partitions, one after the other while the world is busy."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from scheduler.model.ids import LauncherId
from scheduler.model.state import State
from scheduler.simulation.auditor.records import RecordsAuditor
from scheduler.simulation.launcher import SimulatedLauncher
from scheduler.simulation.network import Network
from scheduler.simulation.process import ServiceProcess
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.world import Trouble
from scheduler.state.memory import MemoryStore

DRAIN_MS = 2_000
STALL_MS_MAX = 40_000
OUTAGE_MS_MAX = 120_000
SHORT_OUTAGE_MS_MAX = 12_000  # a leader may outlive it
PARTITION_MS_MAX = 200_000
LAG_MS_MAX = 9_000
LOST_COMMITS_MAX = 40
LAG_LASTS_MS_MAX = 60_000


class Breakable(Protocol):
    """What lives in a world and can be broken."""

    @property
    def around(self) -> Surroundings: ...

    @property
    def network(self) -> Network: ...

    @property
    def memory(self) -> MemoryStore: ...

    @property
    def records(self) -> RecordsAuditor: ...

    def new_history(self) -> None:
        """Tell the auditors that revisions go on elsewhere."""

    def lost_tail(self, left: State) -> None:
        """Tell the auditors what is left, and that what was acknowledged since may be lost."""

    @property
    def replicas(self) -> Sequence[ServiceProcess]: ...

    @property
    def launchers(self) -> Mapping[LauncherId, SimulatedLauncher]: ...


class Chaos:
    """Breaks things and mends them again."""

    def __init__(self, simulation: Breakable) -> None:
        self._simulation = simulation
        self._around, self._network = simulation.around, simulation.network
        self._draw = Random(f"{simulation.around.world.seed}/chaos")

    async def live(self) -> None:
        every_ms = self._around.world.faults.chaos_every_ms
        assert every_ms is not None
        acts = self._acts()
        async with asyncio.TaskGroup() as troubles:
            while True:
                await asyncio.sleep(self._draw.randint(0, 2 * every_ms) / 1000)
                await self._around.bustle.wait()
                troubles.create_task(self._draw.choice(acts)())

    def _acts(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What may happen, the likelier the more often it is named."""
        acts = (
            (Trouble.SERVICE_CRASHES, self._crash_service),
            (Trouble.SERVICE_DRAINS, self._drain_service),
            (Trouble.LAUNCHER_CRASHES, self._crash_launcher),
            (Trouble.LAUNCHER_CRASHES, self._crash_launcher),
            (Trouble.SERVICE_STALLS, self._stall),
            (Trouble.SERVICE_STALLS, self._stall),
            (Trouble.STORE_IS_AWAY, self._break_store),
            (Trouble.STORE_RESTARTS, self._restart_store),
            (Trouble.HISTORY_STARTS_ANEW, self._start_new_history),
            (Trouble.STORE_LOSES_A_TAIL, self._lose_tail),
            (Trouble.LAUNCHER_IS_CUT_OFF, self._cut_off),
            (Trouble.LAUNCHER_IS_CUT_OFF, self._cut_off),
            (Trouble.SERVICE_LAGS, self._lag),
        )
        only = self._around.world.faults.chaos
        return [act for trouble, act in acts if not only or trouble in only]

    async def _crash_service(self) -> None:
        if self._simulation.replicas:
            self._draw.choice(self._simulation.replicas).kill()

    async def _drain_service(self) -> None:
        """A process is told to end: it has a little time to give its leader lease up."""
        if self._simulation.replicas:
            process = self._draw.choice(self._simulation.replicas)
            process.drain()
            try:
                await asyncio.sleep(DRAIN_MS / 1000)
            finally:  # also when the calm comes first: nobody else would start another
                process.kill()

    async def _crash_launcher(self) -> None:
        launchers = list(self._simulation.launchers.values())
        if launchers:
            self._draw.choice(launchers).crash()

    async def _stall(self) -> None:
        """A process stops for a while, perhaps longer than its leader lease, and then goes on."""
        if self._simulation.replicas:
            process = self._draw.choice(self._simulation.replicas)
            self._around.trace.add(f"{process.name} stalls")
            process.link.stall()
            await self._last(STALL_MS_MAX)
            process.link.resume()
            self._around.trace.add(f"{process.name} goes on")

    async def _break_store(self) -> None:
        outage = self._around.outage
        if outage.is_on:
            return
        reads_work = self._draw.random() < 0.3
        self._around.trace.add(f"the store is out of reach, reads work: {reads_work}")
        outage.begin(reads_work=reads_work, now_ms=self._around.clock.elapsed_ms())
        await self._last(self._draw.choice((SHORT_OUTAGE_MS_MAX, OUTAGE_MS_MAX)))
        outage.end()
        self._simulation.records.store_was_away(self._around.clock.elapsed_ms() - outage.began_ms)
        self._around.trace.add("the store is back")

    async def _restart_store(self) -> None:
        """It lost nothing, but takes no write before a leader has vouched for it."""
        self._around.trace.add("the store is restarted")
        self._simulation.memory.restart()

    async def _start_new_history(self) -> None:
        """As after a failover that lost nothing: every cursor is foreign."""
        self._around.trace.add("the store starts a new history")
        self._simulation.memory.start_new_history()
        self._simulation.new_history()

    async def _lose_tail(self) -> None:
        """As after a failover to a replica that was behind: what was acknowledged last is gone."""
        lag_commits = self._simulation.records.commits_to_lose(self._draw.randint(0, LOST_COMMITS_MAX))
        lost = self._simulation.memory.fail_over(lag_commits=lag_commits)
        self._around.trace.add(f"the store loses {lost} commits")
        self._simulation.lost_tail(await self._simulation.memory.load())

    async def _cut_off(self) -> None:
        launchers = sorted(self._simulation.launchers)
        if launchers:
            launcher_id = self._draw.choice(launchers)
            self._around.trace.add(f"{launcher_id} is cut off")
            self._network.cut_off(launcher_id)
            await self._last(PARTITION_MS_MAX)
            self._network.reconnect(launcher_id)

    async def _lag(self) -> None:
        """A process sees the stream late."""
        if self._simulation.replicas:
            process = self._draw.choice(self._simulation.replicas)
            self._around.trace.add(f"{process.name} lags")
            process.link.lag(LAG_MS_MAX)
            await self._last(LAG_LASTS_MS_MAX)
            process.link.lag(self._around.faults.lag_ms)

    async def _last(self, duration_ms_max: int) -> None:
        await asyncio.sleep(self._draw.randint(1_000, duration_ms_max) / 1000)
