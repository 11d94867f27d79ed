"""Room: what is free in a pool, with its shape, and what a gang takes of it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from scheduler.model.job import Alternative
from scheduler.model.occupancy import accelerators_asked_for, accelerators_of, occupancy_of
from scheduler.model.pool import Pool, PoolSpec
from scheduler.model.run import Run
from scheduler.planning.blocks import block_of, chain_of


class RowKind(IntEnum):
    BLOCKS = 0
    SLICES = 1
    RENTED = 2


class RowName(NamedTuple):
    """A capacity row of one pool.

    Attributes:
        accelerators: in one unit of the row: the block's size, the slice's, or 1.
    """

    kind: RowKind
    accelerators: int
    topology: str


RENTED = RowName(RowKind.RENTED, 1, "")
Demand = tuple[tuple[RowName, int], ...]
"""Units that one gang takes of each row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is free in a pool.

    Attributes:
        chain: the pool's block sizes.
        nodes: free devices by node number; 0 when unavailable or cordoned.
        slices: numbers of the free slices of each topology that the pool has, ascending.
        slice_accelerators: of one slice, by topology.
        limit_left, believed_left: accelerators that a rented pool may still take; None when not rented.
    """

    chain: tuple[int, ...]
    nodes: tuple[int, ...]
    slices: dict[str, tuple[int, ...]]
    slice_accelerators: dict[str, int]
    limit_left: int | None
    believed_left: int | None

    @property
    def rented_left(self) -> int | None:
        if self.limit_left is None or self.believed_left is None:
            return self.limit_left
        return min(self.limit_left, self.believed_left)

    @property
    def accelerators(self) -> int:
        """Free accelerators, whatever their shape."""
        held = sum(self.nodes) + sum(
            len(numbers) * self.slice_accelerators[topology] for topology, numbers in self.slices.items()
        )
        if self.rented_left is None:
            return held
        return min(held, self.rented_left) if self.nodes or self.slices else self.rented_left

    def free(self, row: RowName) -> int:
        """Free units of a row."""
        match row.kind:
            case RowKind.BLOCKS:
                return sum(devices // row.accelerators for devices in self.nodes)
            case RowKind.SLICES:
                return len(self.slices[row.topology])
            case RowKind.RENTED:
                assert self.rented_left is not None, self
                return self.rented_left

    def holds(self, demand: Demand) -> bool:
        return all(amount <= self.free(row) for row, amount in demand)


def demand_of(way: Alternative, pool: PoolSpec, chain: tuple[int, ...]) -> Demand | None:
    """What one gang takes of the pool, or None when the pool has nothing of that shape.

    Tasks of block b take b/s units of the row of every block s up to b: a set of tasks fits the nodes
    if and only if every such row holds it (docs/decisions/planning-capacity-rows.md).
    """
    rented: Demand = ((RENTED, way.accelerators),) if pool.is_rented else ()
    if pool.is_sliced_on_demand:
        return rented if way.slice_topology is not None else None
    if pool.slice_groups:
        sizes = {group.topology: group.accelerators_per_slice for group in pool.slice_groups}
        if way.slice_topology not in sizes:
            return None
        return ((RowName(RowKind.SLICES, sizes[way.slice_topology], way.slice_topology), 1), *rented)
    block = block_of(way.devices_per_task, chain)
    if block is None or way.slice_topology is not None:
        return None
    return (*((RowName(RowKind.BLOCKS, s, ""), way.tasks * block // s) for s in chain if s <= block), *rented)


def room_of(pool: Pool, live_runs: Sequence[Run], *, now_ms: int) -> Room:
    """What is free now, live runs, unavailable and cordoned nodes taken off."""
    unavailable = pool.cordoned_nodes.union(pool.status.unavailable_nodes)
    left = empty_room_of(pool)
    used = devices_used(live_runs, left.chain)
    nodes = (0 if node in unavailable else devices for node, devices in enumerate(left.nodes))
    used_slices = unavailable.union(share.node for run in live_runs for share in run.placement.nodes)
    return Room(
        chain=left.chain,
        nodes=tuple(max(0, devices - used[node]) for node, devices in enumerate(nodes)),
        slices={
            topology: tuple(number for number in numbers if number not in used_slices)
            for topology, numbers in left.slices.items()
        },
        slice_accelerators=left.slice_accelerators,
        limit_left=limit_left_of(pool.spec, live_runs),
        believed_left=believed_left_of(pool, live_runs, now_ms=now_ms),
    )


def devices_used(live_runs: Sequence[Run], chain: tuple[int, ...]) -> Counter[int]:
    """By node: what others use, and the more of what waits there and what it waits for."""
    occupancy = occupancy_of(live_runs)
    used = devices_by_node(occupancy.others, chain)
    if occupancy.waiting:
        used += devices_by_node(occupancy.waiting, chain) | devices_by_node(occupancy.awaited, chain)
    return used


def devices_by_node(runs: Iterable[Run], chain: tuple[int, ...]) -> Counter[int]:
    used = Counter[int]()
    for run in runs:
        block = block_of(run.placement.devices_per_task, chain) or run.placement.devices_per_task
        for share in run.placement.nodes:
            used[share.node] += block * share.tasks
    return used


def empty_room_of(pool: Pool) -> Room:
    """What would be free with nothing running, every node there and nothing doubted."""
    spec = pool.spec
    slices: dict[str, list[int]] = {}
    for number, group in enumerate(spec.slices()):
        slices.setdefault(group.topology, []).append(number)
    nodes = tuple(spec.node_devices())
    return Room(
        chain=chain_of(nodes),
        nodes=nodes,
        slices={topology: tuple(numbers) for topology, numbers in slices.items()},
        slice_accelerators={group.topology: group.accelerators_per_slice for group in spec.slice_groups},
        limit_left=spec.limit_accelerators,
        believed_left=None,
    )


def limit_left_of(pool: PoolSpec, live_runs: Sequence[Run]) -> int | None:
    if pool.limit_accelerators is None:
        return None
    occupancy = occupancy_of(live_runs)
    most = max(accelerators_of(occupancy.waiting), accelerators_of(occupancy.awaited))
    return max(0, pool.limit_accelerators - accelerators_of(occupancy.others) - most)


def believed_left_of(pool: Pool, live_runs: Sequence[Run], *, now_ms: int) -> int | None:
    if pool.availability is None or pool.spec.limit_accelerators is None:
        return None
    believed = pool.availability.believed_free(now_ms=now_ms, limit=pool.spec.limit_accelerators)
    return max(0, believed - accelerators_asked_for(live_runs))
