"""A whole cell in this process over the in-memory store, with a clock that tests move."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scheduler.control.agenda import Agenda
from scheduler.control.cycle import Cycle
from scheduler.control.tools import ControlSettings, Tools
from scheduler.mirror.mirror import Mirror
from scheduler.model.ids import CellId, JobId, LauncherId, PoolId, Principal, RunId, run_id_of
from scheduler.model.job import Job, JobSpec
from scheduler.model.plan import WorkLimits
from scheduler.model.pool import Pool, PoolSpec, PoolStatus
from scheduler.model.replica import Replica
from scheduler.model.retention import RETENTION_DEFAULT, Retention
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.transaction import Fence
from scheduler.planner_process.inline import InlinePlanner
from scheduler.ports import Leadership, Planner, StateStore
from scheduler.service.fleet import Caller, Fleet
from scheduler.service.jobs import Accepted, Jobs, Submission
from scheduler.service.launchers import Claim, Launchers, Report, SessionRef
from scheduler.service.parts import Parts
from scheduler.service.watch import Watches
from scheduler.service.whatif import WhatIfs
from scheduler.state.memory import MemoryStore
from scheduler.telemetry.metrics import Metrics
from tests.builders import NOW_MS, PRIORITY_CLASSES, a_pool, a_spec

USER = Principal("user")
OPERATOR = Principal("operator")
LAUNCHER = Principal("launcher")
LEASE_MS = 100  # of a leader over a store of its own


@dataclass
class ManualClock:
    """Time that moves only when a test says so; sleeping lets others run and takes that much time."""

    time_ms: int = NOW_MS

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_ms(self) -> int:
        return self.time_ms

    async def sleep(self, duration_ms: int) -> None:
        self.time_ms += duration_ms
        await asyncio.sleep(0)

    def pass_ms(self, duration_ms: int) -> None:
        self.time_ms += duration_ms


@dataclass
class Cell:
    """The parts of a cell, and the shortest way to what tests do with them."""

    clock: ManualClock
    store: StateStore
    memory: MemoryStore
    mirror: Mirror
    parts: Parts
    tools: Tools
    metrics: Metrics
    jobs: Jobs
    fleet: Fleet
    launchers: Launchers
    watches: Watches
    cycle: Cycle
    fence: Fence
    agenda: Agenda

    def __post_init__(self) -> None:
        self.request_numbers = itertools.count(1)

    def caller(self) -> Caller:
        return Caller(principal=OPERATOR, request_id=f"request-{next(self.request_numbers)}")

    async def submit(
        self, spec: JobSpec | None = None, *, request_id: str = "", principal: Principal = USER
    ) -> Accepted:
        submission = Submission(
            spec=spec or a_spec(),
            command=("train",),
            env=(("SEED", "1"),),
            request_id=request_id or f"request-{next(self.request_numbers)}",
        )
        return await self.jobs.submit(submission, principal)

    async def apply_pool(self, pool: Pool | None = None) -> PoolId:
        """Apply the pool's spec; it gets ready when its launcher attaches."""
        pool = pool or a_pool()
        return (await self._apply(pool.id, pool.spec)).id

    async def _apply(self, pool_id: PoolId, spec: PoolSpec) -> Pool:
        changed = await self.fleet.apply(pool_id, spec, generation=None, caller=self.caller())
        return changed.view.pool

    async def attach(self, launcher_id: str = "launcher") -> SessionRef:
        """A session whose launcher serves each of its pools and holds nothing that it did not report."""
        session = await self.launchers.open_session(
            LauncherId(launcher_id), principal=LAUNCHER, version="test"
        )
        ref = SessionRef(LauncherId(launcher_id), session.number, LAUNCHER, session.history)
        await self.launchers.synchronise(ref, self._statuses(launcher_id))
        return ref

    def _statuses(self, launcher_id: str) -> dict[PoolId, PoolStatus]:
        pools = [pool for pool in self.mirror.state.pools() if pool.spec.launcher_id == launcher_id]
        return {pool.id: PoolStatus(ready=True) for pool in pools}

    async def run_cycle(self) -> None:
        self.cycle.expiry.seen_alive()
        await self.cycle.run()

    async def claim(self, ref: SessionRef, run_id: RunId) -> Claim:
        return await self.launchers.claim(ref, run_id)

    async def report(
        self, ref: SessionRef, run_id: RunId, state: RunState, end_reason: EndReason | None = None
    ) -> None:
        run = self.run(run_id)
        await self.launchers.report(
            ref, Report(run_id=run_id, run_token=run.run_token, state=state, end_reason=end_reason)
        )

    async def running_job(self, ref: SessionRef, spec: JobSpec | None = None) -> JobId:
        """A job whose first replica runs at `ref`."""
        job_id = (await self.submit(spec)).view.job.id
        await self.run_cycle()
        run_id = self.live_run(job_id).id
        await self.claim(ref, run_id)
        await self.report(ref, run_id, RunState.RUNNING)
        return job_id

    def job(self, job_id: JobId) -> Job:
        job = self.mirror.state.job(job_id)
        assert job is not None, job_id
        return job

    def replica(self, job_id: JobId, index: int = 0) -> Replica:
        return self.mirror.state.replicas_of(self.job(job_id))[index]

    def run(self, run_id: RunId) -> Run:
        run = self.mirror.state.run(run_id)
        assert run is not None, run_id
        return run

    def live_run(self, job_id: JobId, index: int = 0) -> Run:
        run_id = self.replica(job_id, index).live_run
        assert run_id is not None, self.replica(job_id, index)
        return self.run(run_id)

    def first_run(self, job_id: JobId, index: int = 0) -> Run:
        return self.run(run_id_of(self.replica(job_id, index).id, 1))


