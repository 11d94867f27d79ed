"""Protobuf to a checked spec and payload: defaults filled in, sizes split over nodes, slices looked up."""

from collections.abc import Iterable
from dataclasses import dataclass

from placewright.v1 import job_pb2, job_service_pb2
from scheduler.api.checks import Checks, holds_unknown, shown
from scheduler.api.enums import MARKETS
from scheduler.model import limits
from scheduler.model.accelerator import Accelerator, Catalogue
from scheduler.model.ids import AcceleratorName, PoolId, PriorityClassName, QueueName
from scheduler.model.job import (
    Alternative,
    Constraints,
    Inference,
    JobSpec,
    LaunchedBy,
    Location,
    Market,
    TaskGroup,
    Training,
)

SLICES_SHOWN = 20
ANYWHERE = Constraints()
ALTERNATIVE_FALLBACK = Alternative(
    accelerator=AcceleratorName("h100"),
    task_groups=(TaskGroup(tasks=1, devices_per_task=1),),
    speed_permille=1000,
)  # stands for one that was refused; never leaves this module because its violation is raised


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The names that a request may use."""

    catalogue: Catalogue
    priority_classes: tuple[PriorityClassName, ...]
    default_priority_class: PriorityClassName


def check_known(message: job_service_pb2.JobSubmission, checks: Checks) -> None:
    """That the submission holds nothing that this service does not know."""
    if holds_unknown(message):
        checks.known("spec", message.spec)
        checks.known("payload", message.payload)


def decode_payload(
    message: job_pb2.LaunchPayload, checks: Checks
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The command, and the environment by name."""
    if not message.command:
        checks.add("payload.command", "must have at least 1 element: what the launcher starts")
    size = message.ByteSize()
    if size > limits.PAYLOAD_BYTES_MAX:
        checks.add("payload", f"must have at most {limits.PAYLOAD_BYTES_MAX} bytes, got {size}")
    return tuple(message.command), tuple(sorted(message.env.items()))


def decode_spec(message: job_pb2.JobSpec, vocabulary: Vocabulary, checks: Checks) -> JobSpec | None:
    """The spec with every default filled in; None if anything was found wrong, here or before."""
    if message.launched_by not in (job_pb2.LAUNCHED_BY_UNSPECIFIED, job_pb2.LAUNCHED_BY_POOL):
        checks.add(
            "spec.launched_by",
            f"must be POOL or left out: nothing else is accepted yet, got {message.launched_by}",
        )
    kind = _decode_kind(message, checks)
    name = checks.id("spec.name", message.name)
    queue = checks.id("spec.queue", message.queue, default="default")
    alternatives = _decode_alternatives(message, vocabulary.catalogue, checks)
    constraints = _decode_constraints(message.constraints, checks)
    priority_class = _decode_priority_class(message.priority_class, vocabulary, checks)
    max_duration_ms = None
    if message.HasField("max_duration"):
        max_duration_ms = checks.duration_ms("spec.max_duration", message.max_duration)
    grace_period_ms = limits.GRACE_PERIOD_MS_DEFAULT
    if message.HasField("grace_period"):
        grace_period_ms = checks.duration_ms("spec.grace_period", message.grace_period, minimum=0)
    retries = checks.within(
        "spec.retry.user_errors", message.retry.user_errors, 0, limits.USER_ERROR_RETRIES_MAX
    )
    min_runtime_ms = 0
    if message.HasField("min_runtime"):
        min_runtime_ms = checks.duration_ms("spec.min_runtime", message.min_runtime, minimum=0) or 0
    if checks.violations:
        return None
    return JobSpec(
        name=name,
        queue=QueueName(queue),
        priority_class=priority_class,
        launched_by=LaunchedBy.POOL,
        alternatives=alternatives,
        constraints=constraints,
        training=kind if isinstance(kind, Training) else None,
        inference=kind if isinstance(kind, Inference) else None,
        max_duration_ms=max_duration_ms,
        grace_period_ms=grace_period_ms,
        user_error_retries=retries,
        preemptible=message.preemptible if message.HasField("preemptible") else True,
        min_runtime_ms=min_runtime_ms,
    )


