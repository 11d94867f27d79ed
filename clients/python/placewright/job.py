"""A job as a user asks for it, and as it is sent. Whatever leaves here is well-formed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Union

from google.protobuf.duration_pb2 import Duration as WireDuration

from placewright.alternative import Alternative
from placewright.faults import Faults
from placewright.strings import ID_RULE, NAME, Location, parse_duration, parse_location, parse_size
from placewright.v1 import job_pb2, job_service_pb2
from placewright.wire import many, market_name, wire_duration
from placewright.words import JobKind, Market

INT32_MAX = 2**31 - 1

# Union, not |: these run when the module is imported, and the arguments are strings under 3.10.
Accelerators = Union[str, Alternative, "Sequence[str | Alternative]", "Mapping[str, int]"]
Duration = Union[str, timedelta]  # noqa: UP007  (runs under 3.10)
Place = Union[str, Location]  # noqa: UP007  (runs under 3.10)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job to submit. Everything is checked here, all faults at once, before anything is sent.

    Attributes:
        name: yours, not unique; [a-z0-9-], 1 to 63 characters.
        accelerators: "h100:64", or several of which any will do: ["tpu-v5p:4x4x8", "h100:64"];
            `Alternative("h100:64", speed_permille=900)` where you know the speed better.
        command: what each task runs, with its arguments.
        env: environment variables of each task.
        queue: the team's line of jobs; "default" when empty.
        priority_class: the cell's default class when empty.
        kind: "training" (finite) or "inference" (runs until cancelled).
        replicas: for inference: the most that run; none of them is guaranteed.
        estimated_duration: for training: how long on its fastest alternative.
        max_duration: a run is stopped when all its tasks have run for this long; None: never.
        grace_period: between the polite and the hard stop; None: 30 s.
        user_error_retries: how often a replica may fail by its own fault and still be tried again.
        preemptible: whether its runs may be stopped for worthier priority classes.
        min_runtime: a run is not preempted before all its tasks have run for this long; None: 0.
        locations: only these places, such as "gcp/us-east5/*"; `denied_locations`: none of these.
        pools: only these pools; `denied_pools`: none of these.
        markets: only these: "reserved", "on_demand", "spot".
        residency: only pools of these jurisdictions, such as "eu".

    Raises:
        InvalidRequest: names each wrong field, its value and what is allowed.
    """

    name: str
    accelerators: Accelerators
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    queue: str = ""
    priority_class: str = ""
    kind: str | JobKind = JobKind.TRAINING
    replicas: int | None = None
    estimated_duration: Duration | None = None
    max_duration: Duration | None = None
    grace_period: Duration | None = None
    user_error_retries: int = 0
    preemptible: bool = True
    min_runtime: Duration | None = None
    locations: Sequence[Place] = ()
    denied_locations: Sequence[Place] = ()
    pools: Sequence[str] = ()
    denied_pools: Sequence[str] = ()
    markets: Sequence[str | Market] = ()
    residency: Sequence[str] = ()

    def __post_init__(self) -> None:
        submission_of(self, request_id="")


def submission_of(job: Job, *, request_id: str) -> job_service_pb2.JobSubmission:
    """The job as it is sent.

    Raises:
        InvalidRequest: every fault of the job at once.
    """
    faults = Faults()
    submission = job_service_pb2.JobSubmission(
        spec=_spec_of(job, faults), payload=_payload_of(job, faults), request_id=request_id
    )
    faults.raise_any()
    return submission


def _spec_of(job: Job, faults: Faults) -> job_pb2.JobSpec:
    for name, required in (("name", True), ("queue", False), ("priority_class", False)):
        _check_id(name, getattr(job, name), required=required, faults=faults)
    spec = job_pb2.JobSpec(
        name=str(job.name),
        queue=str(job.queue),
        priority_class=str(job.priority_class),
        alternatives=_alternatives_of(job, faults),
        constraints=_constraints_of(job, faults),
        max_duration=_duration_of("max_duration", job.max_duration, faults),
        grace_period=_duration_of("grace_period", job.grace_period, faults),
        min_runtime=_duration_of("min_runtime", job.min_runtime, faults),
    )
    if job.preemptible is not True:
        spec.preemptible = _yes_or_no("preemptible", job.preemptible, faults)
    retries = _whole("user_error_retries", job.user_error_retries, at_least=0, faults=faults)
    if retries:
        spec.retry.user_errors = retries
    _add_kind(spec, job, faults)
    return spec


def _check_id(field: str, value: object, *, required: bool, faults: Faults) -> None:
    if value == "" and not required:
        return
    if not isinstance(value, str) or NAME.fullmatch(value) is None:
        faults.add(field, f"must be {ID_RULE}, got {value!r}")


def _whole(field: str, value: object, *, at_least: int, faults: Faults) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value <= INT32_MAX:
        faults.add(field, f"must be a whole number of at least {at_least}, got {value!r}")
        return at_least
    return value


def _yes_or_no(field: str, value: object, faults: Faults) -> bool:
    if not isinstance(value, bool):
        faults.add(field, f"must be true or false, got {value!r}")
    return bool(value)


