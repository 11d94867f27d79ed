"""Random snapshots for benchmarks: heterogeneous pools, partly busy, and more demand than they hold."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scheduler.model.ids import (
    AcceleratorName,
    JobId,
    LauncherId,
    PoolId,
    Principal,
    PriorityClassName,
    QueueName,
    Revision,
    replica_id_of,
    run_id_of,
)
from scheduler.model.job import Alternative, Constraints, Job, JobSpec, Market, TaskGroup, Training
from scheduler.model.plan import Place, PlannedPool, Snapshot, WaitingReplica
from scheduler.model.pool import Availability, NodeGroup, Pool, PoolSpec, PoolStatus, SliceGroup
from scheduler.model.priority import DEFAULT_PRIORITY_CLASSES
from scheduler.model.replica import Replica
from scheduler.model.run import Run, RunState
from scheduler.planning.planner import floor_plan

NOW_MS = 1_760_000_000_000
MICROS = 1_000_000
ACCELERATORS = {
    "h100": (1000, 2.4),
    "h200": (1100, 3.0),
    "b200": (2300, 5.2),
    "a100": (320, 1.3),
    "l40s": (180, 0.8),
    "trn2": (650, 1.5),
    "tpu-v5p": (460, 2.1),
    "tpu-v6e": (930, 1.9),
}
"""Speed in permille of the reference accelerator and dollars per hour, by name."""
TOPOLOGIES = {
    "tpu-v5p": {4: "2x2x1", 8: "2x2x2", 16: "2x2x4", 32: "2x4x4", 64: "4x4x4", 128: "4x4x8", 256: "4x8x8"},
    "tpu-v6e": {4: "2x2", 8: "2x4", 16: "4x4", 32: "4x8", 64: "8x8", 128: "8x16", 256: "16x16"},
}
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SIZE_SHARES = (0.22, 0.08, 0.1, 0.25, 0.1, 0.09, 0.08, 0.05, 0.02, 0.01)
PLACES = (
    ("gcp", "us-east5", "us"),
    ("gcp", "europe-west4", "eu"),
    ("aws", "us-east-2", "us"),
    ("aws", "eu-north-1", "eu"),
    ("azure", "westus3", "us"),
    ("neocloud", "is-1", "eu"),
)
MARKETS = (Market.RESERVED, Market.ON_DEMAND, Market.SPOT)
DISCOUNTS = {Market.RESERVED: 0.7, Market.ON_DEMAND: 1.0, Market.SPOT: 0.4}
CLASSES = {each.name: each for each in DEFAULT_PRIORITY_CLASSES}
CLASS_SHARES = (0.2, 0.5, 0.3)
BUSY_SHARE = 0.3
FAMILIES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What to generate.

    Attributes:
        contention: accelerators wanted over accelerators there are.
        is_merging: jobs come in a few families, so that many are identical; else each is its own.
    """

    jobs: int
    pools: int
    contention: float
    is_merging: bool
    seed: int

    @property
    def name(self) -> str:
        kind = "merging" if self.is_merging else "distinct"
        return f"{self.jobs}x{self.pools} {kind} {self.contention:g}x"


def snapshot_for(instance: Instance) -> Snapshot:
    """The instance's snapshot; the same for the same instance."""
    draw = np.random.default_rng(instance.seed)
    jobs = [a_job(draw, f"job-{number}", instance) for number in range(instance.jobs)]
    wanted = sum(job.spec.alternatives[0].accelerators for job in jobs)
    pools = pools_for(draw, instance, accelerators=wanted / instance.contention / (1 - BUSY_SHARE))
    running = [a_job(draw, f"busy-{number}", instance) for number in range(instance.jobs)]
    busy = keep_busy(draw, snapshot_with(pools, running), running)
    return snapshot_with(pools, jobs, runs=busy)


def pools_for(draw: np.random.Generator, instance: Instance, *, accelerators: float) -> list[Pool]:
    shares = draw.dirichlet(np.full(instance.pools, 1.5)) * accelerators
    names = list(ACCELERATORS)
    return [
        a_pool(draw, f"pool-{number:03}", names[number % len(names)], accelerators=max(16, int(share)))
        for number, share in enumerate(shares)
    ]


