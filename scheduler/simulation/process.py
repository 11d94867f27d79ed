"""A process of the service: the real mirror, service and control, which can be killed at any await."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Any, TypeVar

from scheduler.control.leader import Leader
from scheduler.control.tools import ControlSettings, Tools
from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import PlacewrightError, StoreUnavailable
from scheduler.model.ids import CellId, Revision
from scheduler.model.plan import WorkLimits
from scheduler.model.transaction import Commit
from scheduler.ports import Planner
from scheduler.service.fleet import Fleet
from scheduler.service.freezes import Freezes
from scheduler.service.jobs import Jobs
from scheduler.service.launchers import Launchers
from scheduler.service.parts import Parts
from scheduler.service.pins import Pins
from scheduler.service.quotas import Quotas
from scheduler.service.watch import Watches
from scheduler.simulation.auditor.streams import StreamAuditor
from scheduler.simulation.crash_points import CrashPoints, begun
from scheduler.simulation.store import StoreLink
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.virtual_time import VirtualClock, upkeep
from scheduler.telemetry.metrics import Metrics

T = TypeVar("T")

LOAD_RETRY_MS = 500
WATCHDOG_MS = 20_000
LIMITS = WorkLimits(deterministic_time=0.01, lp_iterations_max=10_000)


class ServiceProcess:
    """One start of one replica. `is_up` while callers can reach it."""

    def __init__(
        self,
        name: str,
        around: Surroundings,
        *,
        planner: Planner,
        metrics: Metrics,
        commits: Mapping[Revision, Commit],
    ) -> None:
        self.name, self.is_up, self.is_dead = name, False, False
        self.died = asyncio.Event()
        self._commits = commits
        self._around, self._planner, self._metrics = around, planner, metrics
        self._draw = Random(f"{around.world.seed}/{name}")
        skew_ms = around.world.faults.clock_skew_ms
        self.clock = VirtualClock(
            wall_ahead_ms=self._draw.randint(-skew_ms, skew_ms),
            monotonic_ahead_ms=self._draw.randint(0, 10**9),
            drift_ppm=around.drift_ppm_of(name),
        )
        self._crash_points = CrashPoints(around, name, die=self.kill)
        self.link = StoreLink(
            around.store, around.outage, draw=self._draw, faults=lambda: around.faults, die=self.kill
        )
        self.link.lag(around.faults.lag_ms)
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def start(self) -> None:
        self.spawn(self._run())

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do work that dies with the process."""
        task = begun(work, self._crash_points)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled() or self.is_dead:
            return
        error = task.exception()
        if error is not None and not isinstance(error, PlacewrightError):
            self._around.violated(f"{self.name}: {type(error).__name__}: {error}", error)

    def kill(self) -> None:
        """End at once: nothing more of it happens, and nobody is told."""
        if self.is_dead:
            return
        self._around.trace.add(f"{self.name} dies")
        self.is_up, self.is_dead = False, True
        self.died.set()
        self.link.cut()
        for task in tuple(self._tasks):
            task.cancel()

    def drain(self) -> None:
        """End what is under way; what must be said at the end can still be said."""
        self._around.trace.add(f"{self.name} drains")
        self.is_up = False
        for task in tuple(self._tasks):
            task.cancel()

    async def _run(self) -> None:
        mirror = await self._load()
        mirror.add_listener(StreamAuditor(self.name, mirror.state, self._commits, self._around.violated))
        parts = Parts(
            cell=CellId("sim"),
            store=self.link,
            mirror=mirror,
            clock=self.clock,
            random_bytes=self._draw.randbytes,
        )
        self.parts = parts
        self.jobs, self.fleet, self.quotas = Jobs(parts), Fleet(parts), Quotas(parts)
        self.launchers, self.watches = Launchers(parts), Watches(parts)
        self.freezes, self.pins = Freezes(parts), Pins(parts)
        tools = Tools(
            store=self.link,
            mirror=mirror,
            clock=self.clock,
            planner=self._planner,
            metrics=self._metrics,
            settings=ControlSettings(
                limits=LIMITS,
                watchdog_ms=WATCHDOG_MS,
                mass_loss_guard_runs=self._around.world.mass_loss_guard_runs,
            ),
        )
        self.leader = Leader(tools, self.link, holder=self.name)
        with upkeep():
            self.spawn(self._must_go_on(mirror.run))
            self.spawn(self._must_go_on(self.leader.run))
        self.is_up = True
        self._around.trace.add(f"{self.name} is up at revision {mirror.state.revision}")

    async def _must_go_on(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except PlacewrightError as error:
            raise AssertionError(f"it should go on after {error!r}") from error

    async def _load(self) -> Mirror:
        while True:
            try:
                return await Mirror.load(self.link, self.clock, self._metrics)
            except StoreUnavailable:
                await self.clock.sleep(LOAD_RETRY_MS)
