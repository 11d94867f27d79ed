"""Small random worlds for properties, and the best plan for them by trying everything."""

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

from scheduler.model.guidance import Guidance
from scheduler.model.ids import PoolId, PriorityClassName, QueueName
from scheduler.model.job import Alternative, Job, Market
from scheduler.model.plan import PlannedPool, Snapshot, WaitingReplica
from scheduler.model.pool import Pool
from scheduler.model.queue import COST, Cohort, Queue, Quota, Resource, cost_units
from scheduler.model.run import Run, RunState
from scheduler.planning.blocks import block_of, chain_of
from scheduler.planning.quota_rules import excesses, used_now
from scheduler.planning.room import room_of
from scheduler.planning.shares import STEP_ENDS_PERMILLE
from tests.builders import (
    DOLLAR,
    HOUR_MS,
    NOW_MS,
    a_cohort,
    a_job,
    a_pin,
    a_pool,
    a_queue,
    a_quota,
    a_rented_pool,
    a_run,
    a_slice_pool,
    a_snapshot,
    a_usage,
    a_waiting_replica,
    an_alternative,
    with_queues,
)

T = TypeVar("T")
Line = tuple[QueueName, PriorityClassName]
GANGS = (
    *("h100:1", "h100:2", "h100:3", "h100:4", "h100:8", "h100:16"),
    *("a100:1", "a100:2", "a100:4", "a100:8", "tpu:2x2", "tpu:2x4"),
)
SPEEDS = (250, 500, 800, 1000, 1250, 1700)
QUEUES = ("research", "prod", "eval")
PRICES = (0, DOLLAR // 2, 2 * DOLLAR, 7 * DOLLAR)


class Draw:
    """Draws from a seed: unlike single draws of the strategies, worlds come out crowded, not small."""

    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng(seed)

    def of(self, choices: Sequence[T]) -> T:
        return choices[int(self._draw.integers(len(choices)))]

    def between(self, least: int, most: int) -> int:
        return int(self._draw.integers(least, most + 1))

    def is_one_in(self, many: int) -> bool:
        return self.between(1, many) == 1


def snapshots(*, replicas_max: int = 7) -> st.SearchStrategy[Snapshot]:
    return st.integers(0, 2**32 - 1).map(lambda seed: a_world(Draw(seed), replicas_max=replicas_max))


def a_world(draw: Draw, *, replicas_max: int) -> Snapshot:
    fleet = [some_pool(draw, number) for number in range(draw.between(1, 3))]
    waiting: list[WaitingReplica] = []
    while len(waiting) < replicas_max and not draw.is_one_in(8):
        job = some_job(draw, len(waiting))
        not_before_ms = NOW_MS + 1 if draw.is_one_in(12) else 0
        replicas = range(min(draw.between(1, 2), replicas_max - len(waiting)))
        pin = a_pin(draw.of(fleet).id) if draw.is_one_in(8) else None
        waiting.extend(
            a_waiting_replica(job, index, not_before_ms=not_before_ms, pin=pin) for index in replicas
        )
    runs = [run for number, pool in enumerate(fleet) for run in some_runs(draw, number, pool)]
    holders = some_holders(draw) if draw.is_one_in(2) else []
    usage = [
        a_usage(queue, draw.between(1, 6), draw.of(("h100", "a100")))
        for queue in QUEUES[: draw.between(0, 3)]
    ]
    prices = tuple((pool.id, draw.of((0, 0, DOLLAR))) for pool in sorted(fleet, key=lambda pool: pool.id))
    snapshot = a_snapshot(pools=fleet, waiting=waiting, runs=runs, guidance=Guidance(shadow_prices=prices))
    return with_queues(snapshot, *holders, usage=usage)


def some_holders(draw: Draw) -> list[Queue | Cohort]:
    """Queues, alone or in a cohort, which may be in another; not every one has quotas."""
    cohorts = ["inner", "outer"][: draw.between(0, 2)]
    found: list[Queue | Cohort] = [
        a_queue(name, *some_quotas(draw), cohort=draw.of((None, *cohorts, *cohorts)))
        for name in QUEUES
        if not draw.is_one_in(4)
    ]
    for cohort in cohorts:
        parent = "outer" if cohort == "inner" and len(cohorts) > 1 else None
        found.append(a_cohort(cohort, *some_quotas(draw), parent=parent))
    return found


def some_quotas(draw: Draw) -> list[Quota]:
    quotas = []
    for resource, unit in (("h100", 1), ("a100", 1), ("tpu", 1), (COST, 2_000)):
        if draw.is_one_in(2 if resource == "h100" else 4):
            limits = {
                name: unit * draw.between(0, 8)
                for name in ("borrowing_limit", "lending_limit")
                if draw.is_one_in(2)
            }
            quotas.append(a_quota(unit * draw.between(0, 16), resource, **limits))
    return quotas


def some_job(draw: Draw, number: int) -> Job:
    gangs = sorted({draw.of(GANGS) for _ in range(draw.between(1, 3))})
    return a_job(
        f"job-{number}",
        *(an_alternative(gang, speed_permille=draw.of(SPEEDS)) for gang in gangs),
        priority_class=draw.of(("frontier", "standard", "standard", "standard", "batch")),
        duration_ms=draw.of((None, HOUR_MS)),
        queue=QueueName(draw.of(QUEUES)),
    )


def some_pool(draw: Draw, number: int) -> Pool:
    kind = draw.of(("nodes", "nodes", "nodes", "rented", "rented", "slices", "made"))
    name, accelerator = f"{kind}-{number}", draw.of(("h100", "h100", "a100"))
    limit = draw.between(2, 24)
    parts = {
        "price_usd_micros_per_accelerator_hour": draw.of(PRICES),
        "ready": not draw.is_one_in(12),
        "cordoned": draw.is_one_in(12),
        "unavailable_nodes": (0,) if draw.is_one_in(6) else (),
        "cordoned_nodes": (1,) if draw.is_one_in(6) else (),
    }
    if kind == "nodes":
        nodes, size = draw.between(1, 3), draw.of((4, 6, 8, 8))
        return a_pool(name, accelerator, nodes=nodes, devices_per_node=size, **parts)
    if kind == "rented":
        believed = draw.between(1, limit)
        return a_rented_pool(name, accelerator, limit_accelerators=limit, believed=believed, **parts)
    if kind == "slices":
        return a_slice_pool(name, "tpu", slices={"2x2": draw.between(1, 2), "2x4": 1}, **parts)
    return a_rented_pool(name, "tpu", limit_accelerators=limit, nodes=0, market=Market.SPOT, **parts)


def some_runs(draw: Draw, number: int, pool: Pool) -> list[Run]:
    """Nothing, or one small run on the pool."""
    if not pool.spec.node_groups or not draw.is_one_in(3):
        return []
    job = a_job(f"busy-{number}", f"{pool.spec.accelerator}:{draw.of((1, 2, 4))}")
    return [a_run(job, pool, state=draw.of((RunState.RUNNING, RunState.STARTING)))]


def best_value(snapshot: Snapshot) -> int:
    """The most that any plan is worth, by trying every place for every replica."""
    ready = [each for each in snapshot.waiting if each.replica.not_before_ms <= snapshot.now_ms]

    now = used_now(snapshot)
    before = excesses(snapshot, now)

    def best_from(
        index: int,
        placed: tuple[tuple[int, Alternative], ...],
        used: Counter[tuple[QueueName, Resource]],
        useful: Counter[Line],
    ) -> int:
        if index == len(ready):
            return -tolls(snapshot, useful)
        best, job = best_from(index + 1, placed, used, useful), ready[index].job
        for pool, way, term in options(snapshot, ready[index]):
            wanted = (*placed, (pool, way))
            using = used + use_of(job, way, snapshot.pools[pool].pool)
            if is_within_quotas(snapshot, before, using) and fits(
                snapshot.pools[pool], [w for p, w in wanted if p == pool], snapshot.now_ms
            ):
                more = useful + Counter({(job.spec.queue, job.spec.priority_class): units_of(job, way)})
                best = max(best, term + best_from(index + 1, wanted, using, more))
        return best

    return best_from(0, (), now, Counter())


def units_of(job: Job, way: Alternative) -> int:
    """Thousandths of a useful accelerator, as they count for the queue's share."""
    assert job.spec.training is not None
    if job.spec.training.estimated_duration_ms is None:
        return way.gang_speed_permille
    return max(each.gang_speed_permille for each in job.spec.alternatives)


def tolls(snapshot: Snapshot, useful: Counter[Line]) -> int:
    """What the shares cost that so much new work takes: V/20 for each accelerator and each step below it."""
    used = Counter[str]()
    for each in snapshot.usage:
        used[each.queue] += each.useful_permille
    queues = {each.job.spec.queue for each in snapshot.waiting} | set(used)
    if len(queues) < 2:
        return 0
    weights = {planned.queue.name: planned.queue.weight_permille for planned in snapshot.queues}
    of_all = sum(weights.get(QueueName(queue), 1_000) for queue in queues)
    total = 0
    for (queue, class_name), units in useful.items():
        share = fleet_permille(snapshot) * weights.get(queue, 1_000) // of_all
        toll = snapshot.priority_classes[class_name].worth_usd_micros // 20_000
        for end in STEP_ENDS_PERMILLE:
            room_below = max(0, share * end // 1_000 - used[queue])
            total += toll * max(0, units - room_below)
    return total


def fleet_permille(snapshot: Snapshot) -> int:
    speeds: dict[str, int] = {}
    for each in snapshot.waiting:
        for way in each.job.spec.alternatives:
            speeds[way.accelerator] = max(speeds.get(way.accelerator, 0), way.speed_permille)
    free = 0
    for planned in snapshot.pools:
        room = room_of(planned.pool, planned.live_runs, now_ms=snapshot.now_ms)
        free += room.accelerators * speeds.get(planned.pool.spec.accelerator, 0)
    return free + sum(each.useful_permille for each in snapshot.usage)


def use_of(job: Job, way: Alternative, pool: Pool) -> Counter[tuple[QueueName, Resource]]:
    charged = way.accelerators * pool.spec.price_usd_micros_per_accelerator_hour
    return Counter(
        {
            (job.spec.queue, Resource(way.accelerator)): way.accelerators,
            (job.spec.queue, COST): cost_units(charged),
        }
    )


def is_within_quotas(
    snapshot: Snapshot, before: dict[str, int], used: Counter[tuple[QueueName, Resource]]
) -> bool:
    """Whether nobody takes more beyond what it may than before."""
    return all(excess <= before.get(subject, 0) for subject, excess in excesses(snapshot, used).items())


def options(snapshot: Snapshot, waiting: WaitingReplica) -> Iterator[tuple[int, Alternative, int]]:
    job = waiting.job
    for number, planned in enumerate(snapshot.pools):
        for way in job.spec.alternatives:
            term = exact_term(snapshot, job, way, planned.pool)
            is_open = planned.pool.is_open and waiting.replica.allows(planned.pool.id)
            if is_open and way.accelerator == planned.pool.spec.accelerator and term > 0:
                yield number, way, term


def exact_term(snapshot: Snapshot, job: Job, way: Alternative, pool: Pool) -> int:
    """The term as the specification writes it, in hours and fractions, rounded down."""
    cls = snapshot.priority_classes[job.spec.priority_class]
    price = pool.spec.marginal_usd_micros_per_accelerator_hour
    shadow_price = dict(snapshot.guidance.shadow_prices).get(PoolId(pool.id), 0)
    speed = Fraction(way.gang_speed_permille, 1000)
    assert job.spec.training is not None
    if job.spec.training.estimated_duration_ms is None:
        hours = hours_at_best = Fraction(24)
        work = speed * hours
    else:
        fastest = Fraction(max(each.gang_speed_permille for each in job.spec.alternatives), 1000)
        hours_at_best = Fraction(job.spec.training.estimated_duration_ms, HOUR_MS)
        work = hours_at_best * fastest
        hours = work / speed
    longer = hours - hours_at_best
    total = cls.worth_usd_micros * work - price * way.accelerators * hours
    total -= (
        cls.urgency_usd_micros * (work / hours_at_best) * longer + shadow_price * way.accelerators * longer
    )
    return int(total // hours_at_best)


def fits(planned: PlannedPool, gangs: list[Alternative], now_ms: int) -> bool:
    """Whether a pool holds the gangs beside what runs, by trying every node for every task."""
    pool, spec = planned.pool, planned.pool.spec
    running = [run.placement for run in planned.live_runs]
    wanted = sum(gang.accelerators for gang in gangs)
    if spec.limit_accelerators is not None and pool.availability is not None:
        if wanted > spec.limit_accelerators - sum(each.accelerators for each in running):
            return False
        starting = [run for run in planned.live_runs if run.state is RunState.STARTING]
        believed = pool.availability.believed_free(now_ms=now_ms, limit=spec.limit_accelerators)
        if wanted > believed - sum(run.placement.accelerators for run in starting):
            return False
    closed = {*pool.status.unavailable_nodes, *(each.node for each in pool.node_cordons)}
    if spec.is_sliced_on_demand:
        return all(gang.slice_topology is not None for gang in gangs)
    if spec.slice_groups:
        free = [group.topology for number, group in enumerate(spec.slices()) if number not in closed]
        asked = [gang.slice_topology for gang in gangs]
        return all(asked.count(topology) <= free.count(topology or "") for topology in asked)
    sizes = list(spec.node_devices())
    chain = chain_of(sizes)
    for placement in running:
        for share in placement.nodes:
            sizes[share.node] -= (block_of(placement.devices_per_task, chain) or 99) * share.tasks
    free_nodes = [0 if node in closed else size for node, size in enumerate(sizes)]
    blocks = [block_of(gang.devices_per_task, chain) for gang in gangs for _ in range(gang.tasks)]
    if any(gang.slice_topology is not None for gang in gangs) or None in blocks:
        return False
    return packs(tuple(sorted(free_nodes)), tuple(sorted((block or 0 for block in blocks), reverse=True)))


@cache
def packs(free: tuple[int, ...], blocks: tuple[int, ...]) -> bool:
    """Whether tasks of these sizes fit nodes with so much free, by trying every node for the first task."""
    if not blocks:
        return True
    return any(
        packs(tuple(sorted((*free[:node], free[node] - blocks[0], *free[node + 1 :]))), blocks[1:])
        for node in range(len(free))
        if free[node] >= blocks[0]
    )
