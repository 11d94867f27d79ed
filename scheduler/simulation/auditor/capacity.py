"""Whether a pool really holds what was placed on it: plain sums, none of the planner's code."""

from collections.abc import Iterator, Sequence

from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.run import Placement, Run

SLOWNESS_MAX = 2  # a way that is much slower than the fastest may rightly not be worth the time


def faults_of(run: Run, job: Job, pool: Pool) -> Iterator[str]:
    """What is wrong with a new run on a pool, whatever else lives there."""
    if pool.cordon is not None or pool.deleting or not pool.status.ready:
        yield "the pool takes nothing new"
    yield from _gang_faults(run.placement, job, pool)
    yield from _constraint_faults(job, pool)


def _cordoned(pool: Pool) -> set[int]:
    return {each.node for each in pool.node_cordons}


def _gang_faults(placement: Placement, job: Job, pool: Pool) -> Iterator[str]:
    way = job.spec.alternatives[placement.alternative_index]
    asked = (way.accelerator, way.slice_topology, way.tasks, way.devices_per_task)
    given = (placement.accelerator, placement.slice_topology, placement.tasks, placement.devices_per_task)
    if asked != given or placement.accelerator != pool.spec.accelerator:
        yield f"asked for {asked}, given {given} of {pool.spec.accelerator}"
    if not pool.spec.is_sliced_on_demand:
        tasks = sum(share.tasks for share in placement.nodes)
        if tasks != way.tasks:
            yield f"{tasks} of {way.tasks} tasks have a place"


def _constraint_faults(job: Job, pool: Pool) -> Iterator[str]:
    constraints = job.spec.constraints
    if constraints.allowed_pools and pool.id not in constraints.allowed_pools:
        yield "the job allows other pools only"
    if pool.id in constraints.denied_pools:
        yield "the job denies the pool"
    if constraints.markets and pool.spec.market not in constraints.markets:
        yield "the job allows other markets only"


def devices_on(placement: Placement, node: int) -> int:
    return sum(share.tasks * placement.devices_per_task for share in placement.nodes if share.node == node)


def rooms_of(job: Job, pool: Pool, live: Sequence[Run]) -> Iterator[str]:
    """Ways of the job that fit what is free of a reserved pool, counted task by task.

    Tasks take powers of two, so that what this finds no rounding of the planner denies.
    """
    is_open = pool.cordon is None and not pool.deleting and pool.status.ready
    if not is_open or pool.spec.is_rented or any(_constraint_faults(job, pool)):
        return
    fastest = max(way.gang_speed_permille for way in job.spec.alternatives)
    for way in job.spec.alternatives:
        is_worth_it = SLOWNESS_MAX * way.gang_speed_permille >= fastest
        if way.accelerator != pool.spec.accelerator or not is_worth_it:
            continue
        if way.slice_topology is not None and _has_free_slice(way.slice_topology, pool, live):
            yield f"a slice {way.slice_topology}"
        if way.slice_topology is None and _free_tasks(way.devices_per_task, pool, live) >= way.tasks:
            yield f"{way.tasks} x {way.devices_per_task}"


def _has_free_slice(topology: str, pool: Pool, live: Sequence[Run]) -> bool:
    topologies = [group.topology for group in pool.spec.slice_groups for _ in range(group.slices)]
    used = {share.node for run in live for share in run.placement.nodes}
    used.update(pool.status.unavailable_nodes, _cordoned(pool))
    return any(t == topology and number not in used for number, t in enumerate(topologies))


def _free_tasks(devices_per_task: int, pool: Pool, live: Sequence[Run]) -> int:
    sizes = [group.devices_per_node for group in pool.spec.node_groups for _ in range(group.nodes)]
    tasks = 0
    for node, size in enumerate(sizes):
        used = sum(_rounded_devices_on(run.placement, node) for run in live)
        if node not in pool.status.unavailable_nodes and node not in _cordoned(pool):
            tasks += max(0, size - used) // _power_of_two(devices_per_task)
    return tasks


def _rounded_devices_on(placement: Placement, node: int) -> int:
    tasks = sum(share.tasks for share in placement.nodes if share.node == node)
    return tasks * _power_of_two(placement.devices_per_task)


def _power_of_two(devices: int) -> int:
    return 1 << (devices - 1).bit_length()
