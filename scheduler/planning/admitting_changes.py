"""Changes: snapshots in which one thing is otherwise, that might let a waiting replica in."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import NamedTuple

from scheduler.model.brakes import freeze_ids
from scheduler.model.deferral import Deferral, PoolVerdict
from scheduler.model.explanation import Change, ChangeKind, PoolAnswer
from scheduler.model.ids import PoolId
from scheduler.model.job import Alternative, Constraints, Job
from scheduler.model.plan import PlannedPool, Snapshot, WaitingReplica
from scheduler.model.pool import NodeGroup, Pool, SliceGroup
from scheduler.model.queue import Quota, Resource
from scheduler.planning.worth import shadow_prices_of, term_usd_micros_per_hour, work_of

POOLS_TRIED_MAX = 3
SIZES = (PoolVerdict.FULL, PoolVerdict.OUTBID, PoolVerdict.AVAILABILITY_DOUBTED, PoolVerdict.TOO_BIG)


class Changed(NamedTuple):
    """A change and the snapshot after it."""

    change: Change
    snapshot: Snapshot


def single_changes(
    snapshot: Snapshot, waiting: WaitingReplica, pools: Sequence[PoolAnswer]
) -> Iterator[Changed]:
    """Changes without an amount, or whose amount is known: what people can do at once comes first."""
    yield from brakes_off(snapshot, waiting)
    yield from constraints_dropped(snapshot, waiting)
    for pool in pools:
        if pool.verdict is PoolVerdict.CORDONED:
            change = Change(kind=ChangeKind.UNCORDON_POOL, pool_id=pool.pool_id)
            yield Changed(change, with_pool(snapshot, pool.pool_id, cordon=None))
        if pool.verdict is PoolVerdict.NO_LAUNCHER:
            change = Change(kind=ChangeKind.ATTACH_LAUNCHER, pool_id=pool.pool_id)
            status = replace(pool_of(snapshot, pool.pool_id).status, ready=True)
            yield Changed(change, with_pool(snapshot, pool.pool_id, status=status))
        if pool.verdict is PoolVerdict.NOT_WORTH_THE_PRICE:
            yield from price_lowered(snapshot, waiting, pool.pool_id)


def brakes_off(snapshot: Snapshot, waiting: WaitingReplica) -> Iterator[Changed]:
    """What people hold the replica back by, and its back-off."""
    job, replica = waiting.job, waiting.replica
    if job.hold is not None:
        yield Changed(Change(kind=ChangeKind.RELEASE_JOB), with_job(snapshot, replace(job, hold=None)))
    ids = {id_ for each in snapshot.pools for id_ in freeze_ids(each.pool.id, job.spec.queue)}
    kept = tuple(freeze for freeze in snapshot.freezes if freeze.id not in ids)
    if kept != snapshot.freezes:
        yield Changed(Change(kind=ChangeKind.LIFT_FREEZES), replace(snapshot, freezes=kept))
    if replica.pin is not None:
        free = replace(waiting, replica=replace(replica, pin=None))
        yield Changed(Change(kind=ChangeKind.UNPIN), with_replica(snapshot, free))
    if replica.backs_off_until(snapshot.now_ms) is not None:
        rested = replace(waiting, replica=replace(replica, not_before_ms=0))
        yield Changed(Change(kind=ChangeKind.BACK_OFF_ENDS), with_replica(snapshot, rested))


def constraints_dropped(snapshot: Snapshot, waiting: WaitingReplica) -> Iterator[Changed]:
    """Each constraint that the job has, for the whole job."""
    spec = waiting.job.spec
    for each in fields(Constraints):
        if getattr(spec.constraints, each.name):
            without = replace(spec.constraints, **{each.name: ()})
            job = replace(waiting.job, spec=replace(spec, constraints=without))
            change = Change(kind=ChangeKind.DROP_CONSTRAINT, field=each.name)
            yield Changed(change, with_job(snapshot, job))


def price_lowered(snapshot: Snapshot, waiting: WaitingReplica, pool_id: PoolId) -> Iterator[Changed]:
    """The highest price at which some way of the job is worth it on the pool."""
    spec = pool_of(snapshot, pool_id).spec
    work = work_of(waiting.job.spec, snapshot.priority_classes[waiting.job.spec.priority_class])
    shadow_price = shadow_prices_of(snapshot.guidance).get(pool_id, 0)
    ways = [way for way in waiting.job.spec.alternatives if way.accelerator == spec.accelerator]

    def is_worth(price: int) -> bool:
        return any(
            term_usd_micros_per_hour(work, way, price=price, shadow_price=shadow_price) > 0 for way in ways
        )

    low, high = 0, spec.marginal_usd_micros_per_accelerator_hour
    if is_worth(high) or not is_worth(low):
        return
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_worth(middle) else (low, middle)
    change = Change(kind=ChangeKind.LOWER_PRICE, pool_id=pool_id, amount=low)
    cheaper = replace(spec, price_usd_micros_per_accelerator_hour=low)
    yield Changed(change, with_pool(snapshot, pool_id, spec=cheaper))


class Growth(NamedTuple):
    """A change by an amount, in units: how much of it there is at each step."""

    change: Change
    unit: int
    least: int

    def grown(self, snapshot: Snapshot, waiting: WaitingReplica, units: int) -> Changed:
        """The change by so many units more than the least."""
        change = replace(self.change, amount=self.unit * units)
        if change.kind is ChangeKind.RAISE_QUOTA:
            return Changed(change, with_quota_raised(snapshot, change))
        assert change.pool_id is not None
        way = way_for(pool_of(snapshot, change.pool_id), waiting.job)
        return Changed(change, with_more(snapshot, change.pool_id, way, change.amount))


def growths(
    snapshot: Snapshot, waiting: WaitingReplica, pools: Sequence[PoolAnswer], deferral: Deferral
) -> Iterator[Growth]:
    """What may be grown until the replica is in: capacity of the cheapest pools, and the quota that binds."""
    if deferral.quota is not None:
        quota = deferral.quota
        change = Change(
            kind=ChangeKind.RAISE_QUOTA, queue=quota.queue, cohort=quota.cohort, resource=quota.resource
        )
        yield Growth(change, 1, max(1, quota.needed - quota.available))
    full = [pool for pool in pools if pool.verdict in SIZES]
    full.sort(key=lambda pool: (pool.cost_usd_micros_per_useful_hour or 0, pool.pool_id))
    for answer in full[:POOLS_TRIED_MAX]:
        pool = pool_of(snapshot, answer.pool_id)
        way = way_for(pool, waiting.job)
        unit = unit_of(pool, way)
        missing = max(1, answer.accelerators_needed - answer.accelerators_free)
        change = Change(kind=ChangeKind.MORE_ACCELERATORS, pool_id=answer.pool_id)
        yield Growth(change, unit, -(-missing // unit))


def pool_of(snapshot: Snapshot, pool_id: PoolId) -> Pool:
    return next(each.pool for each in snapshot.pools if each.pool.id == pool_id)


def way_for(pool: Pool, job: Job) -> Alternative:
    """The smallest way of the job that is of the pool's accelerator and kind, else of its accelerator."""
    ways = [way for way in job.spec.alternatives if way.accelerator == pool.spec.accelerator]
    is_sliced = not pool.spec.node_groups
    fitting = [way for way in ways if (way.slice_topology is not None) == is_sliced]
    return min(fitting or ways, key=lambda way: way.accelerators)


