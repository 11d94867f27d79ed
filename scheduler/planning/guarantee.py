"""The guarantee between priority classes, looked at once more: who waits for what lower classes hold.

Plain loops over what a plan leaves, with none of the repair's accounts; docs/decisions/preemption.md.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from scheduler.model.brakes import FreezeScope, freeze_id
from scheduler.model.ids import PoolId, QueueName
from scheduler.model.job import Alternative
from scheduler.model.limits import CHANGES_PER_TRANSACTION_MAX, GUARANTEE_FACTOR, VICTIMS_PER_STEP_MAX
from scheduler.model.occupancy import occupancy_of
from scheduler.model.plan import Place, Plan, PlannedPool, RunningReplica, Snapshot, WaitingReplica
from scheduler.model.pool import PoolSpec
from scheduler.model.queue import COST, Resource, cost_units
from scheduler.model.run import Placement, Run, RunState
from scheduler.planning.blocks import block_of, chain_of
from scheduler.planning.eligibility import is_allowed
from scheduler.planning.holding import Held, accelerators, held_after
from scheduler.planning.quota_rules import Used, excesses, given_back_by, used_after, used_by
from scheduler.planning.stop_rules import Fault, reasons_not_to_stop, units
from scheduler.planning.worth import charged_usd_micros_per_hour, term_usd_micros_per_hour, work_of


class Giver(NamedTuple):
    """What could make room; asked in this order: least worth, then least time lost, then size and place."""

    worth: int
    since: int
    size: int
    uses: tuple[tuple[int, int], ...]
    accelerators: int
    name: str
    is_ending: bool
    run: RunningReplica | None
    is_asked_for: bool
    gives: tuple[tuple[tuple[QueueName, Resource], int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a plan leaves of one pool: devices by node that may be waited for, and who could give more."""

    planned: PlannedPool
    held: Held
    free: list[int]
    believed: int
    givers: list[Giver]
    places_with_stops: int
    stops: int


def left_out(snapshot: Snapshot, plan: Plan) -> Iterator[Fault]:
    """Deferred replicas that may be placed where lower classes hold at most three times their size."""
    look = Look(snapshot, plan)
    deferred = {replica_id for replica_id, _ in plan.deferrals}
    seen: set[object] = set()
    for waiting in snapshot.waiting:
        spec = waiting.job.spec
        kind = (
            *(spec.priority_class, spec.alternatives, spec.constraints, spec.training, spec.queue),
            waiting.replica.pin,
        )
        if waiting.replica.id not in deferred or kind in seen or not look.may_be_placed(waiting):
            continue
        seen.add(kind)
        for detail in look.places_for(waiting):
            yield Fault("worthier_first", waiting.replica.id, detail)