def a_pool(draw: np.random.Generator, pool_id: str, accelerator: str, *, accelerators: int) -> Pool:
    provider, region, jurisdiction = PLACES[draw.integers(len(PLACES))]
    market = MARKETS[draw.choice(len(MARKETS), p=(0.5, 0.3, 0.2))]
    price = ACCELERATORS[accelerator][1] * DISCOUNTS[market] * draw.uniform(0.8, 1.25)
    is_rented, is_sliced = market is not Market.RESERVED, accelerator in TOPOLOGIES
    spec = PoolSpec(
        accelerator=AcceleratorName(accelerator),
        provider=provider,
        region=region,
        zone=f"{region}-a",
        market=market,
        node_groups=() if is_sliced else (NodeGroup(nodes=max(1, accelerators // 8), devices_per_node=8),),
        slice_groups=slice_groups(draw, accelerator, accelerators) if is_sliced and not is_rented else (),
        limit_accelerators=accelerators if is_rented else None,
        price_usd_micros_per_accelerator_hour=int(price * MICROS),
        jurisdiction=jurisdiction,
        launcher_id=LauncherId("launcher"),
    )
    believed = Availability(accelerators=max(1, accelerators // 2), changed_at_ms=NOW_MS)
    return Pool(
        id=PoolId(pool_id),
        spec=spec,
        status=PoolStatus(ready=True),
        availability=believed if is_rented else None,
    )


def slice_groups(draw: np.random.Generator, accelerator: str, accelerators: int) -> tuple[SliceGroup, ...]:
    """Slices of random sizes, about that many accelerators in all."""
    topologies = TOPOLOGIES[accelerator]
    fitting = [size for size in topologies if size <= accelerators]
    shares = draw.dirichlet(np.ones(len(fitting))) * accelerators
    return tuple(
        SliceGroup(slices=max(1, int(share / size)), topology=topologies[size], accelerators_per_slice=size)
        for size, share in zip(fitting, shares, strict=True)
    )


def a_job(draw: np.random.Generator, job_id: str, instance: Instance) -> Job:
    family = int(draw.integers(FAMILIES)) if instance.is_merging else int(draw.integers(1 << 40))
    taste = np.random.default_rng(family)  # what a model runs well on is the family's, not the job's
    size = int(draw.choice(SIZES, p=SIZE_SHARES))
    spec = JobSpec(
        name=job_id,
        queue=QueueName("bench"),
        priority_class=PriorityClassName(str(draw.choice(list(CLASSES), p=CLASS_SHARES))),
        alternatives=alternatives_for(taste, size),
        constraints=constraints_for(draw),
        training=Training(estimated_duration_ms=3_600_000 if draw.random() < 0.7 else None),
        grace_period_ms=30_000,
    )
    return Job(
        id=JobId(job_id),
        spec=spec,
        submitter=Principal("bench"),
        submitted_at_ms=NOW_MS - int(draw.integers(86_400_000)),
        request_key=job_id,
    )


def alternatives_for(taste: np.random.Generator, size: int) -> tuple[Alternative, ...]:
    """Three to five accelerators, in an order and at speeds of the family's taste."""
    names = taste.permutation(list(ACCELERATORS))[: taste.integers(3, 6)]
    ways = []
    for name in names.tolist():
        speed = int(ACCELERATORS[name][0] * taste.uniform(0.6, 1.3))
        topology = TOPOLOGIES.get(name, {}).get(size)
        if name in TOPOLOGIES and topology is None:
            continue
        devices = min(size, 4 if topology else 8)
        group = TaskGroup(tasks=size // devices, devices_per_task=devices)
        ways.append(
            Alternative(
                accelerator=AcceleratorName(name),
                task_groups=(group,),
                slice_topology=topology,
                speed_permille=speed,
            )
        )
    return tuple(ways)


def constraints_for(draw: np.random.Generator) -> Constraints:
    residency = (str(draw.choice(("us", "eu"))),) if draw.random() < 0.2 else ()
    markets = (Market.RESERVED, Market.ON_DEMAND) if draw.random() < 0.3 else ()
    return Constraints(residency=residency, markets=markets)


def keep_busy(draw: np.random.Generator, snapshot: Snapshot, jobs: list[Job]) -> list[Run]:
    """A random part of a greedy plan's placements as running work, with the holes that the rest leaves."""
    by_id = {replica_id_of(job.id, 0): job for job in jobs}
    places = [place for place in floor_plan(snapshot).places if draw.random() < BUSY_SHARE]
    return [a_run(place, by_id[place.replica_id]) for place in places]


def a_run(place: Place, job: Job) -> Run:
    return Run(
        id=run_id_of(place.replica_id, 1),
        replica_id=place.replica_id,
        job_id=job.id,
        run_number=1,
        run_token=1,
        placement=place.placement,
        state=RunState.RUNNING,
        launcher_id=LauncherId("launcher"),
        grace_period_ms=job.spec.grace_period_ms,
        placed_at_ms=NOW_MS,
    )


def snapshot_with(pools: list[Pool], jobs: list[Job], *, runs: list[Run] | None = None) -> Snapshot:
    live: dict[PoolId, list[Run]] = {}
    for run in sorted(runs or [], key=lambda run: run.id):
        live.setdefault(run.pool_id, []).append(run)
    version = Revision(1)
    return Snapshot(
        revision=version,
        now_ms=NOW_MS,
        pools=tuple(
            PlannedPool(pool=pool, planning_version=version, live_runs=tuple(live.get(pool.id, ())))
            for pool in pools
        ),
        waiting=tuple(sorted(waiting(jobs), key=lambda each: each.replica.id)),
        priority_classes=CLASSES,
    )


def waiting(jobs: list[Job]) -> Iterator[WaitingReplica]:
    for job in jobs:
        replica = Replica(
            id=replica_id_of(job.id, 0), job_id=job.id, index=0, waiting_since_ms=job.submitted_at_ms
        )
        yield WaitingReplica(
            replica=replica, job=job, replica_version=Revision(1), job_planning_version=Revision(1)
        )