def _duration_of(field: str, value: Duration | None, faults: Faults) -> WireDuration | None:
    if value is None:
        return None
    return wire_duration(faults.read(field, lambda: parse_duration(value)))


def _alternatives_of(job: Job, faults: Faults) -> Iterable[job_pb2.Alternative]:
    given = job.accelerators
    if isinstance(given, Mapping):  # {"h100": 64}, as SkyPilot writes it
        items: Sequence[object] = [f"{name}:{count}" for name, count in given.items()]
    else:
        items = many(given)
    if not items:
        faults.add("accelerators", "must name at least one accelerator, such as 'h100:64', got none")
    is_single = isinstance(given, (str, Alternative))
    for index, item in enumerate(items):
        field = "accelerators" if is_single else f"accelerators[{index}]"
        alternative = _alternative_of(field, item, faults)
        if alternative is not None:
            yield alternative


def _alternative_of(field: str, item: object, faults: Faults) -> job_pb2.Alternative | None:
    alternative = Alternative(item) if isinstance(item, str) else item
    if not isinstance(alternative, Alternative) or not isinstance(alternative.size, str):
        faults.add(field, f"must be a string such as 'h100:64' or an Alternative, got {item!r}")
        return None
    text = alternative.size
    size = faults.read(field, lambda: parse_size(text))
    if size is None:
        return None
    wire = job_pb2.Alternative(accelerator=size.accelerator)
    if alternative.speed_permille is not None:
        speed = _whole(f"{field}.speed_permille", alternative.speed_permille, at_least=1, faults=faults)
        wire.speed_permille = speed
    if size.gang is not None:
        wire.gang.task_groups.add(tasks=size.gang[0], devices_per_task=size.gang[1])
    elif size.topology is not None:
        wire.slice.topology = size.topology
    else:
        wire.count = size.count or 1
    return wire


def _constraints_of(job: Job, faults: Faults) -> job_pb2.Constraints | None:
    for name in ("pools", "denied_pools", "residency"):
        for index, item in enumerate(many(getattr(job, name))):
            _check_id(f"{name}[{index}]", item, required=True, faults=faults)
    constraints = job_pb2.Constraints(
        allowed_locations=_locations_of("locations", job.locations, faults),
        denied_locations=_locations_of("denied_locations", job.denied_locations, faults),
        allowed_pools=[str(pool) for pool in many(job.pools)],
        denied_pools=[str(pool) for pool in many(job.denied_pools)],
        markets=_markets_of(job, faults),
        residency=[str(jurisdiction) for jurisdiction in many(job.residency)],
    )
    return constraints if constraints.ByteSize() else None


def _locations_of(field: str, value: object, faults: Faults) -> Iterable[job_pb2.Location]:
    for index, item in enumerate(many(value)):
        place = item if isinstance(item, Location) else None
        if place is None:
            place = faults.read(f"{field}[{index}]", lambda text=item: parse_location(str(text)))  # type: ignore[misc]  # a default binds the loop's value
        if place is not None:
            yield job_pb2.Location(provider=place.provider, region=place.region, zone=place.zone)


def _markets_of(job: Job, faults: Faults) -> list[str]:
    names = [
        faults.read(f"markets[{index}]", lambda text=item: market_name(str(text)))  # type: ignore[misc]  # the same
        for index, item in enumerate(many(job.markets))
    ]
    return [name for name in names if name is not None]


def _add_kind(spec: job_pb2.JobSpec, job: Job, faults: Faults) -> None:
    duration = _duration_of("estimated_duration", job.estimated_duration, faults)
    if job.kind == JobKind.TRAINING:
        spec.training.SetInParent()
        if duration is not None:
            spec.training.estimated_duration.CopyFrom(duration)
        if job.replicas not in (None, 1):
            faults.add(
                "replicas", f"a training job has 1 replica, got {job.replicas!r}; kind='inference' has more"
            )
    elif job.kind == JobKind.INFERENCE:
        if duration is not None:
            faults.add(
                "estimated_duration", "is for training jobs; an inference job runs until it is cancelled"
            )
        replicas = 1 if job.replicas is None else job.replicas
        spec.inference.max_replicas = _whole("replicas", replicas, at_least=1, faults=faults)
    else:
        faults.add("kind", f"must be training or inference, got {str(job.kind)!r}")


def _payload_of(job: Job, faults: Faults) -> job_pb2.LaunchPayload:
    command: object = job.command
    if isinstance(command, str) or not isinstance(command, Sequence) or not command:
        faults.add("command", f"must be a list of at least one string, got {command!r}")
        command = ()
    for index, word in enumerate(command):
        if not isinstance(word, str):
            faults.add(f"command[{index}]", f"must be a string, got {word!r}")
    return job_pb2.LaunchPayload(command=[str(word) for word in command], env=_env_of(job, faults))


def _env_of(job: Job, faults: Faults) -> dict[str, str]:
    env: object = job.env
    if not isinstance(env, Mapping):
        faults.add("env", f"must be a mapping of names to strings, got {env!r}")
        return {}
    for name, value in env.items():
        if not isinstance(name, str) or not isinstance(value, str):
            faults.add(f"env.{name}", f"must be a string, got {value!r}")
    return {str(name): str(value) for name, value in env.items()}