class Look:
    """A plan and what it leaves, pool by pool."""

    def __init__(self, snapshot: Snapshot, plan: Plan) -> None:
        self._snapshot, self._plan = snapshot, plan
        self._worth = {name: each.worth_usd_micros for name, each in snapshot.priority_classes.items()}
        self._jobs = {each.replica.id: each.job for each in snapshot.waiting}
        self._frozen = {freeze.id for freeze in snapshot.freezes}
        self._shadow_prices = dict(snapshot.guidance.shadow_prices)
        stopped = {stop.run_id for stop in plan.stops}
        self._running: dict[PoolId, list[RunningReplica]] = {}
        for each in snapshot.running:
            if each.run.id not in stopped and not any(reasons_not_to_stop(snapshot, each)):
                self._running.setdefault(each.run.pool_id, []).append(each)
        self._stopped = [each for each in snapshot.running if each.run.id in stopped]
        self._queues = {each.run.id: each.job.spec.queue for each in snapshot.running}
        self._quotas = QuotasLeft(snapshot, plan)
        self._places: dict[PoolId, list[Place]] = {}
        for place in plan.places:
            self._places.setdefault(place.placement.pool_id, []).append(place)
        self._left: dict[PoolId, Left] = {}
        self._asked: dict[object, list[Giver] | None] = {}
        placed = (self._jobs[place.replica_id] for place in plan.places if place.replica_id in self._jobs)
        running = (each.job for runs in self._running.values() for each in runs)
        self._least = min((self._worth[job.spec.priority_class] for job in (*placed, *running)), default=None)

    def may_be_placed(self, waiting: WaitingReplica) -> bool:
        """Whether nothing but room keeps it waiting, and something of less worth holds any."""
        ids = {freeze_id(FreezeScope.CELL), freeze_id(FreezeScope.QUEUE, waiting.job.spec.queue)}
        return (
            self._least is not None
            and self._worth[waiting.job.spec.priority_class] > self._least
            and waiting.job.hold is None
            and not ids & self._frozen
            and waiting.replica.backs_off_until(self._snapshot.now_ms) is None
        )

    def places_for(self, waiting: WaitingReplica) -> Iterator[str]:
        spec = waiting.job.spec
        work = work_of(spec, self._snapshot.priority_classes[spec.priority_class])
        for planned in self._snapshot.pools:
            pool = planned.pool
            if not pool.is_open or freeze_id(FreezeScope.POOL, pool.id) in self._frozen:
                continue
            if not waiting.replica.allows(pool.id):
                continue
            for way in spec.alternatives:
                if way.accelerator != pool.spec.accelerator or not is_allowed(spec.constraints, pool):
                    continue
                price = pool.spec.marginal_usd_micros_per_accelerator_hour
                shadow_price = self._shadow_prices.get(pool.id, 0)
                if term_usd_micros_per_hour(work, way, price=price, shadow_price=shadow_price) > 0:
                    asked = self._answer(planned, way, work.worth)
                    if asked is not None and self._quotas.allow(spec.queue, way, pool.spec, asked):
                        yield f"{', '.join(giver.name for giver in asked)} could make room on {pool.id}"

    def _answer(self, planned: PlannedPool, way: Alternative, worth: int) -> list[Giver] | None:
        """Who would make room; None if nobody need be asked, or nobody can."""
        left = self._left.get(planned.pool.id)
        if left is None:
            left = self._left[planned.pool.id] = self._left_of(planned)
        key = (planned.pool.id, way.tasks, way.devices_per_task, way.slice_topology, worth)
        if key not in self._asked:
            self._asked[key] = asked_to_leave(left, way, worth)
        asked = self._asked[key]
        if asked is None or all(giver.is_ending for giver in asked):
            return None
        removed = sum(giver.size for giver in asked if not giver.is_ending)
        stops = [giver.run for giver in asked if giver.run is not None]
        one_step = 3 * (left.places_with_stops + 1) + 2 * (left.stops + len(stops))
        is_one_step = left.stops + len(stops) <= VICTIMS_PER_STEP_MAX and (
            one_step <= CHANGES_PER_TRANSACTION_MAX or not stops
        )
        is_small = removed <= GUARANTEE_FACTOR * way.gang_speed_permille
        return asked if is_small and is_one_step and self._may_stop(stops) else None

    def _may_stop(self, stops: list[RunningReplica]) -> bool:
        """Whether the disruption budget has so many left."""
        budget, recent = self._snapshot.disruption, self._snapshot.recent_stops
        both = [(each.run.pool_id, each.job.spec.queue) for each in (*self._stopped, *stops)]
        of_hour = [*both, *((each.pool_id, each.queue) for each in recent)]
        pools, queues = {each.run.pool_id for each in stops}, {each.job.spec.queue for each in stops}
        return (
            (not stops or len(both) <= budget.fleet_stops_per_cycle_max)
            and (not stops or len(of_hour) <= budget.fleet_stops_per_hour_max)
            and all(count_pool(both, p) <= budget.pool_stops_per_cycle_max for p in pools)
            and all(count_pool(of_hour, p) <= budget.pool_stops_per_hour_max for p in pools)
            and all(count_queue(both, q) <= budget.queue_stops_per_cycle_max for q in queues)
            and all(count_queue(of_hour, q) <= budget.queue_stops_per_hour_max for q in queues)
        )

    def _left_of(self, planned: PlannedPool) -> Left:
        pool, places = planned.pool, self._places.get(planned.pool.id, [])
        held = held_after(planned, places, {each.run.id for each in self._stopped})
        free = sizes_of(planned)
        for placement in (*held.stay, *held.waiting):
            for node, amount in uses_of(placement, planned):
                free[node] -= amount
        believed = 0
        if pool.availability is not None and pool.spec.limit_accelerators is not None:
            believed = pool.availability.believed_free(
                now_ms=self._snapshot.now_ms, limit=pool.spec.limit_accelerators
            )
        here = {each.run.id for each in self._stopped if each.run.pool_id == pool.id}
        steps = [step for step in self._plan.steps if any(stop.run_id in here for stop in step.stops)]
        return Left(
            planned=planned,
            held=held,
            free=free,
            believed=believed,
            givers=sorted(self._givers(planned, places)),
            places_with_stops=sum(len(step.places) for step in steps),
            stops=sum(len(step.stops) for step in steps),
        )

    def _givers(self, planned: PlannedPool, places: list[Place]) -> Iterator[Giver]:
        rented = planned.pool.spec.is_rented
        occupancy = occupancy_of(planned.live_runs)
        closed = {unit for run in occupancy.waiting for unit in units(run.placement, rented)}
        ending = {run_id for place in places for run_id in place.after_runs}
        for run in occupancy.others:
            asked_ms = run.stop_requested_at_ms if run.state is RunState.STOPPING else None
            is_ending = asked_ms is not None and self._snapshot.now_ms <= asked_ms + run.grace_period_ms
            if is_ending and run.id not in ending and not closed & units(run.placement, rented):
                yield giver_of_run(run, None, planned, queue=self._queues.get(run.id), worth=0, size=0)
        for each in self._running.get(planned.pool.id, ()):
            if not closed & units(each.run.placement, rented):
                way = each.job.spec.alternatives[each.run.placement.alternative_index]
                worth = self._worth[each.job.spec.priority_class]
                yield giver_of_run(
                    each.run,
                    each,
                    planned,
                    queue=each.job.spec.queue,
                    worth=worth,
                    size=way.gang_speed_permille,
                )
        for place in places:
            job = self._jobs.get(place.replica_id)
            if job is not None and not place.after_runs:
                way = job.spec.alternatives[place.placement.alternative_index]
                yield Giver(
                    worth=self._worth[job.spec.priority_class],
                    since=-(1 << 62),
                    size=way.gang_speed_permille,
                    uses=uses_of(place.placement, planned),
                    accelerators=place.placement.accelerators,
                    name="",
                    is_ending=False,
                    run=None,
                    is_asked_for=True,
                    gives=tuple(sorted(used_by([(job.spec.queue, place.placement)]).items())),
                )


