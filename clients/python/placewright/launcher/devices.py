"""Which device numbers of which node a run has: no two live runs share one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from placewright.launcher.backend import StartRefused
from placewright.v1.job_pb2 import Placement, PoolAssignment
from placewright.v1.pool_pb2 import PoolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDevices:
    """The devices of one task.

    Attributes:
        node: the node's or slice's number; None where the provider chooses.
    """

    node: int | None
    devices: tuple[int, ...]


class DeviceLedger:
    """The devices of live runs by pool and node."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, int], dict[int, str]] = {}

    def take(self, run_id: str, placement: Placement, *, pool: PoolSpec) -> tuple[TaskDevices, ...]:
        """Devices for each task of a run, in the order of the tasks.

        Raises:
            StartRefused: a node has too few free ones; nothing was taken.
        """
        assignment = placement.assignments[0]
        if not pool.node_groups:
            return tuple(_whole_hosts(placement, assignment))
        shares = sum(share.tasks for share in assignment.nodes)
        if shares != placement.tasks:
            raise StartRefused(f"the nodes must hold {placement.tasks} tasks, got {shares}")
        sizes = dict(enumerate(_node_sizes(pool)))
        try:
            return tuple(
                self._take_on_node(
                    run_id,
                    assignment.pool_id,
                    node=share.node,
                    sizes=sizes,
                    devices=placement.devices_per_task,
                )
                for share in assignment.nodes
                for _ in range(share.tasks)
            )
        except StartRefused:
            self.release(run_id)
            raise

    def restore(self, run_id: str, pool_id: str, *, tasks: Iterable[TaskDevices]) -> None:
        """Enter what a run that is found alive has."""
        for task in tasks:
            if task.node is not None:
                used = self._used.setdefault((pool_id, task.node), {})
                used.update(dict.fromkeys(task.devices, run_id))

    def release(self, run_id: str) -> None:
        """Free what a run has."""
        for used in self._used.values():
            for device in [device for device, owner in used.items() if owner == run_id]:
                del used[device]

    def _take_on_node(
        self, run_id: str, pool_id: str, *, node: int, sizes: Mapping[int, int], devices: int
    ) -> TaskDevices:
        used = self._used.setdefault((pool_id, node), {})
        free = [device for device in range(sizes.get(node, 0)) if device not in used]
        if len(free) < devices:
            raise StartRefused(
                f"node {node} of pool {pool_id} must have {devices} free devices for a task,"
                f" has {len(free)} of {sizes.get(node, 0)}"
            )
        chosen = _aligned_block(free, size=devices) or tuple(free[:devices])
        used.update(dict.fromkeys(chosen, run_id))
        return TaskDevices(node=node, devices=chosen)


def _aligned_block(free: list[int], *, size: int) -> tuple[int, ...]:
    """The first neighbouring devices that start at a multiple of their number; empty when there are none."""
    available = set(free)
    for first in free:
        block = tuple(range(first, first + size))
        if first % size == 0 and available.issuperset(block):
            return block
    return ()


def _node_sizes(pool: PoolSpec) -> Iterator[int]:
    for group in pool.node_groups:
        yield from [group.devices_per_node] * group.nodes


def _whole_hosts(placement: Placement, assignment: PoolAssignment) -> Iterator[TaskDevices]:
    """Tasks of slices and of rented pools have their hosts to themselves."""
    devices = tuple(range(placement.devices_per_task))
    slices = [share.node for share in assignment.nodes for _ in range(share.tasks)]
    for index in range(placement.tasks):
        yield TaskDevices(node=slices[index] if index < len(slices) else None, devices=devices)