def what_ifs_of(cell: Cell) -> WhatIfs:
    """What-if questions about the cell, answered in this process."""
    return WhatIfs(cell.parts, InlinePlanner(PRIORITY_CLASSES), WorkLimits(deterministic_time=0.2))


def control_settings(
    *,
    watchdog_ms: int = 60_000,
    mass_loss_guard_runs: int = 100,
    retention: Retention = RETENTION_DEFAULT,
) -> ControlSettings:
    return ControlSettings(
        limits=WorkLimits(deterministic_time=0.1),
        watchdog_ms=watchdog_ms,
        mass_loss_guard_runs=mass_loss_guard_runs,
        retention=retention,
    )


@asynccontextmanager
async def a_cell(
    *,
    store: StateStore | None = None,
    memory: MemoryStore | None = None,
    clock: ManualClock | None = None,
    planner: Planner | None = None,
    settings: ControlSettings | None = None,
    leadership: Leadership | None = None,
) -> AsyncIterator[Cell]:
    """A cell that leads; `store` stands in front of `memory` where a test wants it to fail.

    Over another store than `memory`, its `leadership` comes with it, with a short lease.
    """
    clock = clock or ManualClock()
    memory = memory or MemoryStore(clock)
    store = store or memory
    metrics = Metrics()
    mirror = await Mirror.load(store, clock, metrics)
    numbers = itertools.count()
    parts = Parts(
        cell=CellId("test"),
        store=store,
        mirror=mirror,
        clock=clock,
        random_bytes=lambda count: next(numbers).to_bytes(count, "big"),
    )
    tools = Tools(
        store=store,
        mirror=mirror,
        clock=clock,
        planner=planner or InlinePlanner(PRIORITY_CLASSES),
        metrics=metrics,
        settings=settings or control_settings(),
    )
    lease_ms = 10**12 if leadership is None else LEASE_MS
    fence = await (leadership or memory).acquire("test", duration_ms=lease_ms)
    assert fence is not None
    agenda = Agenda()
    mirror.add_listener(agenda)
    following = asyncio.ensure_future(mirror.run())
    try:
        yield Cell(
            clock=clock,
            store=store,
            memory=memory,
            mirror=mirror,
            parts=parts,
            tools=tools,
            metrics=metrics,
            jobs=Jobs(parts),
            fleet=Fleet(parts),
            launchers=Launchers(parts),
            watches=Watches(parts),
            cycle=Cycle(tools, agenda, fence),
            fence=fence,
            agenda=agenda,
        )
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
