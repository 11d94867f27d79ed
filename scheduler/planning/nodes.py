"""Node assignment: the second step inside a pool; it always succeeds when the capacity rows hold."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from scheduler.model.job import Alternative
from scheduler.model.run import NodeShare
from scheduler.planning.blocks import block_of
from scheduler.planning.room import Room


class Gang(NamedTuple):
    """What a gang needs of its pool; `block` is 0 for a slice."""

    tasks: int
    block: int
    topology: str | None


def gang_of(way: Alternative, room: Room) -> Gang:
    if way.slice_topology is not None:
        return Gang(way.tasks, 0, way.slice_topology)
    block = block_of(way.devices_per_task, room.chain)
    assert block is not None, (way, room.chain)
    return Gang(way.tasks, block, None)


def assigned(room: Room, gangs: Sequence[Gang]) -> list[tuple[NodeShare, ...]]:
    """The nodes of each gang, in the order given; empty where the provider makes slices on demand.

    The largest blocks go first: then each task finds a node, because blocks divide each other.
    """
    nodes = FreeNodes(room.nodes)
    slices = {topology: iter(numbers) for topology, numbers in room.slices.items()}
    shares: list[tuple[NodeShare, ...]] = [()] * len(gangs)
    for index in sorted(range(len(gangs)), key=lambda each: (-gangs[each].block, -gangs[each].tasks, each)):
        gang = gangs[index]
        if gang.topology is None:
            shares[index] = nodes.take(gang)
        elif gang.topology in slices:
            shares[index] = (NodeShare(node=next(slices[gang.topology]), tasks=gang.tasks),)
    return shares


class FreeNodes:
    """Nodes by how much is free on them; the fullest that fits is taken first, then the lowest number."""

    def __init__(self, free: Sequence[int]) -> None:
        self._numbers: list[list[int]] = [[] for _ in range(max(free, default=0) + 1)]
        for number, devices in enumerate(free):
            self._numbers[devices].append(number)
        for numbers in self._numbers:
            heapify(numbers)

    def take(self, gang: Gang) -> tuple[NodeShare, ...]:
        shares, left = [], gang.tasks
        for free in range(gang.block, len(self._numbers)):
            while left and self._numbers[free]:
                number, here = heappop(self._numbers[free]), min(left, free // gang.block)
                heappush(self._numbers[free - here * gang.block], number)
                shares.append(NodeShare(node=number, tasks=here))
                left -= here
        assert not left, f"{left} tasks of {gang} found no node although the rows hold"
        return tuple(sorted(shares, key=lambda share: share.node))
