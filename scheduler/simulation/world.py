"""A world: what exists and what people will do, drawn from the seed before anything happens."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from random import Random

from scheduler.model.disruption import DISRUPTION_DEFAULT, DisruptionBudget
from scheduler.model.ids import AcceleratorName, LauncherId, PoolId, PriorityClassName, QueueName
from scheduler.model.job import (
    Inference,
    JobSpec,
    Market,
    Training,
)
from scheduler.model.pool import NodeGroup, PoolSpec, SliceGroup
from scheduler.model.queue import Cohort, Queue
from scheduler.simulation.contention import filling, protected, worthier
from scheduler.simulation.day import DAY_MS, Lull, lulls_of, time_of_day
from scheduler.simulation.job_draws import TOPOLOGIES, alternatives_of, constraints_of
from scheduler.simulation.quota_draws import QUEUES, holders_of

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DOLLAR = 1_000_000
JOBS_MAX = 60
CALM_MS = 8 * MINUTE_MS
LONG_WORK_MS = (10 * MINUTE_MS, 8 * HOUR_MS)
LONG_WORK_SHARE = 0.4
LONG_EVERY = 100  # one world in so many is busy for an hour
CROWDED_EVERY = 3  # one world in so many is full of batch jobs when worthier ones come
LEASES_MS = (12 * SECOND_MS, 20 * SECOND_MS, MINUTE_MS, 5 * MINUTE_MS)
GUARDS_RUNS = (1, 4, 100)
QUOTA_CHANGES = 6
CLASSES = ("frontier", "standard", "batch")
TIGHT = DisruptionBudget(fleet_stops_per_cycle_max=2, fleet_stops_per_hour_max=5, preemptions_per_hour_max=1)


class Trouble(Enum):
    """What chaos does, each by its name."""

    SERVICE_CRASHES = auto()
    SERVICE_DRAINS = auto()
    LAUNCHER_CRASHES = auto()
    SERVICE_STALLS = auto()
    STORE_IS_AWAY = auto()
    STORE_RESTARTS = auto()
    HISTORY_STARTS_ANEW = auto()
    STORE_LOSES_A_TAIL = auto()
    LAUNCHER_IS_CUT_OFF = auto()
    SERVICE_LAGS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often things go wrong while they may; permille are per call.

    Attributes:
        chaos_every_ms: on average, between crashes, stalls, outages and partitions.
        chaos: the only troubles of these that there are; none named: all.
        lag_ms: by which each process may see the stream of commits late.
        clock_drift_ppm: by which each machine's clock may be faster or slower than true time.
        await_crash_per_million: of awaits at which a service process or a launcher gives way.
        mishaps_every_ms: on average, between clocks set wrong, lost pools and wrong prices; None: never.
    """

    request_lost_permille: int = 0
    reply_lost_permille: int = 0
    duplicated_permille: int = 0
    slow_permille: int = 0
    store_error_permille: int = 0
    crash_permille: int = 0
    run_failure_permille: int = 0
    chaos_every_ms: int | None = None
    chaos: tuple[Trouble, ...] = ()
    clock_skew_ms: int = 0
    lag_ms: int = 0
    clock_drift_ppm: int = 0
    await_crash_per_million: int = 0
    mishaps_every_ms: int | None = None


