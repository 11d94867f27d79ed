"""Jobs, replicas and runs as the scheduler keeps them: frozen values, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from placewright.alternative import Alternative
from placewright.reasons import Deferral, Placement, PlacementValue
from placewright.strings import Location
from placewright.words import (
    EndReason,
    JobKind,
    JobPhase,
    Market,
    ReplicaState,
    RunState,
    WatchEventKind,
)

FINISHED = frozenset({JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED})


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt of one replica.

    Attributes:
        run_number: grows with each run of the replica; may skip.
        stop_reason: why it is being stopped; None when it is not.
        placement: where it is.
        value: why there.
        message: what is known of the end; of a run that is being preempted, by which job.
        after_run_ids: runs that must have ended before it is offered to its launcher.
    """

    run_id: str
    run_number: int
    state: RunState
    end_reason: EndReason | None
    stop_reason: EndReason | None
    placement: Placement | None
    value: PlacementValue | None
    placed_at: datetime | None
    running_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    message: str
    after_run_ids: tuple[str, ...] = ()

    @property
    def is_live(self) -> bool:
        return self.state is not RunState.ENDED


@dataclass(frozen=True, kw_only=True)
class Pin:
    """The only pool that a replica may be placed on, who said so, why and since when."""

    pool_id: str
    reason: str
    principal: str
    pinned_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Replica:
    """The unit of placement: one gang of a job.

    Attributes:
        deferral: why it waits; only while WAITING.
        run: the newest run, live or ended; None before the first.
        runs: how many there were.
        pin: while an operator pins it to a pool.
    """

    replica_id: str
    index: int
    state: ReplicaState
    deferral: Deferral | None
    run: Run | None
    runs: int
    pin: Pin | None = None


@dataclass(frozen=True, kw_only=True)
class ReplicaCounts:
    """How many replicas are in each state."""

    waiting: int = 0
    placed: int = 0
    running: int = 0
    done: int = 0


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """What was asked for, with defaults, sizes and speeds filled in by the scheduler."""

    name: str
    queue: str
    priority_class: str
    kind: JobKind
    alternatives: tuple[Alternative, ...]
    estimated_duration: timedelta | None
    max_duration: timedelta | None
    grace_period: timedelta | None
    user_error_retries: int
    preemptible: bool = True
    min_runtime: timedelta | None = None
    locations: tuple[Location, ...] = ()
    denied_locations: tuple[Location, ...] = ()
    pools: tuple[str, ...] = ()
    denied_pools: tuple[str, ...] = ()
    markets: tuple[Market, ...] = ()
    residency: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Why a job gets no new placements, who said so and since when."""

    reason: str
    principal: str
    held_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class JobView:
    """A job as the scheduler keeps it.

    Attributes:
        spec: the effective one: what the scheduler works with.
        desired_replicas: how many should run.
        cancel_reason: why cancelling was asked for, as the caller said.
        etag: for conditional writes; changes with what users say of the job, not with its replicas.
        replicas: by index; may be left out of what lists, watches and `submit_many` give.
        replicas_left_out: there are replicas that are not shown here; `get_job` and `refresh` give them.
        hold: while the job is held, else None.
    """

    job_id: str
    spec: JobSpec
    phase: JobPhase
    counts: ReplicaCounts
    desired_replicas: int
    spec_generation: int
    submitter: str
    submitted_at: datetime | None
    cancel_requested_at: datetime | None
    cancel_reason: str
    finished_at: datetime | None
    etag: str
    revision: int
    replicas: tuple[Replica, ...]
    replicas_left_out: bool
    hold: Hold | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_finished(self) -> bool:
        return self.phase in FINISHED

    @property
    def is_placed(self) -> bool:
        """Whether no replica waits for a place."""
        return self.phase is not JobPhase.PENDING and self.counts.waiting == 0

    @property
    def is_running(self) -> bool:
        """Whether every replica runs or is done."""
        return self.is_placed and self.counts.placed == 0

    @property
    def live_placements(self) -> tuple[Placement, ...]:
        """Where its live runs are, as far as its replicas are shown."""
        runs = (replica.run for replica in self.replicas)
        return tuple(run.placement for run in runs if run is not None and run.is_live and run.placement)

    @property
    def charged_usd_micros_per_hour(self) -> int:
        """What its live runs are charged, as far as its replicas are shown."""
        return sum(placement.charged_usd_micros_per_hour for placement in self.live_placements)

    @property
    def deferrals(self) -> tuple[Deferral, ...]:
        """Why its replicas wait, in their order, as far as they are shown."""
        return tuple(replica.deferral for replica in self.replicas if replica.deferral is not None)


@dataclass(frozen=True, kw_only=True)
class JobEvent:
    """What a watch says; see `WatchEventKind`.

    Attributes:
        job: the full state, for CHANGED and LEFT.
        cursor: where `watch_jobs(cursor=...)` with the same filter goes on after this event; empty until
            INITIAL_END.
        revision: every change of matching jobs up to this revision has been given; 0 until INITIAL_END.
    """

    kind: WatchEventKind
    job_id: str = ""
    job: JobView | None = None
    cursor: str = ""
    revision: int = 0