class QuotasLeft:
    """What a plan leaves of quotas, for one gang more and without those who would make room for it."""

    def __init__(self, snapshot: Snapshot, plan: Plan) -> None:
        self._snapshot = snapshot
        self._used = used_after(snapshot, plan) if snapshot.queues else Counter()
        self._known: dict[object, bool] = {}

    def allow(self, queue: QueueName, way: Alternative, pool: PoolSpec, asked: list[Giver]) -> bool:
        if not self._snapshot.queues:
            return True
        more = {
            (queue, Resource(pool.accelerator)): way.accelerators,
            (queue, COST): cost_units(charged_usd_micros_per_hour(way, pool)),
        }
        given = Counter[tuple[QueueName, Resource]]()
        for giver in asked:
            given.update(dict(giver.gives))
        key = (tuple(more.items()), tuple(sorted(given.items())))
        if key not in self._known:
            self._known[key] = self._is_within(more, given)
        return self._known[key]

    def _is_within(self, more: Used, given: Used) -> bool:
        used = self._used.copy()
        used.subtract(given)
        before = excesses(self._snapshot, used)
        used.update(more)
        return all(much <= before.get(who, 0) for who, much in excesses(self._snapshot, used).items())


def count_pool(stops: Iterable[tuple[PoolId, QueueName]], pool_id: PoolId) -> int:
    return sum(pool == pool_id for pool, _ in stops)


def count_queue(stops: Iterable[tuple[PoolId, QueueName]], queue: QueueName) -> int:
    return sum(each == queue for _, each in stops)