NO_FAULTS = Faults()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the tasks of a job do when they run; None: until they are stopped."""

    starting_ms: int
    duration_ms: int | None
    user_error_permille: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job that a user will submit, and perhaps cancel; its spec's name is unique."""

    submit_at_ms: int
    cancel_after_ms: int | None
    spec: JobSpec
    work: Work


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that is decided before the start.

    Attributes:
        busy_ms: people act and faults happen until then; afterwards all is calm until `end_ms`.
        replicas: service processes.
        improves: plans are improved by the solver, not only the greedy floor.
        leases_change_every_ms: at most, besides all else that the operator does; None: as seldom as the rest.
        mass_loss_guard_runs: of every service process.
        brakes_every_ms: at most, from one brake's end to the next; None: nobody is at the brakes.
        lulls: in order, all of them while it is busy.
        holders: of quotas, each after the cohort that it is in.
        quotas_change_every_ms: at most; None: never.
        disruption: what plans may stop.
    """

    seed: int
    busy_ms: int
    end_ms: int
    replicas: int
    watchers: int
    improves: bool
    faults: Faults
    pools: tuple[tuple[PoolId, PoolSpec], ...]
    jobs: tuple[PlannedJob, ...]
    leases_change_every_ms: int | None = None
    mass_loss_guard_runs: int
    brakes_every_ms: int | None = None
    lulls: tuple[Lull, ...] = ()
    holders: tuple[Queue | Cohort, ...] = ()
    quotas_change_every_ms: int | None = None
    disruption: DisruptionBudget = DISRUPTION_DEFAULT

    @property
    def launchers(self) -> tuple[LauncherId, ...]:
        return tuple(dict.fromkeys(spec.launcher_id for _, spec in self.pools))

    def job_named(self, name: str) -> PlannedJob:
        return self.jobs[int(name.rpartition("-")[2])]


def world_of(seed: int, *, with_faults: bool, hours: int | None = None) -> World:
    """The world of a seed, a whole day: the same with and without faults, but for them.

    With `hours` it is busy for so long without a lull; troubles are rarer and work is longer in proportion.
    """
    world = _world_of(seed, with_faults=with_faults)
    return _with_quotas(
        _day_of(world) if hours is None else _stretched(world, busy_ms=hours * HOUR_MS),
        change_every_ms=MINUTE_MS if hours is None else hours * HOUR_MS // QUOTA_CHANGES,
    )


def _with_quotas(world: World, *, change_every_ms: int) -> World:
    """Its jobs are of several queues, where there are holders of quotas; these change now and then."""
    draw = Random(f"{world.seed}/quotas")
    holders = holders_of(draw)
    if not holders:
        return world
    jobs = (replace(job, spec=replace(job.spec, queue=draw.choice(QUEUES))) for job in world.jobs)
    return replace(world, jobs=tuple(jobs), holders=holders, quotas_change_every_ms=change_every_ms)


def _day_of(world: World) -> World:
    """The world with lulls, so that it ends after a day."""
    draw, spare_ms = Random(f"{world.seed}/day"), DAY_MS - world.end_ms
    lulls = lulls_of(draw, world.busy_ms, spare_ms=spare_ms)
    jobs = tuple(_spread(job, lulls, draw=draw) for job in world.jobs)
    return replace(world, busy_ms=world.busy_ms + spare_ms, end_ms=DAY_MS, lulls=lulls, jobs=jobs)


def _spread(job: PlannedJob, lulls: tuple[Lull, ...], *, draw: Random) -> PlannedJob:
    """The job at its time of the day; its work may last for hours, and its cancel come at any hour."""
    submit_at_ms, cancel_after_ms = time_of_day(job.submit_at_ms, lulls), job.cancel_after_ms
    if cancel_after_ms is not None:
        latest_ms = time_of_day(job.submit_at_ms + cancel_after_ms, lulls) - submit_at_ms
        cancel_after_ms = draw.choice((latest_ms, draw.randint(0, latest_ms)))
    duration_ms, long_ms = job.work.duration_ms, draw.randint(*LONG_WORK_MS)
    if duration_ms is not None and draw.random() < LONG_WORK_SHARE:
        duration_ms = long_ms
    longest_ms = draw.choice((job.spec.max_duration_ms, None, long_ms))
    return replace(
        job,
        submit_at_ms=submit_at_ms,
        cancel_after_ms=cancel_after_ms,
        work=replace(job.work, duration_ms=duration_ms),
        spec=replace(job.spec, max_duration_ms=longest_ms),
    )


def _stretched(world: World, *, busy_ms: int) -> World:
    draw = Random(f"{world.seed}/stretched")
    factor = busy_ms // world.busy_ms
    jobs = (
        _job(draw, number, pools=world.pools, busy_ms=busy_ms)
        for number in range(draw.randint(JOBS_MAX // 3, JOBS_MAX))
    )
    chaos_ms, mishaps_ms = world.faults.chaos_every_ms, world.faults.mishaps_every_ms
    faults = replace(
        world.faults,
        chaos_every_ms=None if chaos_ms is None else chaos_ms * factor,
        mishaps_every_ms=None if mishaps_ms is None else mishaps_ms * factor,
        await_crash_per_million=-(-world.faults.await_crash_per_million // factor),
    )
    return replace(
        world,
        busy_ms=busy_ms,
        end_ms=busy_ms + CALM_MS,
        faults=faults,
        jobs=tuple(_longer(job, factor) for job in jobs),
        brakes_every_ms=MINUTE_MS * factor,
    )


def _longer(job: PlannedJob, factor: int) -> PlannedJob:
    duration_ms = None if job.work.duration_ms is None else job.work.duration_ms * factor
    return replace(job, work=replace(job.work, duration_ms=duration_ms))


def _world_of(seed: int, *, with_faults: bool) -> World:
    draw = Random(f"{seed}/world")
    is_long = seed % LONG_EVERY == LONG_EVERY - 1
    busy_ms = HOUR_MS if is_long else draw.choice((3, 4, 6, 8, 15)) * MINUTE_MS
    pools = _pools(draw)
    jobs = JOBS_MAX if is_long else draw.choice((3, 5, 8, 12, 20))
    return World(
        seed=seed,
        busy_ms=busy_ms,
        end_ms=busy_ms + CALM_MS,
        replicas=draw.choice((1, 2, 2)),
        watchers=draw.choice((1, 2)),
        improves=seed % 10 == 7,
        faults=_with_mishaps(_faults(draw), seed) if with_faults else NO_FAULTS,
        pools=pools,
        jobs=_contended(seed, [_job(draw, n, pools=pools, busy_ms=busy_ms) for n in range(jobs)]),
        mass_loss_guard_runs=Random(f"{seed}/guard").choice(GUARDS_RUNS),
        brakes_every_ms=MINUTE_MS,
        disruption=Random(f"{seed}/disruption").choice((DISRUPTION_DEFAULT, DISRUPTION_DEFAULT, TIGHT)),
    )


def _contended(seed: int, jobs: Sequence[PlannedJob]) -> tuple[PlannedJob, ...]:
    """Some jobs are protected; in crowded worlds worthier ones find the fleet full of batch."""
    draw = Random(f"{seed}/contention")
    by_time = sorted(jobs, key=lambda job: job.submit_at_ms)
    early = {job.spec.name for job in by_time[: 2 * len(jobs) // 3]}
    if seed % CROWDED_EVERY == 1 and seed % LONG_EVERY != LONG_EVERY - 1:
        jobs = [_crowding(job, draw, is_early=job.spec.name in early) for job in jobs]
    return tuple(replace(job, spec=protected(job.spec, draw)) for job in jobs)


def _crowding(job: PlannedJob, draw: Random, *, is_early: bool) -> PlannedJob:
    """What comes early is batch and stays."""
    if not is_early:
        return replace(job, spec=worthier(job.spec, draw))
    work = replace(job.work, duration_ms=None)
    return replace(job, cancel_after_ms=None, spec=filling(job.spec, draw), work=work)


def _faults(draw: Random) -> Faults:
    """Most worlds are rough; some have a single kind of trouble, so that it is seen alone."""
    rough = Faults(
        request_lost_permille=draw.choice((0, 20, 80)),
        reply_lost_permille=draw.choice((0, 20, 80)),
        duplicated_permille=draw.choice((0, 20, 80)),
        slow_permille=draw.choice((0, 30, 100)),
        store_error_permille=draw.choice((0, 5, 20)),
        crash_permille=draw.choice((0, 2, 6)),
        run_failure_permille=draw.choice((0, 100, 300)),
        chaos_every_ms=draw.choice((40, 90, 240)) * SECOND_MS,
        clock_skew_ms=draw.choice((0, 500, 5_000)),
        lag_ms=draw.choice((0, 0, 100, 1_500)),
    )
    alone = (
        Faults(request_lost_permille=100, reply_lost_permille=100, duplicated_permille=100),
        Faults(slow_permille=300),
        Faults(lag_ms=8_000, crash_permille=15, store_error_permille=40),
        Faults(store_error_permille=40),
        Faults(crash_permille=15),
        Faults(chaos_every_ms=30 * SECOND_MS),
    )
    return draw.choice(alone) if draw.random() < 0.3 else rough


def _with_mishaps(faults: Faults, seed: int) -> Faults:
    """Half the worlds also have these; the others show single troubles alone."""
    draw = Random(f"{seed}/mishaps of the world")
    if draw.random() < 0.5:
        return faults
    return replace(
        faults,
        clock_drift_ppm=draw.choice((0, 200, 10_000)),
        await_crash_per_million=draw.choice((0, 300, 1_000)),
        mishaps_every_ms=draw.choice((None, 60 * SECOND_MS, 120 * SECOND_MS)),
    )


def _pools(draw: Random) -> tuple[tuple[PoolId, PoolSpec], ...]:
    launchers = draw.randint(1, 3)
    return tuple(
        (PoolId(f"pool-{number}"), pool_spec(draw, launcher_id=_launcher_id(draw.randrange(launchers))))
        for number in range(draw.randint(1, 8))
    )


def _launcher_id(number: int) -> LauncherId:
    return LauncherId(f"launcher-{number}")


def pool_spec(draw: Random, *, launcher_id: LauncherId) -> PoolSpec:
    """A pool of nodes or of slices; reserved or rented."""
    is_sliced = draw.random() < 0.3
    is_rented = draw.random() < 0.3
    nodes: tuple[NodeGroup, ...] = ()
    slices: tuple[SliceGroup, ...] = ()
    if is_sliced and not (is_rented and draw.random() < 0.5):
        slices = tuple(
            SliceGroup(slices=draw.randint(1, 3), topology=t, accelerators_per_slice=TOPOLOGIES[t])
            for t in draw.sample(sorted(TOPOLOGIES), draw.randint(1, 2))
        )
    elif not is_sliced:
        nodes = (NodeGroup(nodes=draw.randint(1, 6), devices_per_node=draw.choice((4, 8, 8))),)
    return PoolSpec(
        accelerator=AcceleratorName("tpu" if is_sliced else draw.choice(("h100", "h100", "a100"))),
        provider=draw.choice(("gcp", "aws")),
        region="region",
        zone="zone",
        market=draw.choice((Market.ON_DEMAND, Market.SPOT)) if is_rented else Market.RESERVED,
        node_groups=nodes,
        slice_groups=slices,
        limit_accelerators=draw.choice((8, 16, 32)) if is_rented else None,
        price_usd_micros_per_accelerator_hour=draw.choice((DOLLAR // 2, 2 * DOLLAR)),
        launcher_id=launcher_id,
        self_fencing=draw.random() < 0.6,
        lease_duration_ms=draw.choice(LEASES_MS),
    )


def _job(
    draw: Random, number: int, *, pools: tuple[tuple[PoolId, PoolSpec], ...], busy_ms: int
) -> PlannedJob:
    is_training = draw.random() < 0.7
    work = Work(
        starting_ms=draw.randint(0, 20) * SECOND_MS,
        duration_ms=draw.randint(10, 400) * SECOND_MS if is_training else None,
        user_error_permille=draw.choice((0, 0, 300)),
    )
    spec = JobSpec(
        name=f"job-{number}",
        queue=QueueName("research"),
        priority_class=PriorityClassName(draw.choice(CLASSES)),
        alternatives=alternatives_of(draw),
        constraints=constraints_of(draw, [pool_id for pool_id, _ in pools]),
        training=Training(estimated_duration_ms=draw.choice((None, work.duration_ms)))
        if is_training
        else None,
        inference=None if is_training else Inference(replicas=draw.randint(1, 4)),
        max_duration_ms=draw.choice((None, None, 2 * MINUTE_MS)),
        grace_period_ms=draw.choice((0, 10, 30)) * SECOND_MS,
        user_error_retries=draw.randint(0, 2),
    )
    return PlannedJob(
        submit_at_ms=int(busy_ms * draw.random() ** 2 * 0.9),
        cancel_after_ms=draw.randint(0, busy_ms // 2) if draw.random() < 0.4 else None,
        spec=spec,
        work=work,
    )
