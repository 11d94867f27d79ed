"""Accounts: who holds what of a pool while a plan is repaired, node by node.

Three parts hold a node: what stays, what is placed and waits for runs to end, and the runs that it waits
for. The last two share their room (docs/decisions/preemption.md).
"""

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scheduler.model.ids import RunId
from scheduler.model.occupancy import ASKED_FOR, Occupancy, accelerators_of, occupancy_of
from scheduler.model.plan import PlannedPool
from scheduler.model.run import NodeShare, Run
from scheduler.planning.blocks import block_of
from scheduler.planning.room import Room, RowKind, RowName, empty_room_of
from scheduler.planning.victims import Fate, Uses, Victim, Wish

WHOLE_POOL = -1
"""The one unit of a rented pool: its limit is shared by all that is on it."""


@dataclass(slots=True)
class Rented:
    """What a rented pool's provider allows, in accelerators."""

    limit: int
    believed: int
    stay: int
    waiting: int
    awaited: int
    asked_for: int

    def left(self) -> int:
        """What may be asked for at once."""
        most, excess = max(self.waiting, self.awaited), max(0, self.waiting - self.awaited)
        return max(0, min(self.limit - self.stay - most, self.believed - self.asked_for - excess))

    def holds(self, accelerators: int) -> bool:
        """Whether so many may wait for all that is awaited."""
        waiting = self.waiting + accelerators
        excess = max(0, waiting - self.awaited)
        return self.stay + waiting <= self.limit and self.asked_for + excess <= self.believed

    def give_up(self, victim: Victim, sign: int) -> None:
        """A victim makes room, or with sign -1 takes it back."""
        self.stay -= sign * victim.accelerators
        if victim.is_asked_for:
            self.asked_for -= sign * victim.accelerators
        if victim.fate is not Fate.UNPLACED:
            self.awaited += sign * victim.accelerators


class Account:
    """One pool; changed as the plan is.

    Attributes:
        version: rises with each change.
        victims: in order.
        closed: units with placements of earlier plans that wait: nothing more is stopped on them.
        awaited_runs: by unit, the runs that a placement on it must wait for.
    """

    def __init__(self, planned: PlannedPool, *, unavailable: Iterable[int], believed: int) -> None:
        spec, occupancy = planned.pool.spec, occupancy_of(planned.live_runs)
        empty = empty_room_of(planned.pool)
        self.chain, self.is_rented, self.version = empty.chain, spec.is_rented, 0
        self._topologies = [group.topology for group in spec.slices()]
        self._slice_accelerators = empty.slice_accelerators
        self._sizes = [1] * len(self._topologies) if self._topologies else list(empty.nodes)
        for node in unavailable:
            self._sizes[node : node + 1] = [0] * len(self._sizes[node : node + 1])
        self._stay = self._counted(occupancy.others)
        self._waiting, self._awaited = self._counted(occupancy.waiting), self._counted(occupancy.awaited)
        self._rented = None
        if spec.limit_accelerators is not None:
            self._rented = rented_of(occupancy, limit=spec.limit_accelerators, believed=believed)
        self.victims: list[Victim] = []
        self._most: dict[int, tuple[int, list[int], Rented | None]] = {}
        self.closed = frozenset(unit for run in occupancy.waiting for unit in self.units(self.uses_of(run)))
        self.awaited_runs: dict[int, dict[RunId, None]] = {}
        for run in occupancy.awaited:
            self._note_awaited(run.id, self.uses_of(run))

    def _counted(self, runs: Iterable[Run]) -> list[int]:
        used = [0] * len(self._sizes)
        for run in runs:
            add(used, self.uses_of(run), 1)
        return used

    # --- what things use ---

    def uses_of(self, run: Run) -> Uses:
        return self.uses_of_nodes(run.placement.nodes, run.placement.devices_per_task)

    def uses_of_nodes(self, nodes: Sequence[NodeShare], devices_per_task: int) -> Uses:
        """Of nodes that the pool still has."""
        block = 1 if self._topologies else (block_of(devices_per_task, self.chain) or devices_per_task)
        return tuple(
            (share.node, 1 if self._topologies else block * share.tasks)
            for share in nodes
            if share.node < len(self._sizes)
        )

    def units(self, uses: Uses) -> tuple[int, ...]:
        """All that waits on a unit waits for the same runs of it: nodes, or a rented pool as a whole."""
        return (WHOLE_POOL,) if self.is_rented else tuple(node for node, _ in uses)

    def is_closed(self, uses: Uses) -> bool:
        return bool(self.closed) and not self.closed.isdisjoint(self.units(uses))

    # --- room ---

    def room_to_wait(self) -> list[int]:
        """By node, what a placement may take that waits for all that is awaited there."""
        nodes = zip(self._sizes, self._stay, self._waiting, strict=True)
        return [size - stay - waiting for size, stay, waiting in nodes]

    def room_now(self) -> list[int]:
        """By node, what a placement may take at once."""
        nodes = zip(self._sizes, self._stay, self._waiting, self._awaited, strict=True)
        return [size - stay - max(waiting, awaited) for size, stay, waiting, awaited in nodes]

    def as_room(self, nodes: Sequence[int]) -> Room:
        """With so much free on each node."""
        slices: dict[str, list[int]] = {topology: [] for topology in self._slice_accelerators}
        for number, topology in enumerate(self._topologies):
            if nodes[number] > 0:
                slices[topology].append(number)
        left = None if self._rented is None else self._rented.left()
        return Room(
            chain=self.chain,
            nodes=() if self._topologies else tuple(max(0, devices) for devices in nodes),
            slices={topology: tuple(numbers) for topology, numbers in slices.items()},
            slice_accelerators=self._slice_accelerators,
            limit_left=left,
            believed_left=left,
        )

    # --- victims ---

    def victims_for(self, wish: Wish) -> list[Victim] | None:
        """Who makes room for a gang: in order until it fits, less those that are not needed then.

        None: it does not fit even so.
        """
        if not Search(self, wish, *self._most_room(wish.worth)).fits():
            return None
        search = Search(self, wish, self.room_to_wait(), self._rented)
        taken: list[Victim] = []
        for victim in self.victims:
            if search.fits():
                break
            search.free(victim, 1)
            taken.append(victim)
        needed = []
        for victim in reversed(taken):
            search.free(victim, -1)
            if not search.fits():
                search.free(victim, 1)
                needed.append(victim)
        for victim in needed:
            search.free(victim, -1)
        return needed[::-1]

    def _most_room(self, worth: int) -> tuple[list[int], Rented | None]:
        """To wait in, if all of less worth made room; remembered until the account changes."""
        known = self._most.get(worth)
        if known is None or known[0] != self.version:
            nodes, rented = self.room_to_wait(), None if self._rented is None else replace(self._rented)
            for victim in self.victims:
                if victim.worth < worth:
                    add(nodes, victim.uses, 1)
                    if rented is not None:
                        rented.give_up(victim, 1)
            known = self._most[worth] = self.version, nodes, rented
        return known[1], known[2]

    def count(self, row: RowName, nodes: Sequence[int]) -> int:
        """Units of a row on nodes with so much free."""
        return sum(self.units_on(row, node, devices) for node, devices in enumerate(nodes))

    def units_on(self, row: RowName, node: int, devices: int) -> int:
        if devices <= 0:
            return 0
        if row.kind is RowKind.SLICES:
            return int(self._topologies[node] == row.topology)
        return devices // row.accelerators

    # --- changes ---

    def make_room(self, victim: Victim) -> None:
        """The victim is unplaced, or awaited from now on."""
        self.version += 1
        self.victims.remove(victim)
        add(self._stay, victim.uses, -1)
        if victim.fate is not Fate.UNPLACED:
            add(self._awaited, victim.uses, 1)
            self._note_awaited(victim.run_id, victim.uses)
        if self._rented is not None:
            self._rented.give_up(victim, 1)

    def place_now(self, victim: Victim) -> None:
        """A placement of this plan that waits for nothing, and may be a victim of a worthier one."""
        self.version += 1
        insort(self.victims, victim)
        add(self._stay, victim.uses, 1)
        if self._rented is not None:
            self._rented.stay += victim.accelerators
            self._rented.asked_for += victim.accelerators

    def place_to_wait(self, uses: Uses, accelerators: int) -> None:
        self.version += 1
        add(self._waiting, uses, 1)
        if self._rented is not None:
            self._rented.waiting += accelerators

    def _note_awaited(self, run_id: RunId, uses: Uses) -> None:
        for unit in self.units(uses):
            self.awaited_runs.setdefault(unit, {})[run_id] = None

    def rented(self) -> Rented | None:
        return self._rented