def unit_of(pool: Pool, way: Alternative) -> int:
    """Accelerators that a pool can be given more at once: a node, or a slice; else one."""
    if pool.spec.node_groups:
        return max(pool.spec.node_devices())
    return way.accelerators if way.slice_topology is not None else 1


def with_more(snapshot: Snapshot, pool_id: PoolId, way: Alternative, accelerators: int) -> Snapshot:
    """The pool with so many more, as nodes of its largest size or as slices, and a limit that allows them."""
    pool = pool_of(snapshot, pool_id)
    spec, unit = pool.spec, unit_of(pool, way)
    if spec.node_groups:
        more = NodeGroup(nodes=accelerators // unit, devices_per_node=unit)
        spec = replace(spec, node_groups=(*spec.node_groups, more))
    elif spec.slice_groups and way.slice_topology is not None:
        slices = SliceGroup(
            slices=accelerators // unit, topology=way.slice_topology, accelerators_per_slice=unit
        )
        spec = replace(spec, slice_groups=(*spec.slice_groups, slices))
    if spec.limit_accelerators is None or pool.availability is None:
        return with_pool(snapshot, pool_id, spec=spec)
    spec = replace(spec, limit_accelerators=spec.limit_accelerators + accelerators)
    believed = pool.availability.believed_free(now_ms=snapshot.now_ms, limit=spec.limit_accelerators or 0)
    availability = replace(
        pool.availability, accelerators=believed + accelerators, changed_at_ms=snapshot.now_ms
    )
    return with_pool(snapshot, pool_id, spec=spec, availability=availability)


def with_quota_raised(snapshot: Snapshot, change: Change) -> Snapshot:
    """The holder's own quota of the resource, so much higher; 0 before where it has none."""

    def raised(quotas: tuple[Quota, ...]) -> tuple[Quota, ...]:
        of_resource = {quota.resource: quota for quota in quotas}
        resource = Resource(change.resource)
        old = of_resource.get(resource, Quota(resource=resource, nominal=0))
        of_resource[resource] = replace(old, nominal=old.nominal + change.amount)
        return tuple(of_resource.values())

    queues = (
        replace(each, queue=replace(each.queue, quotas=raised(each.queue.quotas)))
        if each.queue.name == change.queue
        else each
        for each in snapshot.queues
    )
    cohorts = (
        replace(each, cohort=replace(each.cohort, quotas=raised(each.cohort.quotas)))
        if each.cohort.name == change.cohort
        else each
        for each in snapshot.cohorts
    )
    return replace(snapshot, queues=tuple(queues), cohorts=tuple(cohorts))


def with_pool(snapshot: Snapshot, pool_id: PoolId, **parts: object) -> Snapshot:
    def changed(each: PlannedPool) -> PlannedPool:
        return replace(each, pool=replace(each.pool, **parts)) if each.pool.id == pool_id else each  # type: ignore[arg-type]  # parts of a pool

    return replace(snapshot, pools=tuple(changed(each) for each in snapshot.pools))


def with_job(snapshot: Snapshot, job: Job) -> Snapshot:
    waiting = (replace(each, job=job) if each.job.id == job.id else each for each in snapshot.waiting)
    return replace(snapshot, waiting=tuple(waiting))


def with_replica(snapshot: Snapshot, changed: WaitingReplica) -> Snapshot:
    waiting = (changed if each.replica.id == changed.replica.id else each for each in snapshot.waiting)
    return replace(snapshot, waiting=tuple(waiting))
