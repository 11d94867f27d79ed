"""Candidates: what each pool says to each bundle, and the columns worth having."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from scheduler.model.brakes import FreezeScope
from scheduler.model.deferral import PoolVerdict
from scheduler.model.ids import AcceleratorName, QueueName
from scheduler.model.job import Alternative, Constraints
from scheduler.model.plan import PlannedPool, Snapshot
from scheduler.planning.bundles import Bundle
from scheduler.planning.eligibility import is_allowed
from scheduler.planning.quotas import Quotas
from scheduler.planning.room import RENTED, Demand, Room, demand_of, empty_room_of
from scheduler.planning.worth import (
    cost_usd_micros_per_useful_hour,
    shadow_prices_of,
    term_usd_micros_per_hour,
)


class Candidate(NamedTuple):
    """A way to place one replica of a bundle that its pool could hold when empty, worth its price."""

    bundle: int
    pool: int
    alternative: int
    term: int
    accelerators: int
    demand: Demand


class Survey(NamedTuple):
    """What the pools say to the bundles before anything new is placed.

    Attributes:
        candidates: by bundle, pool and alternative; of bundles that do not back off.
        verdicts: per bundle, pools by verdict; OUTBID where there is room.
        holders: per bundle, the open pools that could hold one replica when empty.
        cheapest: per bundle, least marginal micro-dollars per useful hour over the holders.
    """

    candidates: tuple[Candidate, ...]
    verdicts: tuple[Mapping[PoolVerdict, int], ...]
    holders: tuple[tuple[int, ...], ...]
    cheapest: tuple[int | None, ...]


class Fit(NamedTuple):
    """How one gang stands to one pool.

    Attributes:
        demand: None when the pool could not hold it even when empty.
        verdict: OUTBID when there is room now.
    """

    demand: Demand | None
    verdict: PoolVerdict


class Surveyor:
    """Asks pools about ways, and remembers what they said."""

    def __init__(self, snapshot: Snapshot, rooms: Sequence[Room], quotas: Quotas) -> None:
        self._quotas, self._available = quotas, quotas.trees.available().tolist()
        self.pools = [planned.pool for planned in snapshot.pools]
        self.rooms = rooms
        frozen = (each for each in snapshot.freezes if each.scope is FreezeScope.POOL)
        self.frozen_pools = {freeze.target for freeze in frozen}
        shadow_prices = shadow_prices_of(snapshot.guidance)
        self.shadow_prices = [shadow_prices.get(pool.id, 0) for pool in self.pools]
        self.prices = [pool.spec.marginal_usd_micros_per_accelerator_hour for pool in self.pools]
        self.pools_by_accelerator = pools_by_accelerator(snapshot.pools)
        self._empty_rooms = [empty_room_of(pool) for pool in self.pools]
        self._fits: dict[tuple[int, int, int, str | None], Fit] = {}
        self.is_allowed = cache(self._is_allowed)

    def _is_allowed(self, constraints: Constraints, pool: int) -> bool:
        return is_allowed(constraints, self.pools[pool])

    def is_within_quotas(self, queue: QueueName, pool: int, accelerators: int) -> bool:
        """Whether the quotas have room for so many accelerators of the pool."""
        if not self._quotas.leaves:
            return True
        spec = self.pools[pool].spec
        charged = accelerators * spec.price_usd_micros_per_accelerator_hour
        uses = self._quotas.uses(queue, spec.accelerator, accelerators=accelerators, charged=charged)
        return all(amount <= self._available[node] for node, amount in uses)

    def fit(self, pool: int, way: Alternative) -> Fit:
        key = (pool, way.tasks, way.devices_per_task, way.slice_topology)
        found = self._fits.get(key)
        if found is None:
            found = self._fits[key] = self._fit(pool, way)
        return found

    def _fit(self, pool: int, way: Alternative) -> Fit:
        empty, room = self._empty_rooms[pool], self.rooms[pool]
        demand = demand_of(way, self.pools[pool].spec, empty.chain)
        if demand is None or not empty.holds(demand):
            return Fit(None, PoolVerdict.TOO_BIG)
        if not room.holds(tuple(item for item in demand if item[0] != RENTED)):
            return Fit(demand, PoolVerdict.FULL)
        if room.limit_left is not None and room.limit_left < way.accelerators:
            return Fit(demand, PoolVerdict.FULL)
        if room.believed_left is not None and room.believed_left < way.accelerators:
            return Fit(demand, PoolVerdict.AVAILABILITY_DOUBTED)
        return Fit(demand, PoolVerdict.OUTBID)


def pools_by_accelerator(pools: Sequence[PlannedPool]) -> dict[AcceleratorName, list[int]]:
    found: dict[AcceleratorName, list[int]] = {}
    for number, planned in enumerate(pools):
        found.setdefault(planned.pool.spec.accelerator, []).append(number)
    return found


def survey_of(snapshot: Snapshot, bundles: Sequence[Bundle], rooms: Sequence[Room], quotas: Quotas) -> Survey:
    surveyor = Surveyor(snapshot, rooms, quotas)
    candidates: list[Candidate] = []
    surveys = [survey_bundle(surveyor, number, bundle) for number, bundle in enumerate(bundles)]
    for bundle, survey in zip(bundles, surveys, strict=True):
        if bundle.may_be_placed:
            candidates.extend(survey.candidates)
    return Survey(
        candidates=tuple(candidates),
        verdicts=tuple(survey.verdicts for survey in surveys),
        holders=tuple(survey.holders for survey in surveys),
        cheapest=tuple(survey.cheapest for survey in surveys),
    )


class BundleSurvey(NamedTuple):
    """`Survey` of one bundle."""

    candidates: list[Candidate]
    verdicts: Mapping[PoolVerdict, int]
    holders: tuple[int, ...]
    cheapest: int | None


def survey_bundle(surveyor: Surveyor, number: int, bundle: Bundle) -> BundleSurvey:
    ways: dict[AcceleratorName, list[tuple[int, Alternative]]] = {}
    for index, way in enumerate(bundle.spec.alternatives):
        ways.setdefault(way.accelerator, []).append((index, way))
    pools = sorted(pool for name in ways for pool in surveyor.pools_by_accelerator.get(name, ()))
    verdicts = Counter({PoolVerdict.OTHER_ACCELERATOR: len(surveyor.pools) - len(pools)})
    candidates: list[Candidate] = []
    holders: list[int] = []
    costs: list[int] = []
    for pool in pools:
        fitting = fitting_ways(surveyor, pool, ways[surveyor.pools[pool].spec.accelerator])
        verdict = verdict_before_price(surveyor, bundle, pool, has_fit=bool(fitting))
        if verdict is None:
            found = candidates_in(surveyor, number, bundle, pool=pool, fitting=fitting)
            candidates.extend(found)
            holders.append(pool)
            spec = surveyor.pools[pool].spec
            costs.extend(cost_usd_micros_per_useful_hour(way, spec) for _, way, _ in fitting)
            verdict = verdict_of(surveyor, bundle, found)
        verdicts[verdict] += 1
    return BundleSurvey(candidates, verdicts, tuple(holders), min(costs, default=None))


Fitting = list[tuple[int, Alternative, Demand]]


def fitting_ways(surveyor: Surveyor, pool: int, ways: list[tuple[int, Alternative]]) -> Fitting:
    """The ways that the pool could hold when empty."""
    fits = ((index, way, surveyor.fit(pool, way).demand) for index, way in ways)
    return [(index, way, demand) for index, way, demand in fits if demand is not None]


def verdict_before_price(
    surveyor: Surveyor, bundle: Bundle, pool: int, *, has_fit: bool
) -> PoolVerdict | None:
    """Why price and room do not matter, or None if they do."""
    if not bundle.allows(surveyor.pools[pool].id):
        return PoolVerdict.PINNED_ELSEWHERE
    if not surveyor.is_allowed(bundle.spec.constraints, pool):
        return PoolVerdict.EXCLUDED_BY_CONSTRAINTS
    if not has_fit:
        return PoolVerdict.TOO_BIG
    if surveyor.pools[pool].cordon is not None or surveyor.pools[pool].deleting:
        return PoolVerdict.CORDONED
    if surveyor.pools[pool].id in surveyor.frozen_pools:
        return PoolVerdict.FROZEN
    return None if surveyor.pools[pool].status.ready else PoolVerdict.NO_LAUNCHER


def candidates_in(
    surveyor: Surveyor, number: int, bundle: Bundle, *, pool: int, fitting: Fitting
) -> list[Candidate]:
    """The ways that are worth the pool's price."""
    price, shadow_price = surveyor.prices[pool], surveyor.shadow_prices[pool]
    found = []
    for index, way, demand in fitting:
        term = term_usd_micros_per_hour(bundle.work, way, price=price, shadow_price=shadow_price)
        if term > 0:
            found.append(Candidate(number, pool, index, term, way.accelerators, demand))
    return found


def verdict_of(surveyor: Surveyor, bundle: Bundle, found: list[Candidate]) -> PoolVerdict:
    """What an open pool says: the best that any worthwhile way meets; OUTBID where there is room."""
    if not found:
        return PoolVerdict.NOT_WORTH_THE_PRICE
    ways, queue = bundle.spec.alternatives, bundle.spec.queue
    within = [each for each in found if surveyor.is_within_quotas(queue, each.pool, each.accelerators)]
    if not within:
        return PoolVerdict.OVER_QUOTA
    met = {surveyor.fit(each.pool, ways[each.alternative]).verdict for each in within}
    order = (PoolVerdict.OUTBID, PoolVerdict.AVAILABILITY_DOUBTED, PoolVerdict.FULL)
    return next(verdict for verdict in order if verdict in met)
