"""Verify: which hard rules a plan breaks. Plain Python, no solver; what it passes may be carried out.

No rule may be more violated after than before: running work may already violate one, because a pool
shrank or a limit was lowered, and that alone stops nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from scheduler.model.brakes import freeze_ids
from scheduler.model.ids import PoolId, QueueName, ReplicaId, Revision, RunId
from scheduler.model.job import Alternative, Job
from scheduler.model.plan import Place, Plan, PlannedPool, Snapshot, Step, WaitingReplica
from scheduler.model.pool import Pool
from scheduler.model.queue import CohortName
from scheduler.model.records import Key, Kind
from scheduler.model.run import Placement
from scheduler.model.transaction import Check, IsAbsent, IsAt, IsPlannedAt
from scheduler.planning.blocks import block_of, chain_of
from scheduler.planning.eligibility import is_allowed
from scheduler.planning.guarantee import left_out
from scheduler.planning.holding import Held, accelerators, held_after, held_before
from scheduler.planning.quota_rules import excesses, used_after, used_now
from scheduler.planning.stop_rules import stop_faults
from scheduler.planning.worth import charged_usd_micros_per_hour, term_usd_micros_per_hour, work_of


class Rule(StrEnum):
    """The hard rules, in the order in which they are looked at."""

    PLACED_ONCE = "placed_once"
    WAS_WAITING = "was_waiting"
    ACCOUNTED_FOR = "accounted_for"
    KNOWN_POOL = "known_pool"
    OF_THE_SNAPSHOT = "of_the_snapshot"
    PRECONDITIONS = "preconditions"
    BACK_OFF = "back_off"
    HELD = "held"
    FROZEN = "frozen"
    PINNED = "pinned"
    POOL_OPEN = "pool_open"
    ALTERNATIVE = "alternative"
    GANG_WHOLE = "gang_whole"
    CONSTRAINTS = "constraints"
    NUMBERS = "numbers"
    NODE_THERE = "node_there"
    NODE_CORDONED = "node_cordoned"
    NODE_CAPACITY = "node_capacity"
    SLICE_USED_ONCE = "slice_used_once"
    SLICE_TOPOLOGY = "slice_topology"
    LIMIT = "limit"
    BELIEVED_FREE = "believed_free"
    QUOTA = "quota"
    STOPPED_ONCE = "stopped_once"
    STOP_ALLOWED = "stop_allowed"
    STOP_NEEDED = "stop_needed"
    STOP_WORTHIER = "stop_worthier"
    STEP_SIZE = "step_size"
    WAITS_FOR_ENDS = "waits_for_ends"
    WAITS_ALIKE = "waits_alike"
    DISRUPTION_BUDGET = "disruption_budget"
    WORTHIER_FIRST = "worthier_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that is more violated after the plan than before.

    Attributes:
        subject: the replica, pool or node.
        before, after: by how much; devices, accelerators or counts.
    """

    rule: Rule
    subject: str
    before: int
    after: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The snapshot by id."""

    snapshot: Snapshot
    waiting: Mapping[ReplicaId, WaitingReplica]
    pools: Mapping[PoolId, PlannedPool]
    shadow_prices: Mapping[PoolId, int]
    quota_grounds: Mapping[QueueName, tuple[Check, ...]]


def violations(snapshot: Snapshot, plan: Plan) -> list[Violation]:
    """Every broken rule; empty for a plan that may be carried out."""
    known = Known(
        snapshot=snapshot,
        waiting={each.replica.id: each for each in snapshot.waiting},
        pools={planned.pool.id: planned for planned in snapshot.pools},
        shadow_prices=dict(snapshot.guidance.shadow_prices),
        quota_grounds=quota_grounds_of(snapshot),
    )
    found = list(whole_plan(known, plan))
    for step in plan.steps:
        found.extend(one_step(known, step))
    places: dict[PoolId, list[Place]] = {}
    for place in plan.places:
        places.setdefault(place.placement.pool_id, []).append(place)
    stopped = frozenset(stop.run_id for stop in plan.stops)
    for planned in snapshot.pools:
        found.extend(one_pool(known, planned, places.get(planned.pool.id, []), stopped))
    found.extend(quotas_hold(snapshot, plan))
    faults = (*stop_faults(snapshot, plan), *left_out(snapshot, plan))
    return [*found, *(broken(Rule(fault.rule), fault.subject, fault.detail) for fault in faults)]


def broken(rule: Rule, subject: str, detail: str) -> Violation:
    """A rule that is kept or not, with no amount."""
    return Violation(rule=rule, subject=subject, before=0, after=1, detail=detail)


def whole_plan(known: Known, plan: Plan) -> Iterator[Violation]:
    """Each replica is placed at most once; each waiting one is either placed or told why not."""
    if plan.revision != known.snapshot.revision:
        yield broken(Rule.OF_THE_SNAPSHOT, "plan", f"{plan.revision} != {known.snapshot.revision}")
    placed = Counter(place.replica_id for place in plan.places)
    deferred = Counter(replica_id for replica_id, _ in plan.deferrals)
    for replica_id, times in placed.items():
        if times > 1:
            yield Violation(rule=Rule.PLACED_ONCE, subject=replica_id, before=1, after=times)
        if replica_id not in known.waiting:
            yield broken(Rule.WAS_WAITING, replica_id, "is not among the waiting")
    for replica_id in sorted({*known.waiting, *deferred}):
        outcomes = min(1, placed[replica_id]) + deferred[replica_id]
        if outcomes != 1 or replica_id not in known.waiting:
            yield broken(Rule.ACCOUNTED_FOR, replica_id, f"has {outcomes} outcomes")


def one_step(known: Known, step: Step) -> Iterator[Violation]:
    """Each placement is of a replica that may be placed there, on grounds that the commit can check."""
    for place in step.places:
        waiting, planned = known.waiting.get(place.replica_id), known.pools.get(place.placement.pool_id)
        if planned is None:
            yield broken(Rule.KNOWN_POOL, place.replica_id, f"{place.placement.pool_id} does not exist")
        elif waiting is not None:
            grounds = [*grounds_of(waiting, planned), *known.quota_grounds[waiting.job.spec.queue]]
            missing = [each for each in grounds if each not in step.preconditions]
            if missing:
                yield broken(Rule.PRECONDITIONS, place.replica_id, f"{missing} are not checked")
            yield from one_place(known, place, waiting, planned.pool)


def grounds_of(waiting: WaitingReplica, planned: PlannedPool) -> tuple[Check, ...]:
    return (
        IsAt(Key(Kind.REPLICA, waiting.replica.id), waiting.replica_version),
        IsPlannedAt(Key(Kind.JOB, waiting.job.id), waiting.job_planning_version),
        IsPlannedAt(Key(Kind.POOL, planned.pool.id), planned.planning_version),
        *(IsAbsent(Key(Kind.FREEZE, id_)) for id_ in freeze_ids(planned.pool.id, waiting.job.spec.queue)),
    )


def quota_grounds_of(snapshot: Snapshot) -> dict[QueueName, tuple[Check, ...]]:
    """Of each queue that waits: it and the cohorts above it are as they were, or are still not there."""
    holders: dict[Key, tuple[Revision, CohortName | None]] = {
        Key(Kind.QUEUE, each.queue.name): (each.planning_version, each.queue.cohort)
        for each in snapshot.queues
    }
    for planned in snapshot.cohorts:
        above = (planned.planning_version, planned.cohort.parent)
        holders[Key(Kind.COHORT, planned.cohort.name)] = above
    waiting = {each.job.spec.queue for each in snapshot.waiting}
    return {queue: tuple(holder_grounds(queue, holders)) for queue in waiting}


def holder_grounds(
    queue: QueueName, holders: Mapping[Key, tuple[Revision, CohortName | None]]
) -> Iterator[Check]:
    key: Key | None = Key(Kind.QUEUE, queue)
    seen = set[Key]()
    while key is not None and key not in seen:
        if key not in holders:
            yield IsAbsent(key)
            return
        seen.add(key)
        planning_version, above = holders[key]
        yield IsPlannedAt(key, planning_version)
        key = None if above is None else Key(Kind.COHORT, above)


def one_place(known: Known, place: Place, waiting: WaitingReplica, pool: Pool) -> Iterator[Violation]:
    subject, placement, job = place.replica_id, place.placement, waiting.job
    if waiting.replica.backs_off_until(known.snapshot.now_ms) is not None:
        yield broken(Rule.BACK_OFF, subject, f"backs off until {waiting.replica.not_before_ms}")
    if job.hold is not None:
        yield broken(Rule.HELD, subject, f"{job.id} is held")
    ids = {freeze.id for freeze in known.snapshot.freezes}
    for freeze_id in ids.intersection(freeze_ids(pool.id, job.spec.queue)):
        yield broken(Rule.FROZEN, subject, f"{freeze_id} is frozen")
    pin = waiting.replica.pin
    if pin is not None and pin.pool_id != pool.id:
        yield broken(Rule.PINNED, subject, f"is pinned to {pin.pool_id}, not {pool.id}")
    if pool.cordon is not None or pool.deleting or not pool.status.ready:
        yield broken(Rule.POOL_OPEN, subject, f"{pool.id} takes nothing new")
    if not is_allowed(job.spec.constraints, pool):
        yield broken(Rule.CONSTRAINTS, subject, f"the constraints do not allow {pool.id}")
    if not 0 <= placement.alternative_index < len(job.spec.alternatives):
        yield broken(Rule.ALTERNATIVE, subject, f"has no alternative {placement.alternative_index}")
        return
    way = job.spec.alternatives[placement.alternative_index]
    if not way.accelerator == placement.accelerator == pool.spec.accelerator:
        yield broken(Rule.ALTERNATIVE, subject, f"wants {way.accelerator}, {pool.id} has another")
    if placement.market is not pool.spec.market:
        yield broken(Rule.ALTERNATIVE, subject, f"{placement.market} is not the market of {pool.id}")
    yield from gang_is_whole(subject, placement, way, pool)
    yield from numbers_are_exact(known, place, job, pool)


def gang_is_whole(
    subject: ReplicaId, placement: Placement, way: Alternative, pool: Pool
) -> Iterator[Violation]:
    """The placement is the alternative's gang, and its nodes hold all tasks, each node named once."""
    shape = (placement.tasks, placement.devices_per_task, placement.slice_topology)
    if shape != (way.tasks, way.devices_per_task, way.slice_topology):
        yield broken(Rule.GANG_WHOLE, subject, f"{shape} is not the alternative's gang")
    if pool.spec.is_sliced_on_demand:
        if placement.nodes or placement.slice_topology is None:
            yield broken(Rule.GANG_WHOLE, subject, f"{pool.id} makes slices and has no nodes")
        return
    tasks, numbers = sum(share.tasks for share in placement.nodes), {share.node for share in placement.nodes}
    if tasks != way.tasks or any(share.tasks < 1 for share in placement.nodes):
        yield broken(Rule.GANG_WHOLE, subject, f"{tasks} of {way.tasks} tasks have a node")
    if len(numbers) != len(placement.nodes):
        yield broken(Rule.GANG_WHOLE, subject, "names a node twice")


