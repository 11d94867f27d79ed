"""Pools between protobuf and model."""

from placewright.v1 import fleet_service_pb2, pool_pb2
from scheduler.api import enums
from scheduler.api.checks import Checks, shown
from scheduler.api.decode_job import no_such_slice
from scheduler.api.encode_job import duration, timestamp
from scheduler.api.positions import encode_etag
from scheduler.model import limits
from scheduler.model.accelerator import Accelerator, Catalogue
from scheduler.model.ids import AcceleratorName, History, LauncherId
from scheduler.model.job import Market
from scheduler.model.jumps import Jump, unconfirmed_jumps
from scheduler.model.pool import Cordon, NodeGroup, PoolSpec, SliceGroup
from scheduler.model.view import PoolView


def decode_spec(message: pool_pb2.PoolSpec, catalogue: Catalogue, checks: Checks) -> PoolSpec | None:
    """The spec; None when something is wrong, which `checks` then holds."""
    checks.known("spec", message)
    accelerator = catalogue.accelerators.get(AcceleratorName(message.accelerator))
    if accelerator is None:
        allowed = ", ".join(sorted(catalogue.accelerators))
        checks.add("spec.accelerator", f"must be one of {allowed}; got {shown(message.accelerator)}")
    market = enums.MARKETS.to_model(message.market)
    if market is None:
        checks.add("spec.market", f"must be one of {enums.MARKETS.allowed}, got {message.market}")
    lease_ms = limits.LEASE_DURATION_MS_DEFAULT
    if message.HasField("lease_duration"):
        lease_ms = checks.duration_ms(
            "spec.lease_duration",
            message.lease_duration,
            minimum=limits.LEASE_DURATION_MS_MIN,
            maximum=limits.LEASE_DURATION_MS_MAX,
        )
    price = checks.within(
        "spec.price_usd_micros_per_accelerator_hour",
        _said(message, "price_usd_micros_per_accelerator_hour", checks),
        0,
        limits.PRICE_USD_MICROS_MAX,
    )
    places = {
        "provider": checks.id("spec.provider", message.provider),
        "region": checks.place("spec.region", message.region),
        "zone": checks.place("spec.zone", message.zone),
    }
    if message.jurisdiction:
        checks.id("spec.jurisdiction", message.jurisdiction)
    launcher_id = LauncherId(checks.id("spec.launcher_id", message.launcher_id))
    if accelerator is None or market is None:
        return None
    nodes = _decode_nodes(message, accelerator, checks)
    slices = _decode_slices(message, accelerator, checks)
    limit = _decode_limit(message, market, checks)
    _check_capacity(message, market, accelerator, checks)
    if checks.violations:
        return None
    return PoolSpec(
        accelerator=accelerator.name,
        **places,
        market=market,
        node_groups=nodes,
        slice_groups=slices,
        limit_accelerators=limit,
        price_usd_micros_per_accelerator_hour=price,
        jurisdiction=message.jurisdiction,
        launcher_id=launcher_id,
        self_fencing=message.self_fencing,
        lease_duration_ms=lease_ms,
    )


def _decode_nodes(
    message: pool_pb2.PoolSpec, accelerator: Accelerator, checks: Checks
) -> tuple[NodeGroup, ...]:
    groups = []
    for index, group in enumerate(message.node_groups):
        field = f"spec.node_groups[{index}]"
        nodes = checks.within(f"{field}.nodes", group.nodes, 1, limits.NODES_PER_POOL_MAX)
        devices = checks.within(
            f"{field}.devices_per_node", group.devices_per_node, 1, limits.DEVICES_PER_TASK_MAX
        )
        groups.append(NodeGroup(nodes=nodes, devices_per_node=devices))
    if sum(group.nodes for group in groups) > limits.NODES_PER_POOL_MAX:
        checks.add("spec.node_groups", f"must have at most {limits.NODES_PER_POOL_MAX} nodes in all")
    assert accelerator.devices_per_node >= 1
    return tuple(groups)


def _decode_slices(
    message: pool_pb2.PoolSpec, accelerator: Accelerator, checks: Checks
) -> tuple[SliceGroup, ...]:
    groups = []
    for index, group in enumerate(message.slice_groups):
        shape = accelerator.slices.get(group.topology)
        if shape is None:
            checks.add(f"spec.slice_groups[{index}].topology", no_such_slice(group.topology, accelerator))
            continue
        slices = checks.within(
            f"spec.slice_groups[{index}].slices", group.slices, 1, limits.NODES_PER_POOL_MAX
        )
        groups.append(
            SliceGroup(slices=slices, topology=group.topology, accelerators_per_slice=shape.accelerators)
        )
    return tuple(groups)


