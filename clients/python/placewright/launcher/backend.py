"""What a launcher must be able to do: start, stop and observe runs. Write your own against this protocol."""

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from placewright.v1.job_pb2 import EndReason, Placement
from placewright.v1.pool_pb2 import PoolSpec


class Presence(enum.Enum):
    """How a run is found."""

    STARTING = "starting"
    """Some of it may exist; not every task runs yet."""
    RUNNING = "running"
    """Every task runs."""
    ENDED = "ended"
    """Nothing of it is left, and how it ended is known."""
    ABSENT = "absent"
    """Surely nothing of it is left, and nobody knows how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a run ended.

    Attributes:
        exit_code: of the first task that failed; None when none did.
    """

    reason: EndReason
    exit_code: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A run as its backend finds it; `end` is there exactly when it has ENDED."""

    presence: Presence
    end: End | None = None


STARTING = Observation(presence=Presence.STARTING)
RUNNING = Observation(presence=Presence.RUNNING)
ABSENT = Observation(presence=Presence.ABSENT)


def ended(reason: EndReason, *, exit_code: int | None = None, message: str = "") -> Observation:
    """The observation of a run that has ended."""
    return Observation(presence=Presence.ENDED, end=End(reason=reason, exit_code=exit_code, message=message))


def end_reason_name(reason: EndReason) -> str:
    """A name such as END_REASON_SUCCEEDED; the number of a reason that this launcher does not know."""
    return EndReason.Name(reason) if reason in EndReason.values() else str(int(reason))


def end_reason_named(name: str) -> EndReason:
    """The end reason with a name that `end_reason_name` gave."""
    return cast("EndReason", int(name) if name.isdecimal() else EndReason.Value(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What the hosts of a self-fencing pool watch: the file with the launcher's lease.

    Attributes:
        lease_file: see `placewright.launcher.lease`.
        epoch: of the lease when the run was claimed; another epoch in the file means that the lease
            ran out in between and the run must stop.
    """

    lease_file: Path
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """A claimed run to start.

    Attributes:
        grace_s: between the polite and the hard stop, when the gang has to be stopped because a task failed.
        fence: present on self-fencing pools.
    """

    run_id: str
    run_token: int
    job_id: str
    job_name: str
    replica_index: int
    run_number: int
    pool_id: str
    pool: PoolSpec
    placement: Placement
    command: tuple[str, ...]
    env: Mapping[str, str]
    grace_s: float
    fence: Fence | None


class StartRefused(Exception):
    """The run cannot be started and nothing of it was; the reason goes into the run's end."""

    def __init__(self, message: str, *, reason: EndReason = EndReason.END_REASON_INFRASTRUCTURE) -> None:
        super().__init__(message)
        self.reason = reason


class Backend(Protocol):
    """Starts, stops and observes runs. The runtime does the rest: sessions, claims, leases and reports.

    Every method is called on the runtime's event loop and must not block it.
    """

    @property
    def is_self_fencing(self) -> bool:
        """Whether it honours `StartRequest.fence`; without it, runs of self-fencing pools are not claimed."""
        ...

    async def start(self, run: StartRequest) -> None:
        """Begin to start the gang; called at most once for a run, ever.

        Raises:
            StartRefused: nothing was started.
        """
        ...

    async def stop(self, run_id: str, *, reason: EndReason, grace_s: float) -> None:
        """Begin to stop the gang; the run then ends with `reason`, unless it had ended by itself.

        Safe to repeat, and for runs that have ended or that it does not know.
        """
        ...

    async def observe(self, run_id: str) -> Observation:
        """How the run is found now, also after a restart of the launcher, and for runs it does not know.

        Remains that nobody supervises any more are ended before the answer is ABSENT.
        """
        ...

    async def next_changes(self, run_ids: Collection[str]) -> Collection[str]:
        """Wait until some of the runs may have changed and return these; a poller sleeps and returns all."""
        ...

    async def forget(self, run_id: str) -> None:
        """Clear away what is kept of an ended run."""
        ...
