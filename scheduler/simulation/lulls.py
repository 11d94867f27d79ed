"""Lulls: hours in which tasks run and people sleep. Time leaps from one thing that is due to the next.

Why, and what a leap leaves out: docs/decisions/simulated-days.md.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from scheduler.control.agenda import has_waiting_replicas, waiting_replicas
from scheduler.model.ids import LauncherId
from scheduler.model.run import RunState
from scheduler.model.state import State
from scheduler.model.transitions.settling import next_due_ms
from scheduler.simulation.auditor.records import RecordsAuditor
from scheduler.simulation.launcher import SimulatedLauncher
from scheduler.simulation.network import Network
from scheduler.simulation.notes import Belongings
from scheduler.simulation.process import ServiceProcess
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.virtual_time import VirtualLoop
from scheduler.simulation.world import HOUR_MS, MINUTE_MS, NO_FAULTS, SECOND_MS, Faults

LOOK_EVERY_MS = 2 * SECOND_MS
SETTLED_AFTER_MS = 10 * SECOND_MS
LOOKED_AGAIN_MS = 65 * SECOND_MS  # in so long a leader looks again at what waits and at what time ends
LEAP_MS_MIN = MINUTE_MS
LEAP_MS_MAX_WHILE_WAITING = 12 * HOUR_MS  # what is believed of rented capacity changes with time
UNSETTLED_MS_MAX = 15 * MINUTE_MS
STEADY = (RunState.RUNNING, RunState.UNREACHABLE)


class Leaping(Protocol):
    """What must be at rest for a leap."""

    @property
    def around(self) -> Surroundings: ...

    @property
    def network(self) -> Network: ...

    @property
    def records(self) -> RecordsAuditor: ...

    @property
    def replicas(self) -> Sequence[ServiceProcess]: ...

    @property
    def launchers(self) -> Mapping[LauncherId, SimulatedLauncher]: ...

    @property
    def belongings(self) -> Mapping[LauncherId, Belongings]: ...


class Lulls:
    """Begins and ends the lulls of a world, and leaps in them whenever all is at rest."""

    def __init__(self, simulation: Leaping) -> None:
        self._simulation, self._around = simulation, simulation.around
        self._clock = simulation.around.clock
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop), loop
        self._loop = loop
        self._landed_ms = 0

    async def live(self) -> None:
        faults = self._around.faults
        self._around.bustle.set()
        for lull in self._around.world.lulls:
            await asyncio.sleep((lull.from_ms - self._clock.elapsed_ms()) / 1000)
            self._around.trace.add(f"a lull begins, until {lull.to_ms}")
            self._around.bustle.clear()
            self._let_go_wrong(replace(NO_FAULTS, run_failure_permille=faults.run_failure_permille))
            await self.rest(until_ms=lull.to_ms)
            self._let_go_wrong(faults)
            self._around.trace.add("the lull ends")
            self._around.bustle.set()

    def _let_go_wrong(self, faults: Faults) -> None:
        self._around.faults = faults
        for process in self._simulation.replicas:
            process.link.lag(faults.lag_ms)

    async def rest(self, *, until_ms: int) -> None:
        """Let time go by, in leaps if it can."""
        self._landed_ms = self._clock.awake_ms()
        while (left_ms := until_ms - self._clock.elapsed_ms()) > 0:
            unsettled_ms = self._clock.awake_ms() - self._landed_ms
            if unsettled_ms > UNSETTLED_MS_MAX:
                self._simulation.records.count("leaps without rest")
            if unsettled_ms > UNSETTLED_MS_MAX or self._is_at_rest():
                self._leap(left_ms)
            await asyncio.sleep(min(LOOK_EVERY_MS, left_ms) / 1000)

    def _leap(self, left_ms: int) -> None:
        """To the next thing that is due, if it is far away."""
        far_ms = min([left_ms, *self._due_in_ms()])
        if far_ms >= LEAP_MS_MIN:
            self._simulation.records.count("leaps")
            self._loop.leap(far_ms)
            self._landed_ms = self._clock.awake_ms()

    def _due_in_ms(self) -> Iterator[int]:
        appointment_ms, state = self._loop.next_appointment_ms(), self._newest_state()
        if appointment_ms is not None:
            yield appointment_ms
        if state is None:
            return
        now_ms = self._clock.now_ms()
        waiting = waiting_replicas(state)
        ends = [next_due_ms(state), *(replica.backs_off_until(now_ms) for replica in waiting)]
        yield from (end_ms - now_ms - LOOKED_AGAIN_MS for end_ms in ends if end_ms is not None)
        if waiting:
            yield LEAP_MS_MAX_WHILE_WAITING

    def _newest_state(self) -> State | None:
        states = [process.parts.state for process in self._simulation.replicas if process.is_up]
        return max(states, key=lambda state: state.revision, default=None)

    def _is_at_rest(self) -> bool:
        """Whether nothing but upkeep goes on."""
        records = self._simulation.records
        state = self._newest_state()
        needed_ms = LOOKED_AGAIN_MS if state is None or has_waiting_replicas(state) else SETTLED_AFTER_MS
        if self._clock.awake_ms() - self._landed_ms < needed_ms or not self._nothing_is_broken():
            return False
        return all(records.run(run_id).state in STEADY for run_id in records.live.values())

    def _nothing_is_broken(self) -> bool:
        simulation, world = self._simulation, self._around.world
        is_served = len(simulation.replicas) == world.replicas and all(
            process.is_up and not process.link.is_stalled for process in simulation.replicas
        )
        is_held = len(simulation.launchers) == len(world.launchers) and all(
            launcher.is_synchronised.is_set() for launcher in simulation.launchers.values()
        )
        hosts = [belongings.hosts for belongings in simulation.belongings.values()]
        is_lost = any(each.lost_pools or each.unseen_pools for each in hosts)
        is_led = any(process.leader.is_leading for process in simulation.replicas if process.is_up)
        is_reached = simulation.network.is_whole and not self._around.outage.is_on
        return is_served and is_held and is_led and is_reached and not is_lost