def _decode_kind(message: job_pb2.JobSpec, checks: Checks) -> Training | Inference:
    match message.WhichOneof("kind"):
        case "training":
            if not message.training.HasField("estimated_duration"):
                return Training()
            field = "spec.training.estimated_duration"
            return Training(
                estimated_duration_ms=checks.duration_ms(field, message.training.estimated_duration)
            )
        case "inference":
            field = "spec.inference.max_replicas"
            replicas = checks.within(field, message.inference.max_replicas, 1, limits.REPLICAS_MAX)
            return Inference(replicas=replicas)
        case _:
            checks.add("spec.kind", "must be set: training or inference")
            return Training()


def _decode_priority_class(name: str, vocabulary: Vocabulary, checks: Checks) -> PriorityClassName:
    if not name:
        return vocabulary.default_priority_class
    if name not in vocabulary.priority_classes:
        allowed = ", ".join(vocabulary.priority_classes)
        checks.add("spec.priority_class", f"must be one of {allowed}, got {shown(name)}")
    return PriorityClassName(name)


def _decode_alternatives(
    message: job_pb2.JobSpec, catalogue: Catalogue, checks: Checks
) -> tuple[Alternative, ...]:
    checks.count("spec.alternatives", len(message.alternatives), 1, limits.ALTERNATIVES_MAX)
    return tuple(
        _decode_alternative(alternative, catalogue, checks, field=f"spec.alternatives[{index}]")
        for index, alternative in enumerate(message.alternatives[: limits.ALTERNATIVES_MAX])
    )


def _decode_alternative(
    message: job_pb2.Alternative, catalogue: Catalogue, checks: Checks, *, field: str
) -> Alternative:
    accelerator = catalogue.accelerators.get(AcceleratorName(message.accelerator))
    if accelerator is None:
        allowed = ", ".join(sorted(catalogue.accelerators))
        checks.add(f"{field}.accelerator", f"must be one of {allowed}; got {shown(message.accelerator)}")
        return ALTERNATIVE_FALLBACK
    speed_permille = accelerator.speed_permille
    if message.HasField("speed_permille"):
        speed_permille = checks.within(
            f"{field}.speed_permille", message.speed_permille, 1, limits.SPEED_PERMILLE_MAX
        )
    group, topology = _decode_size(message, accelerator, checks, field=field)
    return Alternative(
        accelerator=accelerator.name,
        task_groups=(group,),
        slice_topology=topology,
        speed_permille=speed_permille,
    )


def _decode_size(
    message: job_pb2.Alternative, accelerator: Accelerator, checks: Checks, *, field: str
) -> tuple[TaskGroup, str | None]:
    match message.WhichOneof("size"):
        case "count":
            return _split_over_nodes(message.count, accelerator, checks, field=f"{field}.count"), None
        case "gang":
            return _decode_gang(message.gang, accelerator, checks, field=f"{field}.gang"), None
        case "slice":
            return _look_up_slice(
                message.slice.topology, accelerator, checks, field=f"{field}.slice.topology"
            )
        case _:
            checks.add(f"{field}.size", "must be set: count, gang or slice")
            return TaskGroup(tasks=1, devices_per_task=1), None


