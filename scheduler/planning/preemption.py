"""The repair between priority classes: no worthier replica waits for what lower classes hold.

A plan may come from any search, at any work limit: this is done to each (docs/decisions/preemption.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from scheduler.model.ids import RunId
from scheduler.model.limits import GUARANTEE_FACTOR
from scheduler.model.occupancy import occupancy_of
from scheduler.model.plan import RunningReplica
from scheduler.model.run import NodeShare
from scheduler.planning.bonds import Bonds, Load, Unit
from scheduler.planning.candidates import Candidate
from scheduler.planning.greedy import filled, floor_orders
from scheduler.planning.nodes import assigned, gang_of
from scheduler.planning.pool_accounts import Account, account_of, add
from scheduler.planning.problem import Left, Problem, candidates_by_pool, row_numbers, way_of
from scheduler.planning.quotas import QuotaTrees
from scheduler.planning.room import RENTED, RowName
from scheduler.planning.victims import (
    NOT_BEGUN_MS,
    Fate,
    Uses,
    Victim,
    Wish,
    allowance_of,
    is_ending,
    size_of,
    stoppable,
    victim_of,
    worth_of,
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for some replica of a bundle.

    Attributes:
        candidate: number among the problem's candidates.
        after_runs: the runs that it waits for.
        step: what is carried out together has the same; None: alone.
    """

    candidate: int
    nodes: tuple[NodeShare, ...]
    after_runs: tuple[RunId, ...] = ()
    step: Unit | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """A run that is stopped, and the number of the slot for which it is."""

    running: RunningReplica
    slot: int
    step: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What the repair gave.

    Attributes:
        left: by bundle, replicas without a place; the first of the others have one.
        free: by pool that was looked at, free accelerators.
        quotas: what is left of quotas and shares.
        held_back: bundles for which the disruption budget allowed no more stops.
    """

    slots: tuple[Slot, ...]
    stops: tuple[Stopped, ...]
    left: tuple[int, ...]
    free: dict[int, int]
    quotas: QuotaTrees
    held_back: frozenset[int]


class Move(NamedTuple):
    """A way to place one replica: who makes room, at which loss, and where."""

    loss: int
    less_term: int
    candidate: int
    victims: tuple[Victim, ...]


def repaired(problem: Problem, slots: Sequence[Slot]) -> Repaired:
    """The slots, with worthier replicas in the place of less worthy ones, and what is then free filled."""
    repair = Repair(problem, slots)
    while repair.is_called_for() and repair.replace_lower():
        repair.fill()
    return repair.outcome()


class Repair:
    """One plan while it is repaired."""

    def __init__(self, problem: Problem, slots: Sequence[Slot]) -> None:
        self._problem, self._now_ms = problem, problem.snapshot.now_ms
        self._candidates = problem.survey.candidates
        self._slots: dict[int, Slot] = dict(enumerate(slots))
        self._last_number = len(slots) - 1
        self._left = problem.left.replicas.tolist()
        for slot in slots:
            self._left[self._candidates[slot.candidate].bundle] -= 1
        self._stoppable = stoppable(problem.snapshot)
        self._running = {each.run.id: each for runs in self._stoppable.values() for each in runs}
        self._known_runs = {each.run.id: each for each in problem.snapshot.running}
        self._allowance = allowance_of(problem.snapshot)
        self._ledger = problem.ledger()
        for slot in slots:
            self._ledger.take(problem.uses(slot.candidate))
        self._accounts: dict[int, Account] = {}
        self._bonds = Bonds()
        self._stops: list[tuple[RunningReplica, int, int, Uses]] = []
        self._waiting: dict[int, Uses] = {}
        self._known: dict[tuple[int, Wish], tuple[int, tuple[Victim, ...] | None]] = {}
        self._held_back: set[int] = set()

    # --- whether ---

    def is_called_for(self) -> bool:
        """Whether anything that waits is worth more than anything that could make room."""
        return any(True for _ in self._worthier())

    def _worthier(self) -> Iterator[int]:
        """Bundles with replicas that wait, and that something of less worth could make room for."""
        least = self._least_worth()
        for number, bundle in enumerate(self._problem.bundles):
            if self._left[number] and least is not None and bundle.work.worth > least:
                yield number

    def _least_worth(self) -> int | None:
        """Of what could make room."""
        snapshot, bundles = self._problem.snapshot, self._problem.bundles
        placed = {self._candidates[slot.candidate].bundle for slot in self._slots.values()}
        worths = {bundles[number].work.worth for number in placed}
        worths.update(worth_of(each, snapshot) for each in self._running.values())
        return min(worths, default=None)

    # --- worthier replicas ---

    def replace_lower(self) -> bool:
        """Place what a lower class can make room for, worthiest class first; whether anything was placed."""
        before = self._last_number
        for number in list(self._worthier()):
            while self._left[number] and self._place_one(number):
                pass
        return self._last_number > before

    def _place_one(self, number: int) -> bool:
        """Where the least is lost, of where it is allowed."""
        self._held_back.discard(number)
        for move in filter(self._is_within_quotas, sorted(self._moves(number))):
            stops = [self._running[v.run_id] for v in move.victims if v.fate is Fate.STOPPED]
            if not self._allowance.allows(stops):
                self._held_back.add(number)
            elif self._make(move, stops):
                self._held_back.discard(number)
                return True
        return False

    def _moves(self, number: int) -> Iterator[Move]:
        bundles = self._problem.candidates.bundle
        first, last = np.searchsorted(bundles, (number, number + 1)).tolist()
        for index in range(first, last):
            victims = self._victims(self._candidates[index])
            if victims is not None:
                loss = sum(victim.loss(self._now_ms) for victim in victims)
                yield Move(loss, -self._candidates[index].term, index, victims)

    def _is_within_quotas(self, move: Move) -> bool:
        """Whether there is quota for it when its victims have given back theirs.

        What takes nothing from anybody must be worth its toll too; between classes worth decides.
        """
        given, uses = list(map(self._given_back_by, move.victims)), self._problem.uses(move.candidate)
        for each in given:
            self._ledger.give_back(each)
        takes_something = any(victim.removed for victim in move.victims)
        is_within = self._ledger.holds(uses) and (
            takes_something or self._ledger.toll(uses) < -move.less_term
        )
        for each in given:
            self._ledger.take(each)
        return is_within

    def _given_back_by(self, victim: Victim) -> Uses:
        if victim.fate is Fate.UNPLACED:
            return self._problem.uses(self._slots[victim.number].candidate)
        each = self._known_runs.get(victim.run_id)
        if each is None:
            return ()
        return self._problem.quotas.given_back(each.job.spec.queue, each.run.placement)

    def _victims(self, candidate: Candidate) -> tuple[Victim, ...] | None:
        """As the account says, if the guarantee asks for so much; remembered until the account changes."""
        bundle, account = self._problem.bundles[candidate.bundle], self._account(candidate.pool)
        wish = Wish(candidate.demand, candidate.accelerators, bundle.work.worth)
        key = (candidate.pool, wish)
        known = self._known.get(key)
        if known is None or known[0] != account.version:
            victims = account.victims_for(wish)
            known = self._known[key] = account.version, None if victims is None else tuple(victims)
        if known[1] is None:
            return None
        size = bundle.spec.alternatives[candidate.alternative].gang_speed_permille
        removed = sum(victim.removed for victim in known[1])
        return known[1] if removed <= GUARANTEE_FACTOR * size else None

    def _make(self, move: Move, stops: Sequence[RunningReplica]) -> bool:
        """Carry the move out, unless one step could not hold it."""
        pool = self._candidates[move.candidate].pool
        account, slot = self._account(pool), Slot(move.candidate, self._nodes_after(move))
        uses = account.uses_of_nodes(slot.nodes, way_of(self._problem, move.candidate).devices_per_task)
        stopped = [victim.uses for victim in move.victims if victim.fate is Fate.STOPPED]
        units = [(pool, unit) for each in (uses, *stopped) for unit in account.units(each)]
        load = Load(places=1, stops=len(stops))
        if not (self._bonds.load_on(units) + load).fits_a_step:
            return False
        number = self._number()
        if stops or self._bonds.roots(units):
            self._bonds.join(units, load)
        for each, of_each in zip(stops, stopped, strict=True):
            self._allowance.spend(each)
            self._stops.append((each, number, pool, of_each))
            del self._running[each.run.id]
        for victim in move.victims:
            self._make_room(account, victim)
        self._place(number, slot, uses)
        return True

    def _nodes_after(self, move: Move) -> tuple[NodeShare, ...]:
        """Where the gang goes when its victims have made room."""
        account = self._account(self._candidates[move.candidate].pool)
        free = account.room_to_wait()
        for victim in move.victims:
            add(free, victim.uses, 1)
        room = account.as_room(free)
        return assigned(room, [gang_of(way_of(self._problem, move.candidate), room)])[0]

    def _make_room(self, account: Account, victim: Victim) -> None:
        account.make_room(victim)
        self._ledger.give_back(self._given_back_by(victim))
        if victim.fate is Fate.UNPLACED:
            slot = self._slots.pop(victim.number)
            self._left[self._candidates[slot.candidate].bundle] += 1

    def _place(self, number: int, slot: Slot, uses: Uses) -> None:
        candidate = self._candidates[slot.candidate]
        account = self._account(candidate.pool)
        self._ledger.take(self._problem.uses(slot.candidate))
        self._slots[number] = slot
        self._left[candidate.bundle] -= 1
        if any(account.awaited_runs.get(unit) for unit in account.units(uses)):
            self._waiting[number] = uses
            account.place_to_wait(uses, candidate.accelerators)
        else:
            account.place_now(self._as_victim(number, slot))

    # --- what is left ---

    def fill(self) -> None:
        """Place what fits what is free now and is worth its toll, worthiest class first."""
        problem, trees = self._problem, self._ledger.trees()
        rooms = [self._account(pool).room_now() for pool in range(len(problem.pools))]
        free = [self._free(pool, row, rooms[pool]) for pool, row in row_numbers(self._candidates)]
        left = Left(
            free=np.array([*free, *trees.available().tolist(), np.iinfo(np.int64).max], dtype=np.int64),
            replicas=np.array(self._left, dtype=np.int64),
            quotas=trees,
        )
        taken = filled(problem.columns, floor_orders(problem)[1], left=left)
        for pool, indices in candidates_by_pool(problem, taken):
            room = self._account(pool).as_room(rooms[pool])
            gangs = [gang_of(way_of(problem, index), room) for index in indices]
            for index, nodes in zip(indices, assigned(room, gangs), strict=True):
                number = self._number()
                self._slots[number] = slot = Slot(index, nodes)
                self._ledger.take(problem.uses(index))
                self._left[self._candidates[index].bundle] -= 1
                self._account(pool).place_now(self._as_victim(number, slot))

    def _free(self, pool: int, row: RowName, nodes: Sequence[int]) -> int:
        account = self._account(pool)
        rented = account.rented()
        if row == RENTED:
            assert rented is not None, pool
            return rented.left()
        return account.count(row, nodes)

    # --- accounts ---

    def _account(self, pool: int) -> Account:
        account = self._accounts.get(pool)
        if account is None:
            account = self._accounts[pool] = self._opened(pool)
        return account

    def _opened(self, pool: int) -> Account:
        planned = self._problem.pools[pool]
        account = account_of(planned, now_ms=self._now_ms)
        of_plan = [number for number, slot in self._slots.items() if self._pool(slot) == pool]
        for number in of_plan:
            account.place_now(self._as_victim(number, self._slots[number], account))
        ending = [
            victim_of(run, account.uses_of(run), worth=0, size=0, fate=Fate.ENDING)
            for run in occupancy_of(planned.live_runs).others
            if is_ending(run, self._now_ms)
        ]
        running = [
            victim_of(
                each.run,
                account.uses_of(each.run),
                worth=worth_of(each, self._problem.snapshot),
                size=size_of(each),
                fate=Fate.STOPPED,
            )
            for each in self._stoppable.get(planned.pool.id, ())
        ]
        open_ = [victim for victim in (*ending, *running) if not account.is_closed(victim.uses)]
        account.victims = sorted([*account.victims, *open_])
        return account

    def _pool(self, slot: Slot) -> int:
        return self._candidates[slot.candidate].pool

    def _as_victim(self, number: int, slot: Slot, account: Account | None = None) -> Victim:
        candidate, way = self._candidates[slot.candidate], way_of(self._problem, slot.candidate)
        account = account or self._account(candidate.pool)
        return Victim(
            worth=self._problem.bundles[candidate.bundle].work.worth,
            idle_order=-NOT_BEGUN_MS,
            size=way.gang_speed_permille,
            uses=account.uses_of_nodes(slot.nodes, way.devices_per_task),
            accelerators=candidate.accelerators,
            run_id=RunId(""),
            number=number,
            fate=Fate.UNPLACED,
            is_asked_for=True,
        )

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    # --- the outcome ---

    def outcome(self) -> Repaired:
        numbers = {number: position for position, number in enumerate(self._slots)}
        return Repaired(
            slots=tuple(self._with_waits(number, slot) for number, slot in self._slots.items()),
            stops=tuple(
                Stopped(each, numbers[number], self._step_of(pool, uses))
                for each, number, pool, uses in self._stops
            ),
            left=tuple(self._left),
            free={
                pool: account.as_room(account.room_now()).accelerators
                for pool, account in self._accounts.items()
            },
            quotas=self._ledger.trees(),
            held_back=frozenset(number for number in self._held_back if self._left[number]),
        )

    def _with_waits(self, number: int, slot: Slot) -> Slot:
        uses = self._waiting.get(number)
        if uses is None:
            return slot
        pool, account = self._pool(slot), self._account(self._pool(slot))
        awaited = {run_id for unit in account.units(uses) for run_id in account.awaited_runs.get(unit, ())}
        roots = self._bonds.roots((pool, unit) for unit in account.units(uses))
        return replace(slot, after_runs=tuple(sorted(awaited)), step=next(iter(roots), None))

    def _step_of(self, pool: int, uses: Uses) -> Unit:
        step = self._bonds.root((pool, self._account(pool).units(uses)[0]))
        assert step is not None, (pool, uses)
        return step
