"""Builders of valid model values that show only what matters to a test."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from scheduler.model.brakes import Pin
from scheduler.model.guidance import Guidance
from scheduler.model.ids import (
    AcceleratorName,
    History,
    JobId,
    LauncherId,
    PoolId,
    Principal,
    PriorityClassName,
    QueueName,
    ReplicaId,
    Revision,
    replica_id_of,
    run_id_of,
)
from scheduler.model.job import Alternative, Inference, Job, JobSpec, Market, TaskGroup, Training
from scheduler.model.plan import (
    PlannedCohort,
    PlannedPool,
    PlannedQueue,
    Snapshot,
    Usage,
    WaitingReplica,
)
from scheduler.model.pool import (
    Availability,
    Cordon,
    NodeCordon,
    NodeGroup,
    Pool,
    PoolSpec,
    PoolStatus,
    SliceGroup,
)
from scheduler.model.priority import DEFAULT_PRIORITY_CLASSES, PriorityClass
from scheduler.model.queue import Cohort, CohortName, Queue, Quota, Resource
from scheduler.model.records import Entity, Record
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import NodeShare, Placement, Run, RunState
from scheduler.model.session import LauncherSession
from scheduler.model.state import State

NOW_MS = 1_760_000_000_000
HOUR_MS = 3_600_000
DOLLAR = 1_000_000
VERSION = Revision(1)
PRIORITY_CLASSES = {cls.name: cls for cls in DEFAULT_PRIORITY_CLASSES}
PRINCIPAL = Principal("alice")


def an_alternative(
    text: str = "h100:8", *, devices_per_task: int | None = None, speed_permille: int = 1000
) -> Alternative:
    """`h100:64` is a gang on nodes of at most 8 devices a task, `tpu-v5p:4x4x8` a slice of 4-chip hosts."""
    name, _, size = text.partition(":")
    topology = size if "x" in size else None
    accelerators = product(size.split("x"))
    devices = min(accelerators, devices_per_task or (8 if topology is None else 4))
    assert accelerators % devices == 0, text
    return Alternative(
        accelerator=AcceleratorName(name),
        task_groups=(TaskGroup(tasks=accelerators // devices, devices_per_task=devices),),
        slice_topology=topology,
        speed_permille=speed_permille,
    )


def product(factors: Iterable[str]) -> int:
    result = 1
    for factor in factors:
        result *= int(factor)
    return result


def a_spec(*alternatives: str | Alternative, **fields: Any) -> JobSpec:
    """A training job of unknown duration; `duration_ms` makes it finite, `replicas` makes it a service."""
    duration_ms, replicas = fields.pop("duration_ms", None), fields.pop("replicas", None)
    ways = tuple(an_alternative(way) if isinstance(way, str) else way for way in alternatives or ("h100:8",))
    spec = JobSpec(
        name="name",
        queue=QueueName("research"),
        priority_class=PriorityClassName(fields.pop("priority_class", "standard")),
        alternatives=ways,
        training=Training(estimated_duration_ms=duration_ms) if replicas is None else None,
        inference=None if replicas is None else Inference(replicas=replicas),
        grace_period_ms=30_000,
    )
    return replace(spec, **fields)


def a_job(job_id: str = "job", *alternatives: str | Alternative, **fields: Any) -> Job:
    """A job; `fields` are those of its spec, see `a_spec`."""
    return Job(
        id=JobId(job_id),
        spec=a_spec(*alternatives, **fields),
        submitter=PRINCIPAL,
        submitted_at_ms=NOW_MS,
        request_key=f"{PRINCIPAL}/{job_id}",
    )


def a_replica(job: Job, index: int = 0, **fields: Any) -> Replica:
    """A waiting replica of the job."""
    replica = Replica(
        id=replica_id_of(job.id, index), job_id=job.id, index=index, waiting_since_ms=job.submitted_at_ms
    )
    return replace(replica, **fields)


def a_pin(pool_id: str = "pool") -> Pin:
    return Pin(pool_id=PoolId(pool_id), reason="a test", principal=PRINCIPAL, pinned_at_ms=NOW_MS)


def a_pool(pool_id: str = "pool", accelerator: str = "h100", **fields: Any) -> Pool:
    """An open reserved pool of `nodes` (1) times `devices_per_node` (8); other fields are the spec's.

    `ready`, `cordoned`, `cordoned_nodes`, `deleting`, `unavailable_nodes` and `availability` set the others.
    """
    nodes, devices = fields.pop("nodes", 1), fields.pop("devices_per_node", 8)
    status = PoolStatus(
        ready=fields.pop("ready", True), unavailable_nodes=tuple(fields.pop("unavailable_nodes", ()))
    )
    cordon = Cordon(reason="a test", principal=PRINCIPAL, cordoned_at_ms=NOW_MS)
    parts = {
        "cordon": cordon if fields.pop("cordoned", False) else None,
        "node_cordons": tuple(
            NodeCordon(node=node, cordon=cordon) for node in fields.pop("cordoned_nodes", ())
        ),
        "deleting": fields.pop("deleting", False),
        "availability": fields.pop("availability", None),
    }
    defaults: dict[str, Any] = {
        "provider": "gcp",
        "region": "us-east5",
        "zone": "us-east5-a",
        "market": Market.RESERVED,
        "price_usd_micros_per_accelerator_hour": 2 * DOLLAR,
        "launcher_id": LauncherId("launcher"),
        "node_groups": (NodeGroup(nodes=nodes, devices_per_node=devices),) if nodes else (),
    }
    spec = PoolSpec(accelerator=AcceleratorName(accelerator), **{**defaults, **fields})
    return Pool(id=PoolId(pool_id), spec=spec, status=status, **parts)


def a_rented_pool(pool_id: str = "rented", accelerator: str = "h100", **fields: Any) -> Pool:
    """An open on-demand pool with a `limit_accelerators` (64) and as much `believed` to be free."""
    limit = fields.pop("limit_accelerators", 64)
    believed = Availability(accelerators=fields.pop("believed", limit), changed_at_ms=NOW_MS)
    fields = {"market": Market.ON_DEMAND, "nodes": -(-limit // 8), "availability": believed, **fields}
    return a_pool(pool_id, accelerator, limit_accelerators=limit, **fields)


def a_slice_pool(pool_id: str = "slices", accelerator: str = "tpu-v5p", **fields: Any) -> Pool:
    """An open reserved pool with the given `slices` by topology (one 4x4x4)."""
    groups = tuple(
        SliceGroup(slices=count, topology=topology, accelerators_per_slice=product(topology.split("x")))
        for topology, count in fields.pop("slices", {"4x4x4": 1}).items()
    )
    return a_pool(pool_id, accelerator, nodes=0, slice_groups=groups, **fields)


def a_placement(job: Job, pool: Pool, **fields: Any) -> Placement:
    """The job's first alternative on the pool, packed from node 0 on unless `nodes` says otherwise."""
    way = job.spec.alternatives[fields.get("alternative_index", 0)]
    placement = Placement(
        pool_id=pool.id,
        alternative_index=0,
        accelerator=way.accelerator,
        slice_topology=way.slice_topology,
        role=way.task_groups[0].role,
        tasks=way.tasks,
        devices_per_task=way.devices_per_task,
        nodes=packed(way, pool),
        market=pool.spec.market,
        charged_usd_micros_per_hour=way.accelerators * pool.spec.price_usd_micros_per_accelerator_hour,
        term_usd_micros_per_hour=0,
    )
    return replace(placement, **fields)


