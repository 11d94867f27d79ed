"""Pools: what an operator says of them and how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from placewright.strings import Location, usd
from placewright.words import Market, PoolJumpKind


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """A number of equal nodes."""

    nodes: int
    devices_per_node: int


@dataclass(frozen=True, kw_only=True)
class SliceGroup:
    """A number of equal slices, such as 4 of "4x4x8"."""

    slices: int
    topology: str


@dataclass(frozen=True, kw_only=True)
class PoolSpec:
    """What an operator says of a pool. It has nodes, or slices, or only a limit (rented, sold in slices).

    Attributes:
        market: "reserved", "on_demand" or "spot".
        price_usd_micros_per_accelerator_hour: 0 is free. Reserved pools are charged it whether used or not.
        node_groups: nodes are named "0", "1", ... through the groups, slices of slice_groups alike.
        limit_accelerators: the most that the provider lets us have; required for rented pools (0: nothing
            may be rented now), None for reserved ones.
        jurisdiction: whose law holds where it stands, such as "eu".
        launcher_id: the launcher that serves it.
        self_fencing: its hosts stop the tasks by themselves before the launcher lease ends.
        lease_duration: None: 5 min.
    """

    accelerator: str
    provider: str
    region: str
    zone: str
    market: str | Market
    price_usd_micros_per_accelerator_hour: int
    launcher_id: str
    node_groups: Sequence[NodeGroup] = ()
    slice_groups: Sequence[SliceGroup] = ()
    limit_accelerators: int | None = None
    jurisdiction: str = ""
    self_fencing: bool = False
    lease_duration: str | timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class PoolStatus:
    """What the pool's launcher says of it; nodes or slices by name."""

    ready: bool
    unavailable_nodes: tuple[str, ...]
    message: str


@dataclass(frozen=True, kw_only=True)
class Cordon:
    """Why, by whom and since when a pool takes nothing new."""

    reason: str
    principal: str
    cordoned_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NodeCordon:
    """Why, by whom and since when a node takes nothing new."""

    node: str
    cordon: Cordon


@dataclass(frozen=True, kw_only=True)
class PoolUsage:
    """How a pool is used now; counts of accelerators and of live runs.

    Attributes:
        accelerators: that may be used, after limits and unavailable nodes.
        accelerators_believed_free: what the provider is believed to have beyond those that run; None
            where capacity is known.
    """

    accelerators: int
    accelerators_used: int
    runs: int
    accelerators_believed_free: int | None


@dataclass(frozen=True, kw_only=True)
class PoolJump:
    """A price or a capacity that changed so much that an operator must confirm it.

    Attributes:
        confirmed, unconfirmed: in the unit of `what`.
        principal: who asked for the price, or said that the capacity is gone.
    """

    what: PoolJumpKind
    confirmed: int
    unconfirmed: int
    principal: str
    since: datetime | None

    def __str__(self) -> str:
        if self.what is PoolJumpKind.PRICE:
            return f"price {usd(self.confirmed)} -> {usd(self.unconfirmed)}"
        return f"{self.what} {self.confirmed} -> {self.unconfirmed}"


@dataclass(frozen=True, kw_only=True)
class PoolView:
    """A pool as the scheduler keeps it.

    Attributes:
        etag: for conditional writes; changes with the spec, not with status, cordon or usage.
        revision: of the newest change of spec, status or cordon.
        unconfirmed_jumps: what waits for `confirm_pool`; the spec has the price in force.
    """

    pool_id: str
    spec: PoolSpec
    status: PoolStatus
    cordon: Cordon | None
    deleting: bool
    usage: PoolUsage
    etag: str
    revision: int
    node_cordons: tuple[NodeCordon, ...] = ()
    unconfirmed_jumps: tuple[PoolJump, ...] = ()

    @property
    def location(self) -> str:
        return str(Location(self.spec.provider, self.spec.region, self.spec.zone))
