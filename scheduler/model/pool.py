"""A pool: interchangeable accelerators of one model, provider, zone and market. One writer per part."""

from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.model.ids import AcceleratorName, LauncherId, PoolId, Principal
from scheduler.model.job import Market
from scheduler.model.limits import LEASE_DURATION_MS_DEFAULT

DECAY_PERIOD_MS = 10 * 60 * 1_000  # the believed free capacity doubles after each without a stockout


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Equal nodes."""

    nodes: int
    devices_per_node: int

    def __post_init__(self) -> None:
        assert self.nodes >= 1, self
        assert self.devices_per_node >= 1, self


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceGroup:
    """Equal slices.

    Attributes:
        accelerators_per_slice: from the catalogue, filled in when the pool is applied.
    """

    slices: int
    topology: str
    accelerators_per_slice: int

    def __post_init__(self) -> None:
        assert self.slices >= 1, self
        assert self.accelerators_per_slice >= 1, self


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """The operator's part.

    A pool has nodes, or slices, or (rented, sold in slices) only a limit.

    Attributes:
        limit_accelerators: the provider's quota for a rented pool; None for a reserved one.
    """

    accelerator: AcceleratorName
    provider: str
    region: str
    zone: str
    market: Market
    node_groups: tuple[NodeGroup, ...] = ()
    slice_groups: tuple[SliceGroup, ...] = ()
    limit_accelerators: int | None = None
    price_usd_micros_per_accelerator_hour: int
    jurisdiction: str = ""
    launcher_id: LauncherId
    self_fencing: bool = False
    lease_duration_ms: int = LEASE_DURATION_MS_DEFAULT

    def __post_init__(self) -> None:
        assert not (self.node_groups and self.slice_groups), self
        assert (self.limit_accelerators is not None) == self.is_rented, self
        assert self.node_groups or self.slice_groups or self.is_rented, self

    @property
    def is_rented(self) -> bool:
        return self.market is not Market.RESERVED

    @property
    def marginal_usd_micros_per_accelerator_hour(self) -> int:
        """What using one more costs: reserved capacity is paid for whether used or not."""
        return self.price_usd_micros_per_accelerator_hour if self.is_rented else 0

    @property
    def is_sliced_on_demand(self) -> bool:
        """Whether each slice is made when it is asked for, within the limit."""
        return not self.node_groups and not self.slice_groups

    @property
    def node_count(self) -> int:
        """Nodes or slices that have a number; none where each slice is made when it is asked for."""
        slices = sum(group.slices for group in self.slice_groups)
        return sum(group.nodes for group in self.node_groups) + slices

    def node_devices(self) -> Iterator[int]:
        """Devices of each node, in node order."""
        for group in self.node_groups:
            for _ in range(group.nodes):
                yield group.devices_per_node

    def slices(self) -> Iterator[SliceGroup]:
        """The group of each slice, in slice order."""
        for group in self.slice_groups:
            for _ in range(group.slices):
                yield group


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """The launcher's part.

    Attributes:
        ready: the launcher's session is live and has sent its full state.
        unavailable_nodes: numbers of nodes (or slices) that cannot be used now, ascending.
    """

    ready: bool = False
    unavailable_nodes: tuple[int, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cordon:
    """No new placements, by an operator."""

    reason: str
    principal: Principal
    cordoned_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCordon:
    """No new tasks on one node or slice, by its number in the pool."""

    node: int
    cordon: Cordon


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """What a rented pool's provider is believed to have beyond what runs.

    It doubles when a run gets through and halves at a stockout; without a stockout it doubles again
    after each decay period. It starts at the limit.
    """

    accelerators: int
    changed_at_ms: int

    def believed_free(self, *, now_ms: int, limit: int) -> int:
        """Accelerators that may be asked for now, beyond those that run; at most `limit`."""
        periods = max(0, now_ms - self.changed_at_ms) // DECAY_PERIOD_MS
        return min(limit, max(1, self.accelerators) << min(periods, 40))


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPrice:
    """A price that an operator asked for and that jumps: not in force until it is confirmed."""

    usd_micros_per_accelerator_hour: int
    principal: Principal
    asked_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityFall:
    """The capacity is far below the confirmed one, by this principal's word, and nobody has confirmed it."""

    principal: Principal
    fallen_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool with its parts. What of it is confirmed says `model.jumps.confirmed`.

    Attributes:
        made_at_ms: tells it from an earlier pool of this id that was deleted.
        spec_generation: rises with each change of the operator's part, from 1.
        availability: set exactly for rented pools.
        deleting: takes nothing new and goes away when its last run has ended.
        node_cordons: by node number, each node once.
        confirmed_accelerators: the most that were usable since an operator last confirmed; None before the
            first report.
    """

    id: PoolId
    spec: PoolSpec
    made_at_ms: int = 0
    spec_generation: int = 1
    status: PoolStatus = PoolStatus()
    cordon: Cordon | None = None
    availability: Availability | None = None
    deleting: bool = False
    node_cordons: tuple[NodeCordon, ...] = ()
    pending_price: PendingPrice | None = None
    confirmed_accelerators: int | None = None
    capacity_fall: CapacityFall | None = None

    def __post_init__(self) -> None:
        assert self.capacity_fall is None or self.confirmed_accelerators is not None, self
        assert (self.availability is not None) == self.spec.is_rented, self

    @property
    def cordoned_nodes(self) -> frozenset[int]:
        return frozenset(each.node for each in self.node_cordons)

    @property
    def is_open(self) -> bool:
        """Whether something new may be placed on it."""
        return self.status.ready and self.cordon is None and not self.deleting