def numbers_are_exact(known: Known, place: Place, job: Job, pool: Pool) -> Iterator[Violation]:
    """Charge and term are those that the snapshot's prices give."""
    way = job.spec.alternatives[place.placement.alternative_index]
    term = term_usd_micros_per_hour(
        work_of(job.spec, known.snapshot.priority_classes[job.spec.priority_class]),
        way,
        price=pool.spec.marginal_usd_micros_per_accelerator_hour,
        shadow_price=known.shadow_prices.get(pool.id, 0),
    )
    given = (place.placement.charged_usd_micros_per_hour, place.placement.term_usd_micros_per_hour)
    if given != (charged_usd_micros_per_hour(way, pool.spec), term):
        yield broken(Rule.NUMBERS, place.replica_id, f"charge and term {given}, term should be {term}")
    if term <= 0:
        yield broken(Rule.NUMBERS, place.replica_id, f"is not worth its price: {term}")


def one_pool(
    known: Known, planned: PlannedPool, places: list[Place], stopped: frozenset[RunId]
) -> Iterator[Violation]:
    """The pool holds what runs and what is new; what waits for runs to end shares their room."""
    if not places:
        return
    new = [place.placement for place in places]
    before, after = held_before(planned), held_after(planned, places, stopped)
    yield from nodes_are_there(planned.pool, new)
    if planned.pool.spec.slice_groups:
        yield from slices_hold(planned.pool, before, after, new)
    elif planned.pool.spec.node_groups:
        yield from nodes_hold(planned.pool, before, after, new)
    yield from rented_holds(known, planned, before, after)


