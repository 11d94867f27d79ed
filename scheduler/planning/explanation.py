"""Explanation: why one replica waits, pool by pool, and changes that admit it, found by replanning."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from scheduler.model.deferral import Deferral, PoolVerdict
from scheduler.model.explanation import Change, PoolAnswer, TermParts, WhyWaiting
from scheduler.model.ids import PoolId, ReplicaId
from scheduler.model.job import Alternative
from scheduler.model.plan import Plan, Snapshot, WaitingReplica
from scheduler.planning.admitting_changes import Changed, Growth, growths, single_changes
from scheduler.planning.bundles import Bundle, bundle_of
from scheduler.planning.candidates import (
    Surveyor,
    candidates_in,
    fitting_ways,
    verdict_before_price,
    verdict_of,
)
from scheduler.planning.quotas import quotas_of
from scheduler.planning.room import room_of
from scheduler.planning.worth import Work, cost_usd_micros_per_useful_hour, term_usd_micros_per_hour

REPLANS_MAX = 40  # for one question
DOUBLINGS_MAX = 4

Replan = Callable[[Snapshot], Plan]


def why_waiting(snapshot: Snapshot, replica_id: ReplicaId, replan: Replan) -> WhyWaiting:
    """All there is to say; `replan` gives a verified plan."""
    waiting = next(each for each in snapshot.waiting if each.replica.id == replica_id)
    plan = replan(snapshot)
    pools = pool_answers(snapshot, waiting, plan)
    deferral = dict(plan.deferrals).get(replica_id)
    placements = {place.replica_id: place.placement for place in plan.places}
    search = Search(snapshot, waiting, replan)
    changes = () if deferral is None else tuple(search.admitting(pools, deferral))
    return WhyWaiting(
        revision=snapshot.revision,
        replica_id=replica_id,
        job_id=waiting.job.id,
        deferral=deferral,
        placement=placements.get(replica_id),
        worth_usd_micros_per_useful_hour=bundle_of([waiting], snapshot).work.worth,
        pools=pools,
        changes=changes,
        changes_tried=search.replans,
    )


class Search:
    """Looks for changes of one snapshot that admit one replica.

    Attributes:
        replans: plans made so far; at most `REPLANS_MAX`.
    """

    def __init__(self, snapshot: Snapshot, waiting: WaitingReplica, replan: Replan) -> None:
        self._snapshot, self._waiting, self._replan = snapshot, waiting, replan
        self.replans = 0

    def admitting(self, pools: Sequence[PoolAnswer], deferral: Deferral) -> Iterator[Change]:
        """Each has been made alone and replanned, and the replica was placed."""
        for changed in single_changes(self._snapshot, self._waiting, pools):
            if self._admits(changed):
                yield changed.change
        for growth in growths(self._snapshot, self._waiting, pools, deferral):
            found = self._least(growth)
            if found is not None:
                yield found

    def _admits(self, changed: Changed) -> bool:
        if self.replans == REPLANS_MAX:
            return False
        self.replans += 1
        plan = self._replan(changed.snapshot)
        return any(place.replica_id == self._waiting.replica.id for place in plan.places)

    def _least(self, growth: Growth) -> Change | None:
        """The least amount that admits, by doubling and then halving the step; None if none of them does."""
        fails, units = 0, growth.least
        for _ in range(DOUBLINGS_MAX):
            if self._admits(growth.grown(self._snapshot, self._waiting, units)):
                break
            fails, units = units, 2 * units
        else:
            return None
        while units - fails > 1:
            middle = (fails + units) // 2
            if self._admits(growth.grown(self._snapshot, self._waiting, middle)):
                units = middle
            else:
                fails = middle
        return growth.grown(self._snapshot, self._waiting, units).change


def pool_answers(snapshot: Snapshot, waiting: WaitingReplica, plan: Plan) -> tuple[PoolAnswer, ...]:
    """What each pool says, by id."""
    rooms = tuple(room_of(each.pool, each.live_runs, now_ms=snapshot.now_ms) for each in snapshot.pools)
    queues, cohorts = ([each.queue for each in snapshot.queues], [each.cohort for each in snapshot.cohorts])
    surveyor = Surveyor(snapshot, rooms, quotas_of(queues, cohorts, snapshot.usage))
    bundle = bundle_of([waiting], snapshot)
    taken = Counter[PoolId]()
    for place in plan.places:
        taken[place.placement.pool_id] += place.placement.accelerators
    return tuple(
        pool_answer(surveyor, bundle, number, taken=taken[each.pool.id])
        for number, each in enumerate(snapshot.pools)
    )


def pool_answer(surveyor: Surveyor, bundle: Bundle, number: int, *, taken: int) -> PoolAnswer:
    pool = surveyor.pools[number]
    of_model = [
        (index, way)
        for index, way in enumerate(bundle.spec.alternatives)
        if way.accelerator == pool.spec.accelerator
    ]
    fitting = fitting_ways(surveyor, number, of_model)
    ways: list[Alternative] = [way for _, way, _ in fitting]
    if not of_model:
        verdict = PoolVerdict.OTHER_ACCELERATOR
    else:
        found = verdict_before_price(surveyor, bundle, number, has_fit=bool(fitting))
        verdict = found or verdict_of(
            surveyor, bundle, candidates_in(surveyor, 0, bundle, pool=number, fitting=fitting)
        )
    return PoolAnswer(
        pool_id=pool.id,
        verdict=verdict,
        accelerators_needed=min(way.accelerators for way in ways or bundle.spec.alternatives),
        accelerators_free=max(0, surveyor.rooms[number].accelerators - taken),
        cost_usd_micros_per_useful_hour=min(
            (cost_usd_micros_per_useful_hour(way, pool.spec) for way in ways), default=None
        ),
    )


def term_parts(work: Work, way: Alternative, *, price: int, shadow_price: int) -> TermParts:
    """The parts of `worth.term_usd_micros_per_hour`; what is lost in rounding is in the part of the work."""
    term = term_usd_micros_per_hour(work, way, price=price, shadow_price=shadow_price)
    speed, fastest = way.gang_speed_permille, work.fastest_permille or way.gang_speed_permille
    slower = fastest - speed
    of_price = -(price * way.accelerators * fastest // speed)
    of_urgency = -(work.urgency * fastest * slower // (1_000 * speed))
    of_shadow = -(shadow_price * way.accelerators * slower // speed)
    return TermParts(
        work_usd_micros_per_hour=term - of_price - of_urgency - of_shadow,
        price_usd_micros_per_hour=of_price,
        urgency_usd_micros_per_hour=of_urgency,
        shadow_usd_micros_per_hour=of_shadow,
    )