def _split_over_nodes(count: int, accelerator: Accelerator, checks: Checks, *, field: str) -> TaskGroup:
    """Whole nodes of the model's usual size; less than a node is one task."""
    count = checks.within(field, count, 1, limits.ACCELERATORS_PER_REPLICA_MAX)
    if accelerator.slices:
        examples = ", ".join(sorted(accelerator.slices)[:6])
        checks.add(
            field,
            f"{accelerator.name} is sold in slices: say a shape ({examples}, …) or, for own nodes, a gang",
        )
        return TaskGroup(tasks=1, devices_per_task=1)
    node = accelerator.devices_per_node
    if count <= node:
        return TaskGroup(tasks=1, devices_per_task=count)
    if count % node:
        checks.add(
            field, f"more than a node of {node} must be whole nodes of {node}, got {count}; or say a gang"
        )
    return TaskGroup(tasks=max(1, count // node), devices_per_task=node)


def _decode_gang(message: job_pb2.Gang, accelerator: Accelerator, checks: Checks, *, field: str) -> TaskGroup:
    if len(message.task_groups) != 1:
        checks.add(f"{field}.task_groups", f"must have exactly 1 item, got {len(message.task_groups)}")
        return TaskGroup(tasks=1, devices_per_task=1)
    group, field = message.task_groups[0], f"{field}.task_groups[0]"
    devices = checks.within(
        f"{field}.devices_per_task", group.devices_per_task, 1, accelerator.devices_per_node
    )
    return TaskGroup(
        role=checks.id(f"{field}.role", group.role, default="worker"),
        tasks=checks.within(f"{field}.tasks", group.tasks, 1, limits.TASKS_PER_REPLICA_MAX),
        devices_per_task=devices,
    )


def _look_up_slice(
    topology: str, accelerator: Accelerator, checks: Checks, *, field: str
) -> tuple[TaskGroup, str]:
    shape = accelerator.slices.get(topology)
    if shape is None:
        checks.add(field, no_such_slice(topology, accelerator))
        return TaskGroup(tasks=1, devices_per_task=1), topology
    return TaskGroup(tasks=shape.hosts, devices_per_task=shape.chips_per_host), topology


def no_such_slice(topology: str, accelerator: Accelerator) -> str:
    """What to say of a shape that the catalogue does not have."""
    if not accelerator.slices:
        return f"must be empty: {accelerator.name} is not sold in slices, got {shown(topology)}"
    known = sorted(accelerator.slices, key=lambda name: accelerator.slices[name].accelerators)
    more = "" if len(known) <= SLICES_SHOWN else f" or {len(known) - SLICES_SHOWN} others"
    shapes = ", ".join(known[:SLICES_SHOWN])
    return f"must be a slice of {accelerator.name}: {shapes}{more}; got {shown(topology)}"


def _decode_constraints(message: job_pb2.Constraints, checks: Checks) -> Constraints:
    if not message.ByteSize():
        return ANYWHERE
    for field, items in message.ListFields():
        checks.count(f"spec.constraints.{field.name}", len(items), 0, limits.CONSTRAINT_ITEMS_MAX)
    constraints = Constraints(
        allowed_locations=_decode_locations(message.allowed_locations, checks, "allowed_locations"),
        denied_locations=_decode_locations(message.denied_locations, checks, "denied_locations"),
        allowed_pools=_decode_pool_ids(message.allowed_pools, checks, "allowed_pools"),
        denied_pools=_decode_pool_ids(message.denied_pools, checks, "denied_pools"),
        markets=_decode_markets(message.markets, checks),
        residency=tuple(sorted(set(message.residency))),
    )
    _check_contradictions(constraints, checks)
    return constraints


def _decode_locations(
    messages: Iterable[job_pb2.Location], checks: Checks, name: str
) -> tuple[Location, ...]:
    locations = []
    for index, message in enumerate(messages):
        for part in ("provider", "region", "zone"):
            field = f"spec.constraints.{name}[{index}].{part}"
            checks.text(field, getattr(message, part), maximum=limits.LOCATION_LENGTH_MAX)
        locations.append(Location(provider=message.provider, region=message.region, zone=message.zone))
    return tuple(locations)


def _decode_pool_ids(ids: Iterable[str], checks: Checks, name: str) -> tuple[PoolId, ...]:
    checked = {checks.id(f"spec.constraints.{name}[{index}]", text) for index, text in enumerate(ids)}
    return tuple(PoolId(text) for text in sorted(checked))


def _decode_markets(values: Iterable[int], checks: Checks) -> tuple[Market, ...]:
    markets = set()
    for index, value in enumerate(values):
        market = MARKETS.to_model(value)
        if market is None:
            checks.add(f"spec.constraints.markets[{index}]", f"must be one of {MARKETS.allowed}, got {value}")
        else:
            markets.add(market)
    return tuple(sorted(markets))


def _check_contradictions(constraints: Constraints, checks: Checks) -> None:
    if not constraints.denied_pools and not constraints.denied_locations:
        return
    both = set(constraints.allowed_pools) & set(constraints.denied_pools)
    if both:
        checks.add("spec.constraints.denied_pools", f"{', '.join(sorted(both))}: both allowed and denied")
    if constraints.allowed_pools and set(constraints.allowed_pools) <= set(constraints.denied_pools):
        checks.add("spec.constraints.allowed_pools", "every allowed pool is denied: nothing is left")
    places = set(constraints.allowed_locations)
    if places and places <= set(constraints.denied_locations):
        checks.add("spec.constraints.allowed_locations", "every allowed place is denied: nothing is left")
    if Location() in constraints.denied_locations:
        checks.add("spec.constraints.denied_locations", "a location with nothing set denies every place")