def nodes_are_there(pool: Pool, new: Iterable[Placement]) -> Iterator[Violation]:
    """No new task goes to a node or slice that is not in the pool, not available or cordoned."""
    spec = pool.spec
    there = sum(group.nodes for group in spec.node_groups) + sum(group.slices for group in spec.slice_groups)
    used = {share.node for placement in new for share in placement.nodes}
    for node in sorted(used.intersection(pool.status.unavailable_nodes)):
        yield broken(Rule.NODE_THERE, f"{pool.id}/{node}", "is not available")
    for cordoned in pool.node_cordons:
        if cordoned.node in used:
            yield broken(Rule.NODE_CORDONED, f"{pool.id}/{cordoned.node}", "is cordoned")
    for node in sorted(node for node in used if not 0 <= node < there):
        yield broken(Rule.NODE_THERE, f"{pool.id}/{node}", f"is not one of {there}")


def more(rule: Rule, subject: str, *, capacity: int, before: int, after: int) -> Iterator[Violation]:
    """A violation if what exceeds the capacity has grown."""
    over_before, over_after = max(0, before - capacity), max(0, after - capacity)
    if over_after > over_before:
        yield Violation(rule=rule, subject=subject, before=over_before, after=over_after)


def nodes_hold(pool: Pool, before: Held, after: Held, new: list[Placement]) -> Iterator[Violation]:
    """Each node has the devices of its tasks, whole blocks each."""
    sizes = list(pool.spec.node_devices())
    used_before, used_after = used_of(before, sizes), used_of(after, sizes)
    for node in sorted({share.node for placement in new for share in placement.nodes}):
        yield from more(
            Rule.NODE_CAPACITY,
            f"{pool.id}/{node}",
            capacity=sizes[node] if 0 <= node < len(sizes) else 0,
            before=used_before[node],
            after=used_after[node],
        )


