"""A replica: the unit of placement, one gang of a job."""

from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.brakes import Pin
from scheduler.model.deferral import Deferral
from scheduler.model.ids import JobId, PoolId, ReplicaId, RunId
from scheduler.model.run import EndReason


class ReplicaState(StrEnum):
    WAITING = "waiting"
    PLACED = "placed"
    RUNNING = "running"
    DONE = "done"


BACK_OFF_MS_MAX = 600_000
PREEMPTIONS_KEPT = 8


@dataclass(frozen=True, slots=True)
class Preemption:
    """That a run of a replica was stopped for a worthier one: when, and on which pool."""

    at_ms: int
    pool_id: PoolId


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One gang of a job.

    Attributes:
        live_run: set in the same transaction that makes the run, cleared in the one that ends it.
        last_run: the newest run, live or ended.
        run_number, run_token: of the newest run; 0 before the first.
        failures: ends in a row that call for a longer back-off, since the last time it ran.
        not_before_ms: it is not placed again before then.
        outcome: how its last run ended, once DONE.
        pin: an operator's; it is placed only there.
        preemptions: the newest PREEMPTIONS_KEPT, oldest first.
    """

    id: ReplicaId
    job_id: JobId
    index: int
    state: ReplicaState = ReplicaState.WAITING
    live_run: RunId | None = None
    last_run: RunId | None = None
    run_number: int = 0
    run_token: int = 0
    user_errors: int = 0
    failures: int = 0
    waiting_since_ms: int
    not_before_ms: int = 0
    deferral: Deferral | None = None
    outcome: EndReason | None = None
    pin: Pin | None = None
    preemptions: tuple[Preemption, ...] = ()

    def __post_init__(self) -> None:
        placed = self.state in (ReplicaState.PLACED, ReplicaState.RUNNING)
        assert placed == (self.live_run is not None), self
        assert (self.state is ReplicaState.DONE) == (self.outcome is not None), self

    @property
    def may_be_displaced(self) -> bool:
        """Whether its live run may be stopped so that others, or the plan, gain by it: preempted or moved."""
        return self.pin is None

    def allows(self, pool_id: PoolId) -> bool:
        """Whether its pin, if it has one, is to that pool."""
        return self.pin is None or self.pin.pool_id == pool_id

    def backs_off_until(self, now_ms: int) -> int | None:
        """When its back-off ends; None if it may be placed now.

        None too for an end further ahead than any back-off lasts: who wrote that had a wrong clock.
        """
        return self.not_before_ms if 0 < self.not_before_ms - now_ms <= BACK_OFF_MS_MAX else None
