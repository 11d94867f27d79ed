"""Which device numbers of which node a run has: no two live runs share one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from placewright.launcher.backend import StartRefused
from placewright.v1.job_pb2 import Placement, TaskGroupPlacement
from placewright.v1.pool_pb2 import PoolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDevices:
    """The devices of one task.

    Attributes:
        node: the node's or slice's name; None where the provider chooses.
    """

    node: str | None
    devices: tuple[int, ...]


def only_group(placement: Placement) -> TaskGroupPlacement:
    """The one task group of a placement on one pool.

    Raises:
        StartRefused: it is not one group on one pool.
    """
    groups = [len(assignment.task_groups) for assignment in placement.assignments]
    if groups != [1]:
        raise StartRefused(
            f"the placement must be one task group on one pool, got {sum(groups)} groups"
            f" on {len(groups)} pools"
        )
    return placement.assignments[0].task_groups[0]


class DeviceLedger:
    """The devices of live runs by pool and node."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], dict[int, str]] = {}

    def take(self, run_id: str, placement: Placement, *, pool: PoolSpec) -> tuple[TaskDevices, ...]:
        """Devices for each task of a run, in the order of the tasks.

        Raises:
            StartRefused: a node has too few free ones, or it is not one group on one pool; nothing was taken.
        """
        group = only_group(placement)
        if not pool.node_groups:
            return tuple(_whole_hosts(group))
        shares = sum(share.tasks for share in group.nodes)
        if shares != group.tasks:
            raise StartRefused(f"the nodes must hold {group.tasks} tasks, got {shares}")
        sizes = {str(index): size for index, size in enumerate(_node_sizes(pool))}
        try:
            return tuple(
                self._take_on_node(
                    run_id,
                    placement.assignments[0].pool_id,
                    node=share.node,
                    sizes=sizes,
                    devices=group.devices_per_task,
                )
                for share in group.nodes
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
        self, run_id: str, pool_id: str, *, node: str, sizes: Mapping[str, int], devices: int
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


def _whole_hosts(group: TaskGroupPlacement) -> Iterator[TaskDevices]:
    """Tasks of slices and of rented pools have their hosts to themselves."""
    devices = tuple(range(group.devices_per_task))
    slices = [share.node for share in group.nodes for _ in range(share.tasks)]
    for index in range(group.tasks):
        yield TaskDevices(node=slices[index] if index < len(slices) else None, devices=devices)