def _decode_limit(message: pool_pb2.PoolSpec, market: Market, checks: Checks) -> int | None:
    field = "spec.limit_accelerators"
    if market is Market.RESERVED:
        if message.HasField("limit_accelerators"):
            checks.add(field, "must be left out for a reserved pool, whose capacity is known")
        return None
    limit = _said(message, "limit_accelerators", checks)
    return checks.within(field, limit, 0, limits.ACCELERATORS_PER_REPLICA_MAX)


def _said(message: pool_pb2.PoolSpec, name: str, checks: Checks) -> int:
    """A number for which 0 means something, so that it must be said."""
    if not message.HasField(name):
        checks.add(f"spec.{name}", "must be said; 0 counts")
    value: int = getattr(message, name)
    return value


def _check_capacity(
    message: pool_pb2.PoolSpec, market: Market, accelerator: Accelerator, checks: Checks
) -> None:
    if message.node_groups and message.slice_groups:
        checks.add(
            "spec.slice_groups", "must be empty when there are node_groups: a pool has one or the other"
        )
    if message.node_groups or message.slice_groups:
        return
    if market is Market.RESERVED:
        checks.add("spec.node_groups", "must have at least 1 item (or slice_groups) for a reserved pool")
    elif not accelerator.slices:
        checks.add(
            "spec.node_groups",
            f"must have at least 1 item: {accelerator.name} is not sold in slices, so the node size matters",
        )


def decode_confirmed(
    message: fleet_service_pb2.ConfirmPoolRequest, checks: Checks
) -> tuple[int | None, int | None]:
    """The price and the accelerators that are confirmed; None: not that."""
    price = accelerators = None
    if message.HasField("price_usd_micros_per_accelerator_hour"):
        price = checks.within(
            "price_usd_micros_per_accelerator_hour",
            message.price_usd_micros_per_accelerator_hour,
            0,
            limits.PRICE_USD_MICROS_MAX,
        )
    if message.HasField("accelerators"):
        accelerators = checks.within("accelerators", message.accelerators, 0, 2**31 - 1)
    if price is None and accelerators is None:
        checks.add(
            "price_usd_micros_per_accelerator_hour", "must be said, or accelerators: what is confirmed"
        )
    return price, accelerators


def encode_spec(spec: PoolSpec) -> pool_pb2.PoolSpec:
    return pool_pb2.PoolSpec(
        accelerator=spec.accelerator,
        provider=spec.provider,
        region=spec.region,
        zone=spec.zone,
        market=enums.MARKETS.to_wire(spec.market),  # type: ignore[arg-type]  # an int is an enum value
        node_groups=[
            pool_pb2.NodeGroup(nodes=g.nodes, devices_per_node=g.devices_per_node) for g in spec.node_groups
        ],
        slice_groups=[pool_pb2.SliceGroup(slices=g.slices, topology=g.topology) for g in spec.slice_groups],
        limit_accelerators=spec.limit_accelerators,
        price_usd_micros_per_accelerator_hour=spec.price_usd_micros_per_accelerator_hour,
        jurisdiction=spec.jurisdiction,
        launcher_id=spec.launcher_id,
        self_fencing=spec.self_fencing,
        lease_duration=duration(spec.lease_duration_ms),
    )


def _encode_cordon(cordon: Cordon) -> pool_pb2.Cordon:
    return pool_pb2.Cordon(
        reason=cordon.reason, principal=cordon.principal, cordoned_at=timestamp(cordon.cordoned_at_ms)
    )


def encode_pool(view: PoolView, history: History) -> pool_pb2.Pool:
    """The pool; its etag is of the history."""
    pool = view.pool
    return pool_pb2.Pool(
        pool_id=pool.id,
        spec=encode_spec(pool.spec),
        status=pool_pb2.PoolStatus(
            ready=pool.status.ready,
            unavailable_nodes=[str(node) for node in pool.status.unavailable_nodes],
            message=pool.status.message,
        ),
        cordon=None if pool.cordon is None else _encode_cordon(pool.cordon),
        node_cordons=[
            pool_pb2.NodeCordon(node=str(each.node), cordon=_encode_cordon(each.cordon))
            for each in pool.node_cordons
        ],
        deleting=pool.deleting,
        usage=pool_pb2.PoolUsage(
            accelerators=view.accelerators,
            accelerators_used=view.accelerators_used,
            runs=view.runs,
            accelerators_believed_free=view.believed_free,
        ),
        etag=encode_etag(history, pool.spec_generation),
        revision=view.version,
        unconfirmed_jumps=[_encode_jump(jump) for jump in unconfirmed_jumps(pool)],
    )


def _encode_jump(jump: Jump) -> pool_pb2.PoolJump:
    return pool_pb2.PoolJump(
        what=enums.JUMPS.to_wire(jump.what),  # type: ignore[arg-type]  # an int is an enum value
        confirmed=jump.confirmed,
        unconfirmed=jump.unconfirmed,
        principal=jump.principal,
        since=timestamp(jump.since_ms),
    )
