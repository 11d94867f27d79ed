"""Lives through a trace: the fleet is applied, each job is submitted at its time, until all have finished."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from scheduler.catalog.fleet import FleetFile
from scheduler.model.ids import PoolId, Principal
from scheduler.model.pool import PoolSpec
from scheduler.model.transaction import Commit
from scheduler.service.fleet import Caller
from scheduler.service.jobs import Submission
from scheduler.service.launchers import Claim
from scheduler.simulation.launcher import SimulatedLauncher
from scheduler.simulation.logs import logs_captured
from scheduler.simulation.network import Unreachable
from scheduler.simulation.operators import OPERATOR
from scheduler.simulation.process import ServiceProcess
from scheduler.simulation.simulation import Parts, Simulation
from scheduler.simulation.trace import Violation
from scheduler.simulation.virtual_time import VirtualLoop
from scheduler.simulation.world import HOUR_MS, MINUTE_MS, NO_FAULTS, PlannedJob, Work, World

AFTER_LAST_MS = 30 * 24 * HOUR_MS  # what has not finished so long after the last submission never will
GUARD_RUNS = 100
FINISHED = "jobs finished"  # as the auditor counts

Progress = Callable[[int, int], None]


class TraceLauncher(SimulatedLauncher):
    """Work takes as long as the trace says on the fastest way, and longer on slower ones."""

    def _work_of(self, claim: Claim) -> Work:
        planned = self._around.world.job_named(claim.job_name)
        ways = planned.spec.alternatives
        given = ways[claim.run.placement.alternative_index].gang_speed_permille
        fastest = max(way.gang_speed_permille for way in ways)
        assert planned.work.duration_ms is not None, planned
        duration_ms = planned.work.duration_ms * fastest // given
        return Work(starting_ms=0, duration_ms=duration_ms, user_error_permille=0)


class Replay(Simulation):
    """A world without faults, whose people do what the trace says."""

    def __init__(self, world: World, parts: Parts, progress: Progress) -> None:
        super().__init__(world, parts)
        self._progress = progress

    async def _live(self) -> None:
        self._go(self._keep_replica(0))
        for launcher_id in self._world.launchers:
            self._go(self._keep_launcher(launcher_id))
        people = self._go(self._act())
        while not await self._fails_before(self._clock.elapsed_ms() + MINUTE_MS):
            finished = self.records.counts.get(FINISHED, 0)
            self._progress(finished, self._clock.elapsed_ms())
            is_over = self._clock.elapsed_ms() > self._world.end_ms
            if people.done() and (finished == len(self._world.jobs) or is_over):
                return

    async def _act(self) -> None:
        for number, (pool_id, spec) in enumerate(self._world.pools):
            caller = Caller(principal=OPERATOR, request_id=f"pool-{number}")
            process = await self._service()
            await process.fleet.apply(pool_id, spec, generation=None, caller=caller)
        for number, holder in enumerate(self._world.holders):
            caller = Caller(principal=OPERATOR, request_id=f"holder-{number}")
            await (await self._service()).quotas.apply(holder, generation=None, caller=caller)
        began_ms = self._clock.elapsed_ms()
        for planned in self._world.jobs:
            wait_ms = began_ms + planned.submit_at_ms - self._clock.elapsed_ms()
            await asyncio.sleep(max(0, wait_ms) / 1000)
            process = await self._service()
            job = planned.spec
            submission = Submission(spec=job, command=("train",), env=(), request_id=job.name)
            await process.jobs.submit(submission, Principal(job.queue))

    async def _service(self) -> ServiceProcess:
        while True:
            try:
                return self.network.replica()
            except Unreachable:
                await asyncio.sleep(1)


def replay(
    jobs: Sequence[PlannedJob], fleet: FleetFile, *, improves: bool, progress: Progress
) -> Sequence[Commit]:
    """Every commit that the service made, in order.

    Raises:
        Violation: a promise broke on the way.
    """
    world = world_for(jobs, [(pool.id, pool.spec) for pool in fleet.pools], improves=improves)
    world = replace(world, holders=(*fleet.cohorts, *fleet.queues))
    with logs_captured() as logs, asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def live() -> Replay:
            replaying = Replay(world, Parts(launcher=TraceLauncher), progress)
            logs.around = replaying.around
            await replaying.run()
            return replaying

        lived = runner.run(live())
    violation = lived.result().violation
    if violation is not None:
        raise Violation(str(violation))
    return tuple(lived.records.commits.values())


def world_for(
    jobs: Sequence[PlannedJob], pools: Sequence[tuple[PoolId, PoolSpec]], *, improves: bool
) -> World:
    last_ms = jobs[-1].submit_at_ms
    return World(
        seed=0,
        busy_ms=last_ms,
        end_ms=last_ms + AFTER_LAST_MS,
        replicas=1,
        watchers=0,
        improves=improves,
        faults=NO_FAULTS,
        pools=tuple(pools),
        jobs=tuple(jobs),
        mass_loss_guard_runs=GUARD_RUNS,
    )