def sizes_of(planned: PlannedPool) -> list[int]:
    """Devices by node; a slice is a node with one; nothing where a node is not available, or cordoned."""
    spec = planned.pool.spec
    sizes = [1 for _ in spec.slices()] or list(spec.node_devices())
    down = {*planned.pool.status.unavailable_nodes, *(each.node for each in planned.pool.node_cordons)}
    return [0 if node in down else size for node, size in enumerate(sizes)]


def uses_of(placement: Placement, planned: PlannedPool) -> tuple[tuple[int, int], ...]:
    spec = planned.pool.spec
    if spec.slice_groups:
        there = sum(group.slices for group in spec.slice_groups)
        return tuple((share.node, 1) for share in placement.nodes if share.node < there)
    there = sum(group.nodes for group in spec.node_groups)
    chain = chain_of(spec.node_devices())
    block = block_of(placement.devices_per_task, chain) or placement.devices_per_task
    return tuple((share.node, block * share.tasks) for share in placement.nodes if share.node < there)


def giver_of_run(
    run: Run,
    running: RunningReplica | None,
    planned: PlannedPool,
    *,
    queue: QueueName | None,
    worth: int,
    size: int,
) -> Giver:
    return Giver(
        worth=worth,
        since=-(1 << 62) if run.running_at_ms is None else -run.running_at_ms,
        size=size,
        uses=uses_of(run.placement, planned),
        accelerators=run.placement.accelerators,
        name=run.id,
        is_ending=running is None,
        run=running,
        is_asked_for=run.state in (RunState.PLACED, RunState.STARTING),
        gives=() if queue is None else tuple(sorted(given_back_by(queue, run.placement).items())),
    )


def asked_to_leave(left: Left, way: Alternative, worth: int) -> list[Giver] | None:
    """Givers in order until the gang fits, less those without whom it fits too, the last asked first."""
    tally = Tally(left, way)
    asked: list[Giver] = []
    for giver in left.givers:
        if tally.fits() or giver.worth >= worth:
            break
        tally.goes(giver)
        asked.append(giver)
    if not tally.fits():
        return None
    needed = []
    for giver in reversed(asked):
        tally.goes(giver, times=-1)
        if not tally.fits():
            tally.goes(giver)
            needed.append(giver)
    return needed[::-1]


class Tally:
    """Whether a gang has room on what a plan leaves, when some are gone and what is awaited has ended."""

    def __init__(self, left: Left, way: Alternative) -> None:
        self._spec, self._way, self._free = left.planned.pool.spec, way, left.free.copy()
        self._topologies = [group.topology for group in self._spec.slices()]
        self._block = block_of(way.devices_per_task, chain_of(self._spec.node_devices()))
        self._tasks = sum(self._tasks_on(node) for node in range(len(self._free)))
        self._stay = accelerators(left.held.stay)
        self._waiting = accelerators(left.held.waiting) + way.accelerators
        self._awaited = accelerators(left.held.awaited)
        self._asked_for, self._believed = left.held.asked_for, left.believed

    def _tasks_on(self, node: int) -> int:
        """Of a slice, all tasks of the gang or none."""
        if self._topologies:
            is_free = self._free[node] > 0 and self._topologies[node] == self._way.slice_topology
            return self._way.tasks if is_free else 0
        if self._block is None or self._way.slice_topology is not None:
            return 0
        return max(0, self._free[node]) // self._block

    def goes(self, giver: Giver, *, times: int = 1) -> None:
        for node, amount in giver.uses:
            self._tasks -= self._tasks_on(node)
            self._free[node] += times * amount
            self._tasks += self._tasks_on(node)
        self._stay -= times * giver.accelerators
        if giver.is_asked_for:
            self._asked_for -= times * giver.accelerators
        if giver.name:
            self._awaited += times * giver.accelerators

    def fits(self) -> bool:
        limit = self._spec.limit_accelerators
        if limit is not None:
            beyond = max(0, self._waiting - self._awaited)
            if self._stay + self._waiting > limit or self._asked_for + beyond > self._believed:
                return False
        if self._spec.is_sliced_on_demand:
            return self._way.slice_topology is not None
        return self._tasks >= self._way.tasks
