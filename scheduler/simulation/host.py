"""The machines of one launcher: they run gangs, outlive the launcher, and fence themselves if told to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from scheduler.model.ids import PoolId, RunId
from scheduler.model.pool import PoolStatus
from scheduler.model.run import EndReason, Run
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.virtual_time import VirtualClock, appointments, upkeep
from scheduler.simulation.world import Work

FENCE_MARGIN_PARTS = 4  # a quarter of the lease is kept for stopping
KILLED_EXIT_CODE = 137
NODES_MAX = 16  # of a pool
READY, GONE = PoolStatus(ready=True), PoolStatus(message="its machines are gone")
BLIND = PoolStatus(ready=True, unavailable_nodes=tuple(range(NODES_MAX)))


class TaskAuditor(Protocol):
    """Told when the tasks of a run begin and end to be alive."""

    def tasks_started(self, run: Run) -> None: ...

    def tasks_ended(self, run_id: RunId) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a run ended."""

    reason: EndReason
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The launcher lease as the hosts read it; times are of the hosts' own clock."""

    epoch: int = 0
    duration_ms: int = 0
    renewed_at_ms: int = 0

    @property
    def fence_at_ms(self) -> int:
        return self.ends_at_ms - self.duration_ms // FENCE_MARGIN_PARTS

    @property
    def ends_at_ms(self) -> int:
        return self.renewed_at_ms + self.duration_ms

    def renewed(self, *, sent_at_ms: int, duration_ms: int, now_ms: int) -> "Lease":
        """Counted from before the renewal was sent; a new epoch if it may have run out meanwhile."""
        lapsed = now_ms >= self.ends_at_ms
        return Lease(epoch=self.epoch + lapsed, duration_ms=duration_ms, renewed_at_ms=sent_at_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What the tasks of a run will do if nobody stops them; times from their start."""

    starting_ms: int
    exit_after_ms: int | None
    end: End


@dataclass(slots=True, kw_only=True)
class Gang:
    """The tasks of a run while they are alive, and how they ended; times are of the hosts' wall clock."""

    run: Run
    script: Script
    fence_epoch: int | None
    started_at_ms: int
    is_running: bool = False
    stop: End | None = None
    kill_at_ms: int | None = None
    end: End | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    lease_changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def runs_at_ms(self) -> int:
        return self.started_at_ms + self.script.starting_ms

    @property
    def exits_at_ms(self) -> int | None:
        """When it exits by itself, if it does."""
        return None if self.script.exit_after_ms is None else self.runs_at_ms + self.script.exit_after_ms


class Hosts:
    """Gangs by run. What a gang is told, it obeys, even when its launcher is down.

    Attributes:
        lease: what the launcher wrote last, for the watchdogs.
        on_change: the launcher, while it is up.
    """

    def __init__(self, around: Surroundings, auditors: Sequence[TaskAuditor], *, name: str) -> None:
        self.gangs: dict[RunId, Gang] = {}
        self.lease = Lease()
        self.on_change: Callable[[RunId], None] | None = None
        self._around, self._auditors = around, auditors
        self._draw = Random(f"{around.world.seed}/hosts/{name}")
        self._lives: dict[RunId, asyncio.Task[None]] = {}
        self._watchdogs: dict[RunId, asyncio.Task[None]] = {}
        self.clock = VirtualClock(drift_ppm=around.drift_ppm_of(name))
        self.lost_pools: dict[PoolId, None] = {}
        self.unseen_pools: dict[PoolId, None] = {}

    def take_lease(self, lease: Lease) -> None:
        """The launcher has written its lease; watchdogs look at once when it got shorter."""
        is_shorter, self.lease = lease.fence_at_ms < self.lease.fence_at_ms, lease
        if is_shorter:
            for gang in self.gangs.values():
                gang.lease_changed.set()

    def start(self, run: Run, script: Script, *, fence_epoch: int | None) -> None:
        """Start the tasks of a run."""
        gang = Gang(run=run, script=script, fence_epoch=fence_epoch, started_at_ms=self.clock.now_ms())
        self.gangs[run.id] = gang
        if fence_epoch is not None and self._has_lapsed(gang):
            gang.end = End(reason=EndReason.INFRASTRUCTURE)
            return
        for auditor in self._auditors:
            auditor.tasks_started(run)
        loop = asyncio.get_running_loop()
        with appointments():
            self._lives[run.id] = loop.create_task(self._live(gang))
        if fence_epoch is not None:
            with upkeep():
                self._watchdogs[run.id] = loop.create_task(self._watch(gang))

    def stop(self, run_id: RunId, reason: EndReason) -> None:
        """Ask the tasks to end within their grace period."""
        gang = self.gangs.get(run_id)
        if gang is None or gang.end is not None or gang.stop is not None:
            return
        gang.stop = End(reason=reason)
        within_ms = self._draw.randint(0, gang.run.grace_period_ms)
        gang.kill_at_ms = self.clock.now_ms() + within_ms
        gang.changed.set()

    def kill(self, run_id: RunId) -> None:
        """Power off: nothing of the run is left, at once."""
        gang = self.gangs.get(run_id)
        if gang is not None and gang.end is None:
            self._lives.pop(run_id).cancel()
            self._ended(gang, End(reason=EndReason.INFRASTRUCTURE, exit_code=KILLED_EXIT_CODE))

    def lose_pool(self, pool_id: PoolId) -> None:
        """The machines of a pool are gone, with all that ran there."""
        self.lost_pools[pool_id] = None
        for run_id in self.alive_on(pool_id):
            self.kill(run_id)

    def return_pool(self, pool_id: PoolId) -> None:
        self.lost_pools.pop(pool_id, None)

    def status_of(self, pool_id: PoolId) -> PoolStatus:
        """What the launcher says of a pool."""
        if pool_id in self.lost_pools:
            return GONE
        return BLIND if pool_id in self.unseen_pools else READY

    def lose_sight_of(self, pool_id: PoolId) -> None:
        """The launcher sees no machine of a pool any more; they are there and go on."""
        self.unseen_pools[pool_id] = None

    def see_again(self, pool_id: PoolId) -> None:
        self.unseen_pools.pop(pool_id, None)

    def forget(self, run_id: RunId) -> None:
        """Drop the record of a run that has ended."""
        gang = self.gangs.get(run_id)
        if gang is not None and gang.end is not None:
            del self.gangs[run_id]

    def is_alive(self, run_id: RunId) -> bool:
        gang = self.gangs.get(run_id)
        return gang is not None and gang.end is None

    def alive_on(self, pool_id: PoolId) -> list[RunId]:
        return [
            run_id for run_id, gang in self.gangs.items() if gang.end is None and gang.run.pool_id == pool_id
        ]

    async def _live(self, gang: Gang) -> None:
        while True:
            end = self._end_of(gang)
            if end is not None:
                return self._ended(gang, end)
            if not gang.is_running and gang.stop is None and self.clock.now_ms() >= gang.runs_at_ms:
                gang.is_running = True
                self._tell(gang)
            due_ms = [] if gang.is_running or gang.stop is not None else [gang.runs_at_ms]
            due_ms += [at_ms for at_ms in (gang.exits_at_ms, gang.kill_at_ms) if at_ms is not None]
            at_ms = min(due_ms, default=None)
            await self._changed(gang.changed, None if at_ms is None else at_ms - self.clock.now_ms())

    def _end_of(self, gang: Gang) -> End | None:
        """How the gang ends now; None while it goes on."""
        now_ms = self.clock.now_ms()
        if gang.exits_at_ms is not None and now_ms >= gang.exits_at_ms:
            return gang.script.end
        if gang.kill_at_ms is not None and now_ms >= gang.kill_at_ms:
            return gang.stop
        if gang.fence_epoch is not None and self._has_lapsed(gang):
            return End(reason=EndReason.INFRASTRUCTURE)
        return None

    async def _watch(self, gang: Gang) -> None:
        """The watchdog: the gang ends when the lease runs out."""
        while not self._has_lapsed(gang):
            await self._changed(gang.lease_changed, self.lease.fence_at_ms - self.clock.monotonic_ms())
        gang.changed.set()

    def _has_lapsed(self, gang: Gang) -> bool:
        now_ms = self.clock.monotonic_ms()
        return gang.fence_epoch != self.lease.epoch or now_ms >= self.lease.fence_at_ms

    async def _changed(self, changed: asyncio.Event, within_ms: int | None) -> None:
        changed.clear()
        timeout_s = None if within_ms is None else self.clock.true_ms(max(0, within_ms)) / 1000
        try:
            async with asyncio.timeout(timeout_s):
                await changed.wait()
        except TimeoutError:
            return

    def _ended(self, gang: Gang, end: End) -> None:
        gang.end = end
        self._lives.pop(gang.run.id, None)
        if (watchdog := self._watchdogs.pop(gang.run.id, None)) is not None:
            watchdog.cancel()
        for auditor in self._auditors:
            auditor.tasks_ended(gang.run.id)
        self._tell(gang)

    def _tell(self, gang: Gang) -> None:
        if self.on_change is not None:
            self.on_change(gang.run.id)


def script_of(run: Run, work: Work, *, draw: Random, failure_permille: int) -> Script:
    """What becomes of a run: drawn from the run alone, so that it does not depend on who asks when."""
    exit_after_ms, end = work.duration_ms, End(reason=EndReason.SUCCEEDED, exit_code=0)
    longest_ms = work.duration_ms or 600_000
    if draw.randrange(1000) < work.user_error_permille:
        exit_after_ms, end = draw.randint(0, longest_ms), End(reason=EndReason.USER_ERROR, exit_code=1)
    if draw.randrange(1000) < failure_permille:
        exit_after_ms, end = draw.randint(0, longest_ms), End(reason=EndReason.INFRASTRUCTURE)
        if run.placement.market == "spot" and draw.random() < 0.5:
            end = End(reason=EndReason.RECLAIMED)
    return Script(starting_ms=work.starting_ms, exit_after_ms=exit_after_ms, end=end)