def packed(way: Alternative, pool: Pool) -> tuple[NodeShare, ...]:
    """Nodes from 0 on that hold the gang on an empty pool, or the first slice, or nothing."""
    if pool.spec.is_sliced_on_demand:
        return ()
    if pool.spec.slice_groups:
        return (NodeShare(node=0, tasks=way.tasks),)
    shares, left = [], way.tasks
    for node, devices in enumerate(pool.spec.node_devices()):
        here = min(left, devices // way.devices_per_task)
        if here:
            shares.append(NodeShare(node=node, tasks=here))
        left -= here
    return tuple(shares)


def a_run(job: Job, pool: Pool, **fields: Any) -> Run:
    """A live run of the job's replica `index` (0) on the pool; `nodes` and `alternative_index` place it."""
    index, number = fields.pop("index", 0), fields.pop("run_number", 1)
    where = {name: fields.pop(name) for name in ("nodes", "alternative_index") if name in fields}
    replica_id = replica_id_of(job.id, index)
    run = Run(
        id=run_id_of(replica_id, number),
        replica_id=replica_id,
        job_id=job.id,
        run_number=number,
        run_token=number,
        placement=fields.pop("placement", None) or a_placement(job, pool, **where),
        state=RunState.RUNNING,
        launcher_id=pool.spec.launcher_id,
        grace_period_ms=job.spec.grace_period_ms,
        placed_at_ms=NOW_MS,
    )
    return replace(run, **fields)


def a_session(launcher_id: str = "launcher", **fields: Any) -> LauncherSession:
    session = LauncherSession(
        launcher_id=LauncherId(launcher_id),
        number=1,
        principal=Principal(launcher_id),
        lease_duration_ms=300_000,
        is_synchronised=True,
        opened_at_ms=NOW_MS,
    )
    return replace(session, **fields)


def a_priority_class(name: str = "standard", *, worth: int = 10 * DOLLAR, urgency: int = 0) -> PriorityClass:
    return PriorityClass(name=PriorityClassName(name), worth_usd_micros=worth, urgency_usd_micros=urgency)


def a_quota(nominal: int, resource: str = "h100", **limits: int) -> Quota:
    """`borrowing_limit` and `lending_limit` are without end unless given."""
    return Quota(resource=Resource(resource), nominal=nominal, **limits)


def a_queue(name: str = "research", *quotas: Quota, cohort: str | None = None, **fields: Any) -> Queue:
    where = None if cohort is None else CohortName(cohort)
    return Queue(name=QueueName(name), cohort=where, quotas=quotas, **fields)


def a_cohort(name: str = "cohort", *quotas: Quota, parent: str | None = None) -> Cohort:
    above = None if parent is None else CohortName(parent)
    return Cohort(name=CohortName(name), parent=above, quotas=quotas)


def a_usage(queue: str, accelerators: int, accelerator: str = "h100", *, charged: int = 0) -> Usage:
    return Usage(
        queue=QueueName(queue),
        accelerator=AcceleratorName(accelerator),
        accelerators=accelerators,
        charged_usd_micros_per_hour=charged,
        useful_permille=1_000 * accelerators,
    )


def a_waiting_replica(job: Job, index: int = 0, **fields: Any) -> WaitingReplica:
    return WaitingReplica(
        replica=a_replica(job, index, **fields),
        job=job,
        replica_version=VERSION,
        job_planning_version=VERSION,
    )


def a_snapshot(
    *,
    jobs: Iterable[Job] = (),
    pools: Iterable[Pool] = (),
    runs: Iterable[Run] = (),
    waiting: Iterable[WaitingReplica] | None = None,
    priority_classes: Mapping[PriorityClassName, PriorityClass] = PRIORITY_CLASSES,
    guidance: Guidance = Guidance(),
) -> Snapshot:
    """A snapshot where every replica of `jobs` waits, unless `waiting` says which."""
    runs = tuple(runs)
    if waiting is None:
        waiting = [a_waiting_replica(job, index) for job in jobs for index in range(job.spec.replicas)]
    return Snapshot(
        revision=VERSION,
        now_ms=NOW_MS,
        pools=tuple(
            PlannedPool(
                pool=pool,
                planning_version=VERSION,
                live_runs=tuple(sorted((r for r in runs if r.pool_id == pool.id), key=lambda r: r.id)),
            )
            for pool in sorted(pools, key=lambda pool: pool.id)
        ),
        waiting=tuple(sorted(waiting, key=lambda each: each.replica.id)),
        priority_classes=priority_classes,
        guidance=guidance,
    )


def with_queues(snapshot: Snapshot, *holders: Queue | Cohort, usage: Iterable[Usage] = ()) -> Snapshot:
    """The snapshot with these queues and cohorts; `usage` is beside its runs, whose queues nobody knows."""
    known = sorted(holders, key=lambda each: each.name)
    return replace(
        snapshot,
        queues=tuple(
            PlannedQueue(queue=each, planning_version=VERSION) for each in known if isinstance(each, Queue)
        ),
        cohorts=tuple(
            PlannedCohort(cohort=each, planning_version=VERSION) for each in known if isinstance(each, Cohort)
        ),
        usage=tuple(sorted(usage, key=lambda each: (each.queue, each.accelerator))),
    )


def a_state(*entities: Entity, revision: int = 1, history: str = "history") -> State:
    """A mirror that holds the entities, each written at `revision`."""
    state = State(History(history), Revision(revision))
    for entity in entities:
        state.put(Record(entity=entity, version=Revision(revision), planning_version=Revision(revision)))
    return state


def a_live_replica(job: Job, run: Run, *, state: ReplicaState = ReplicaState.RUNNING) -> Replica:
    """The replica whose live run is `run`."""
    index = int(ReplicaId(run.replica_id).rsplit("-", 1)[1])
    return a_replica(
        job,
        index,
        state=state,
        live_run=run.id,
        last_run=run.id,
        run_number=run.run_number,
        run_token=run.run_token,
    )