def used_of(held: Held, sizes: list[int]) -> Counter[int]:
    """Devices by node."""
    shared = devices_by_node(held.waiting, sizes) | devices_by_node(held.awaited, sizes)
    return devices_by_node(held.stay, sizes) + shared


def devices_by_node(placements: Iterable[Placement], sizes: list[int]) -> Counter[int]:
    chain, used = chain_of(sizes), Counter[int]()
    for placement in placements:
        block = block_of(placement.devices_per_task, chain) or placement.devices_per_task
        for share in placement.nodes:
            used[share.node] += block * share.tasks
    return used


def slices_hold(pool: Pool, before: Held, after: Held, new: list[Placement]) -> Iterator[Violation]:
    """A slice is used by one run, as a whole, and has the topology that the run asked for."""
    topologies = [group.topology for group in pool.spec.slices()]
    for number in sorted({share.node for placement in new for share in placement.nodes}):
        yield from more(
            Rule.SLICE_USED_ONCE,
            f"{pool.id}/{number}",
            capacity=1,
            before=before.at_most(partial(runs_on_slice, number)),
            after=after.at_most(partial(runs_on_slice, number)),
        )
    for placement in new:
        has = [topologies[share.node] for share in placement.nodes if 0 <= share.node < len(topologies)]
        if has != [placement.slice_topology]:
            yield broken(Rule.SLICE_TOPOLOGY, pool.id, f"{placement.slice_topology} was given {has}")


def runs_on_slice(number: int, placements: Iterable[Placement]) -> int:
    return sum(share.node == number for placement in placements for share in placement.nodes)


def rented_holds(known: Known, planned: PlannedPool, before: Held, after: Held) -> Iterator[Violation]:
    """Live runs stay under the provider's quota, those not yet started under what it is believed to have."""
    pool, limit = planned.pool, planned.pool.spec.limit_accelerators
    if limit is None or pool.availability is None:
        return
    believed = pool.availability.believed_free(now_ms=known.snapshot.now_ms, limit=limit)
    yield from more(
        Rule.LIMIT,
        pool.id,
        capacity=limit,
        before=before.at_most(accelerators),
        after=after.at_most(accelerators),
    )
    yield from more(
        Rule.BELIEVED_FREE,
        pool.id,
        capacity=believed,
        before=before.asked_for + beyond_awaited(before),
        after=after.asked_for + beyond_awaited(after),
    )


def beyond_awaited(held: Held) -> int:
    """Accelerators that wait for more than ends."""
    return max(0, accelerators(held.waiting) - accelerators(held.awaited))


def quotas_hold(snapshot: Snapshot, plan: Plan) -> Iterator[Violation]:
    """No queue or cohort takes more beyond what it may than it did."""
    if not snapshot.queues:
        return
    before, after = (excesses(snapshot, used) for used in (used_now(snapshot), used_after(snapshot, plan)))
    for subject in sorted(after):
        if after[subject] > before.get(subject, 0):
            yield Violation(
                rule=Rule.QUOTA, subject=subject, before=before.get(subject, 0), after=after[subject]
            )
