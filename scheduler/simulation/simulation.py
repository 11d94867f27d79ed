"""One world from its seed to its end."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any

from scheduler.model.ids import LauncherId
from scheduler.model.state import State
from scheduler.simulation.auditor.liveness import faults_after_calm, waiting_faults
from scheduler.simulation.auditor.promises import PromisesAuditor, WatchLog
from scheduler.simulation.auditor.records import RecordsAuditor
from scheduler.simulation.auditor.rules import RulesAuditor
from scheduler.simulation.braking import BrakingOperator
from scheduler.simulation.chaos import Chaos
from scheduler.simulation.host import Hosts
from scheduler.simulation.launcher import SimulatedLauncher
from scheduler.simulation.logs import Logs, logs_captured
from scheduler.simulation.lulls import Lulls
from scheduler.simulation.mishaps import Mishaps
from scheduler.simulation.network import Network
from scheduler.simulation.notes import Belongings, Disk
from scheduler.simulation.operators import Operator
from scheduler.simulation.planner import SimulatedPlanner
from scheduler.simulation.process import ServiceProcess
from scheduler.simulation.quota_operator import QuotaOperator
from scheduler.simulation.store import AuditedStore, Store
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.trace import Trace, Violation
from scheduler.simulation.users import User, Watcher
from scheduler.simulation.virtual_time import VirtualClock, VirtualLoop, upkeep
from scheduler.simulation.world import NO_FAULTS, World
from scheduler.state.memory import MemoryStore
from scheduler.telemetry.metrics import Metrics

CALM_MS_MIN = 120_000  # before it may leap to its end, if all is at rest
LOOKS, LOOK_EVERY_MS = 12, 10_000
BUSY_LOOKS = 4
RESTART_MS_MAX = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a test may replace to plant a bug."""

    store: Callable[[MemoryStore], Store] = lambda store: store
    planner: Callable[[Surroundings, str], Any] = lambda around, name: SimulatedPlanner(around, name=name)
    launcher: type[SimulatedLauncher] = SimulatedLauncher
    lulls: type[Lulls] = Lulls


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a world.

    Attributes:
        violation: the first broken promise; None when all were kept.
        virtual_ms: how far it came.
        counts: what happened how often.
    """

    seed: int
    violation: Violation | None
    virtual_ms: int
    trace: Trace
    counts: dict[str, int]


def simulate(world: World, *, parts: Parts = Parts()) -> Result:
    """Live through a world; the same world always gives the same result."""
    with logs_captured() as logs, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_simulate(world, parts, logs))


async def _simulate(world: World, parts: Parts, logs: Logs) -> Result:
    simulation = Simulation(world, parts)
    logs.around = simulation.around
    await simulation.run()
    return simulation.result()


class Simulation:
    """Everything that lives in a world."""

    def __init__(self, world: World, parts: Parts) -> None:
        self._world, self._parts = world, parts
        self._clock = VirtualClock()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._violation: Violation | None = None
        trace = Trace(self._clock.elapsed_ms)
        self.records = RecordsAuditor(self._violated, self._clock, trace, world=world)
        self.promises = PromisesAuditor(self.records, self._violated)
        self.rules = RulesAuditor(self.records, self._violated)
        self.memory = MemoryStore(self._clock)
        store = self._store = AuditedStore(self.memory, parts.store(self.memory), self.records, self.rules)
        self.around = Surroundings(
            world=world, trace=trace, clock=self._clock, store=store, fail=self._fail, faults=world.faults
        )
        self._metrics = Metrics()
        self.replicas: list[ServiceProcess] = []
        self.network = Network(self.around, lambda: self.replicas)
        self.launchers: dict[LauncherId, SimulatedLauncher] = {}
        self.belongings = {
            launcher_id: Belongings(
                disk=Disk(), hosts=Hosts(self.around, (self.records, self.rules), name=launcher_id)
            )
            for launcher_id in world.launchers
        }
        self._calm = asyncio.Event()
        self._draw = Random(f"{world.seed}/simulation")
        self._tasks: list[asyncio.Task[Any]] = []

    # --- histories ---

    def new_history(self) -> None:
        self._store.history_began()
        self.records.history_began(self.memory.revision)

    def lost_tail(self, left: State) -> None:
        self.new_history()
        self.records.tail_lost(left)
        self.rules.tail_lost()
        self.promises.tail_lost()

    # --- the end ---

    def _violated(self, what: str) -> None:
        self.around.violated(what)

    def _fail(self, violation: Violation) -> None:
        if self._violation is None:
            self._violation = violation
            if not self._failed.done():
                self._failed.set_result(None)

    def result(self) -> Result:
        counts = dict(self.records.counts, revisions=self.records.revision)
        return Result(
            seed=self._world.seed,
            violation=self._violation,
            virtual_ms=self._clock.elapsed_ms(),
            trace=self.around.trace,
            counts=counts,
        )

    # --- the course of things ---

    async def run(self) -> None:
        try:
            await self._live()
        except Violation as violation:
            self._fail(violation)
        finally:
            self._end()

    async def _live(self) -> None:
        for number in range(self._world.replicas):
            self._go(self._keep_replica(number))
        for launcher_id in self._world.launchers:
            self._go(self._keep_launcher(launcher_id))
        operator = Operator(self.around, self.network, belongings=self.belongings, records=self.records)
        busy = [self._go(operator.live())]
        if (quotas_ms := self._world.quotas_change_every_ms) is not None:
            treasurer = QuotaOperator(
                self.around, self.network, belongings=self.belongings, records=self.records
            )
            busy.append(self._go(treasurer.live_with(self._world.holders, every_ms_max=quotas_ms)))
        if (brakes_ms := self._world.brakes_every_ms) is not None:
            braking = BrakingOperator(
                self.around, self.network, belongings=self.belongings, records=self.records
            )
            self._go(braking.live_until(self._calm, every_ms_max=brakes_ms))
        if (every_ms_max := self._world.leases_change_every_ms) is not None:
            busy.append(self._go(operator.change_leases(every_ms_max=every_ms_max)))
        user = User(self.around, self.network, self.promises)
        for planned in self._world.jobs:
            self._go(user.live(planned))
        watchers = [
            Watcher(self.around, self.network, self.promises, name=f"watcher-{number}")
            for number in range(self._world.watchers)
        ]
        for watcher in watchers:
            with upkeep():
                self._go(watcher.live())
        if (mishaps_ms := self._world.faults.mishaps_every_ms) is not None:
            busy.append(self._go(Mishaps(self, operator).live(every_ms=mishaps_ms)))
        if self._world.faults.chaos_every_ms is not None:
            busy.append(self._go(Chaos(self).live()))
        if self._world.faults == NO_FAULTS:
            with upkeep():
                busy.append(self._go(self._look_while_busy()))
        lulls = self._parts.lulls(self)
        with upkeep():
            busy.append(self._go(lulls.live()))
        if await self._fails_before(self._world.busy_ms):
            return
        self._calm_down(busy)
        if await self._fails_before(self._clock.elapsed_ms() + CALM_MS_MIN):
            return
        with upkeep():
            self._go(lulls.rest(until_ms=self._world.end_ms))
        if await self._fails_before(self._world.end_ms):
            return
        await self._check_liveness({watcher.name: watcher.log for watcher in watchers})

    def _go(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._done)
        self._tasks.append(task)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.around.violated(f"{type(error).__name__}: {error}", error)

    async def _fails_before(self, at_ms: int) -> bool:
        wait_ms = at_ms - self._clock.elapsed_ms()
        await asyncio.wait((self._failed,), timeout=wait_ms / 1000)
        return self._failed.done()

    def _calm_down(self, busy: list[asyncio.Task[None]]) -> None:
        """From now on nothing goes wrong any more."""
        self.around.trace.add("calm")
        self.around.faults = NO_FAULTS
        self.around.bustle.set()
        self._calm.set()
        for task in busy:
            task.cancel()
        if (outage := self.around.outage).is_on:
            outage.end()
            self.records.store_was_away(self._clock.elapsed_ms() - outage.began_ms)
        self.network.reconnect_all()
        for process in self.replicas:
            process.link.resume()
            process.link.lag(0)

    async def _check_liveness(self, watches: dict[str, WatchLog]) -> None:
        """A fault that every look finds, over a while, is a violation."""
        faults: list[str] | None = None
        for _ in range(LOOKS):
            found = faults_after_calm(self.records, self.promises, watches, now_ms=self._clock.now_ms())
            faults = [fault for fault in found if faults is None or fault in faults]
            if not faults or await self._fails_before(self._clock.elapsed_ms() + LOOK_EVERY_MS):
                return
        self.around.violated(f"after {LOOKS} looks: {'; '.join(faults or ())}")

    async def _look_while_busy(self) -> None:
        """Where nothing is broken, whatever fits a reserved pool is placed within a bound."""
        waiting: list[list[str]] = []
        while True:
            await asyncio.sleep(LOOK_EVERY_MS / 1000)
            found = list(waiting_faults(self.records, now_ms=self._clock.now_ms()))
            waiting = [*waiting, found][-BUSY_LOOKS:]
            stay = [fault for fault in found if all(fault in look for look in waiting)]
            if stay and len(waiting) == BUSY_LOOKS:
                self.around.violated(f"for {(BUSY_LOOKS - 1) * LOOK_EVERY_MS} ms: {'; '.join(stay)}")

    def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for launcher in self.launchers.values():
            launcher.crash()
        for process in self.replicas:
            process.kill()

    # --- who is kept running ---

    async def _keep_replica(self, number: int) -> None:
        starts = 0
        while True:
            starts += 1
            name = f"service-{number}-{starts}"
            planner = self._parts.planner(self.around, name)
            process = ServiceProcess(
                name, self.around, planner=planner, metrics=self._metrics, commits=self.records.commits
            )
            self.replicas.append(process)
            process.start()
            await process.died.wait()
            self.records.count("service crashes")
            self.replicas.remove(process)
            await asyncio.sleep(self._draw.randint(100, RESTART_MS_MAX) / 1000)

    async def _keep_launcher(self, launcher_id: LauncherId) -> None:
        starts = 0
        while True:
            starts += 1
            launcher = self._parts.launcher(
                self.around, self.network, launcher_id, belongings=self.belongings[launcher_id], start=starts
            )
            self.launchers[launcher_id] = launcher
            launcher.start()
            await launcher.died.wait()
            self.records.count("launcher crashes")
            await self._stay_down(self._draw.randint(100, self._downtime_ms_max()))

    async def _stay_down(self, duration_ms: int) -> None:
        """For a while, or until all is calm."""
        try:
            async with asyncio.timeout(duration_ms / 1000):
                await self._calm.wait()
        except TimeoutError:
            return

    def _downtime_ms_max(self) -> int:
        """Sometimes longer than every lease."""
        is_long = self._draw.random() < 0.2 and self.around.faults is not NO_FAULTS
        return 400_000 if is_long else RESTART_MS_MAX
