"""A run that the launcher holds, in memory."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from placewright.launcher.backend import End
from placewright.launcher.notes import SavedRun
from placewright.v1.job_pb2 import EndReason, Placement, RunState
from placewright.v1.launcher_service_pb2 import DesiredRun, DesiredState, RunFacts, RunReport

MESSAGE_LENGTH_MAX = 1_000
KNOWN_DESIRES = (DesiredState.DESIRED_STATE_RUN, DesiredState.DESIRED_STATE_STOP)


class Phase(enum.Enum):
    """How far the launcher is with a run; it only goes forward."""

    NOTED = "noted"
    CLAIMED = "claimed"
    STARTED = "started"
    ENDED = "ended"


@dataclass(slots=True, kw_only=True)
class HeldRun:
    """What the launcher knows of a run.

    Attributes:
        run_token: 0 while NOTED, and while it is not known of a run whose notes lack it.
        placement: of the offer; None after a restart.
        desired: what the service said last that this launcher understands, in whatever session.
        generation: of what the service said last in this session.
        is_claiming: a claim is under way in this session.
        is_launching: the way from the claim to the backend's start is under way in this process.
        is_running: every task was seen to run.
        end: there exactly when ENDED.
        is_released: the service needs nothing more of it; it goes when nothing of it is left.
        facts: of the claim, for a service that has lost it; None in notes of older launchers.
        told: the newest state that the service has answered for in this session.
    """

    run_id: str
    pool_id: str
    phase: Phase = Phase.NOTED
    run_token: int = 0
    placement: Placement | None = None
    desired: DesiredRun | None = None
    generation: int = 0
    is_claiming: bool = False
    is_launching: bool = False
    is_running: bool = False
    end: End | None = None
    is_released: bool = False
    told: RunState = RunState.RUN_STATE_UNSPECIFIED
    facts: RunFacts | None = None

    def take(self, desired: DesiredRun) -> None:
        """Take in what the service says; a desire that this launcher does not know changes only the facts."""
        self.generation = desired.generation
        self.is_released = False  # known again: its end must be reported
        if desired.desired in KNOWN_DESIRES:
            self.desired = desired
        elif self.desired is not None:
            self.desired.claimed, self.desired.run_token = desired.claimed, desired.run_token

    @property
    def is_to_stop(self) -> bool:
        stop = DesiredState.DESIRED_STATE_STOP
        return self.is_released or (self.desired is not None and self.desired.desired == stop)

    @property
    def stop_reason(self) -> EndReason | None:
        """Why the service wants it to stop; None when it does not say so."""
        if self.desired is None or self.desired.desired != DesiredState.DESIRED_STATE_STOP:
            return None
        return self.desired.stop_reason or None

    @property
    def grace_s(self) -> float:
        return 0.0 if self.desired is None else self.desired.grace_period.ToMilliseconds() / 1_000

    @property
    def state(self) -> RunState:
        """As reports spell it."""
        if self.phase is Phase.ENDED:
            return RunState.RUN_STATE_ENDED
        return RunState.RUN_STATE_RUNNING if self.is_running else RunState.RUN_STATE_STARTING

    def report(self) -> RunReport:
        """The run as the service is told."""
        report = RunReport(run_id=self.run_id, run_token=self.run_token, state=self.state)
        if self.facts is not None:
            report.facts.CopyFrom(self.facts)
        if self.end is not None:
            report.end_reason = self.end.reason
            report.message = self.end.message[:MESSAGE_LENGTH_MAX]
            if self.end.exit_code is not None:
                report.exit_code = self.end.exit_code
        return report


def held_again(saved: SavedRun) -> HeldRun:
    """The run that an earlier launcher noted."""
    held = HeldRun(
        run_id=saved.run_id,
        pool_id=saved.pool_id,
        run_token=saved.run_token,
        end=saved.end,
        facts=saved.facts,
    )
    if saved.end is not None:
        held.phase = Phase.ENDED
    elif saved.is_started:
        held.phase = Phase.STARTED
    elif saved.is_claimed:
        held.phase = Phase.CLAIMED
    return held


def wanted(desired: DesiredRun) -> HeldRun:
    """The run that the service wants of a launcher that does not hold it."""
    return HeldRun(
        run_id=desired.run_id,
        pool_id=pool_id_of(desired),
        desired=desired,
        generation=desired.generation,
    )


def pool_id_of(desired: DesiredRun) -> str:
    """The pool of a run that is placed on one; empty when it is not."""
    return desired.placement.assignments[0].pool_id if desired.placement.assignments else ""