class Search:
    """One look for victims: rows as they would be. `nodes` and `rented` change with it."""

    def __init__(self, account: Account, wish: Wish, nodes: list[int], rented: Rented | None) -> None:
        self._account, self._accelerators, self._nodes, self._rented = (
            account,
            wish.accelerators,
            nodes,
            rented,
        )
        # of one gang alone, the row of its own block size binds
        rows = [(row, amount) for row, amount in wish.demand if row.kind is not RowKind.RENTED][-1:]
        self._rows = [row for row, _ in rows]
        self._missing = [amount - account.count(row, self._nodes) for row, amount in rows]

    def fits(self) -> bool:
        if any(missing > 0 for missing in self._missing):
            return False
        return self._rented is None or self._rented.holds(self._accelerators)

    def free(self, victim: Victim, sign: int) -> None:
        for node, amount in victim.uses:
            before = self._nodes[node]
            after = self._nodes[node] = before + sign * amount
            for number, row in enumerate(self._rows):
                on_node = self._account.units_on
                self._missing[number] -= on_node(row, node, after) - on_node(row, node, before)
        if self._rented is not None:
            self._rented.give_up(victim, sign)


def add(used: list[int], uses: Uses, sign: int) -> None:
    for node, amount in uses:
        used[node] += sign * amount


def rented_of(occupancy: Occupancy, *, limit: int, believed: int) -> Rented:
    asked_for = [run for run in (*occupancy.others, *occupancy.awaited) if run.state in ASKED_FOR]
    return Rented(
        limit=limit,
        believed=believed,
        stay=accelerators_of(occupancy.others),
        waiting=accelerators_of(occupancy.waiting),
        awaited=accelerators_of(occupancy.awaited),
        asked_for=accelerators_of(asked_for),
    )


def account_of(planned: PlannedPool, *, now_ms: int) -> Account:
    pool, believed = planned.pool, 0
    if pool.availability is not None and pool.spec.limit_accelerators is not None:
        believed = pool.availability.believed_free(now_ms=now_ms, limit=pool.spec.limit_accelerators)
    return Account(
        planned,
        unavailable=pool.cordoned_nodes.union(pool.status.unavailable_nodes),
        believed=believed,
    )
