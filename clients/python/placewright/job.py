"""What a user asks for: a job and its alternatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Union

from placewright.strings import Location
from placewright.words import JobKind, Market


@dataclass(frozen=True)
class Alternative:
    """One way to satisfy a job: a size string and, if known, how fast it is.

    Attributes:
        size: such as "h100:64", "h100:4x8" or "tpu-v5p:4x4x8".
        speed_permille: speed of one accelerator here, in permille of one h100; None: the catalogue's.
    """

    size: str
    speed_permille: int | None = field(default=None, kw_only=True)

    def __str__(self) -> str:
        speed = "" if self.speed_permille is None else f" at {self.speed_permille / 1000:g}x"
        return f"{self.size}{speed}"


# Union, not |: these run when the module is imported, and the arguments are strings under 3.10.
Accelerators = Union[str, Alternative, "Sequence[str | Alternative]", "Mapping[str, int]"]
Duration = Union[str, timedelta]  # noqa: UP007
Place = Union[str, Location]  # noqa: UP007


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
        replicas: for inference: how many should run.
        estimated_duration: for training: how long on its fastest alternative.
        max_duration: a run is stopped after this long; None: never.
        grace_period: between the polite and the hard stop; None: 30 s.
        user_error_retries: how often a replica may fail by its own fault and still be tried again.
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
    locations: Sequence[Place] = ()
    denied_locations: Sequence[Place] = ()
    pools: Sequence[str] = ()
    denied_pools: Sequence[str] = ()
    markets: Sequence[str | Market] = ()
    residency: Sequence[str] = ()

    def __post_init__(self) -> None:
        # Here, not above: `import placewright` and `placewright --help` do without protobuf.
        from placewright.encode import submission_of

        submission_of(self, request_id="")
