"""Pools between the wire and the views."""

from __future__ import annotations

from placewright import pools
from placewright.decode import duration, moment, word
from placewright.faults import Faults
from placewright.strings import parse_duration
from placewright.v1 import job_pb2, pool_pb2
from placewright.wire import market_name, wire_duration
from placewright.words import Market, PoolJumpKind


def pool_view(pool: pool_pb2.Pool) -> pools.PoolView:
    usage = pool.usage
    believed = usage.accelerators_believed_free if usage.HasField("accelerators_believed_free") else None
    return pools.PoolView(
        pool_id=pool.pool_id,
        spec=_spec_view(pool.spec),
        status=pools.PoolStatus(
            ready=pool.status.ready,
            unavailable_nodes=tuple(pool.status.unavailable_nodes),
            message=pool.status.message,
        ),
        cordon=_cordon(pool.cordon) if pool.HasField("cordon") else None,
        node_cordons=tuple(
            pools.NodeCordon(node=each.node, cordon=_cordon(each.cordon)) for each in pool.node_cordons
        ),
        deleting=pool.deleting,
        usage=pools.PoolUsage(
            accelerators=usage.accelerators,
            accelerators_used=usage.accelerators_used,
            runs=usage.runs,
            accelerators_believed_free=believed,
        ),
        etag=pool.etag,
        revision=pool.revision,
        unconfirmed_jumps=tuple(
            pools.PoolJump(
                what=word(pool_pb2.PoolJumpKind, jump.what, PoolJumpKind),
                confirmed=jump.confirmed,
                unconfirmed=jump.unconfirmed,
                principal=jump.principal,
                since=moment(jump.since),
            )
            for jump in pool.unconfirmed_jumps
        ),
    )


def _cordon(cordon: pool_pb2.Cordon) -> pools.Cordon:
    return pools.Cordon(
        reason=cordon.reason, principal=cordon.principal, cordoned_at=moment(cordon.cordoned_at)
    )


def pool_spec_message(spec: pools.PoolSpec) -> pool_pb2.PoolSpec:
    """The spec as it is sent.

    Raises:
        InvalidRequest: the market or the lease duration cannot be read.
    """
    faults = Faults()
    market = faults.read("market", lambda: market_name(spec.market))
    given = spec.lease_duration
    lease = None if given is None else faults.read("lease_duration", lambda: parse_duration(given))
    faults.raise_any()
    return pool_pb2.PoolSpec(
        accelerator=spec.accelerator,
        provider=spec.provider,
        region=spec.region,
        zone=spec.zone,
        market=market,
        node_groups=[
            pool_pb2.NodeGroup(nodes=group.nodes, devices_per_node=group.devices_per_node)
            for group in spec.node_groups
        ],
        slice_groups=[
            pool_pb2.SliceGroup(slices=group.slices, topology=group.topology) for group in spec.slice_groups
        ],
        limit_accelerators=spec.limit_accelerators,
        price_usd_micros_per_accelerator_hour=spec.price_usd_micros_per_accelerator_hour,
        jurisdiction=spec.jurisdiction,
        launcher_id=spec.launcher_id,
        self_fencing=spec.self_fencing,
        lease_duration=wire_duration(lease),
    )


def _spec_view(spec: pool_pb2.PoolSpec) -> pools.PoolSpec:
    return pools.PoolSpec(
        accelerator=spec.accelerator,
        provider=spec.provider,
        region=spec.region,
        zone=spec.zone,
        market=word(job_pb2.Market, spec.market, Market),
        price_usd_micros_per_accelerator_hour=spec.price_usd_micros_per_accelerator_hour,
        launcher_id=spec.launcher_id,
        node_groups=tuple(
            pools.NodeGroup(nodes=group.nodes, devices_per_node=group.devices_per_node)
            for group in spec.node_groups
        ),
        slice_groups=tuple(
            pools.SliceGroup(slices=group.slices, topology=group.topology) for group in spec.slice_groups
        ),
        limit_accelerators=spec.limit_accelerators if spec.HasField("limit_accelerators") else None,
        jurisdiction=spec.jurisdiction,
        self_fencing=spec.self_fencing,
        lease_duration=duration(spec.lease_duration) if spec.HasField("lease_duration") else None,
    )
