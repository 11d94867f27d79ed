"""What the end of a run means for its replica: done, or waiting again after a back-off."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from scheduler.model.deferral import Deferral, DeferralReason
from scheduler.model.job import Job
from scheduler.model.replica import BACK_OFF_MS_MAX, Replica, ReplicaState
from scheduler.model.run import EndReason, Run


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long a replica waits after an end: doubles with each failure in a row."""

    first_ms: int
    max_ms: int

    def after(self, failures: int) -> int:
        return min(self.max_ms, self.first_ms << min(max(failures - 1, 0), 30))


NO_BACK_OFF = BackOff(0, 0)
BACK_OFFS: Mapping[EndReason, BackOff] = {
    EndReason.SUCCEEDED: BackOff(10_000, 300_000),  # a service that exits: started again
    EndReason.STOCKOUT: BackOff(30_000, BACK_OFF_MS_MAX),
    EndReason.RECLAIMED: NO_BACK_OFF,
    EndReason.INFRASTRUCTURE: BackOff(5_000, 300_000),
    EndReason.USER_ERROR: BackOff(10_000, 300_000),
    EndReason.PREEMPTED: NO_BACK_OFF,
    EndReason.MOVED: NO_BACK_OFF,
    EndReason.DRAINED: NO_BACK_OFF,
    EndReason.LOST: NO_BACK_OFF,
}
STEADY_RUN_MS = 600_000  # a run that lasted this long ends the row of failures


def ended(
    run: Run, reason: EndReason, *, now_ms: int, exit_code: int | None = None, message: str = ""
) -> Run:
    """The run, over. What was said when its stop was asked for stays in front of the message."""
    said = run.message if reason is run.stop_reason else ""
    return replace(
        run,
        state=run.state.ENDED,
        before_unreachable=None,
        end_reason=reason,
        ended_at_ms=now_ms,
        exit_code=exit_code,
        message="; ".join(part for part in (said, message) if part),
    )


def after_end(job: Job, replica: Replica, run: Run) -> Replica:
    """The replica once its live run has ended."""
    assert run.end_reason is not None, run
    assert run.ended_at_ms is not None, run
    outcome = _final_outcome(job, replica, run.end_reason)
    if outcome is not None:
        return done(replica, outcome)
    return _waiting_again(replica, run, reason=run.end_reason, now_ms=run.ended_at_ms)


def done(replica: Replica, outcome: EndReason) -> Replica:
    """The replica, needing no further run."""
    return replace(replica, state=ReplicaState.DONE, live_run=None, deferral=None, outcome=outcome)


def _final_outcome(job: Job, replica: Replica, reason: EndReason) -> EndReason | None:
    if reason is EndReason.SUCCEEDED and job.spec.training is not None:
        return reason
    if job.cancel_requested_at_ms is not None or reason is EndReason.CANCELLED:
        return EndReason.CANCELLED
    if reason in (EndReason.TIMEOUT, EndReason.SCALED_DOWN):
        return reason
    if reason is EndReason.USER_ERROR and replica.user_errors >= job.spec.user_error_retries:
        return reason
    return None


def _waiting_again(replica: Replica, run: Run, *, reason: EndReason, now_ms: int) -> Replica:
    was_steady = run.running_at_ms is not None and now_ms - run.running_at_ms >= STEADY_RUN_MS
    earlier = 0 if was_steady else replica.failures
    failures = earlier if BACK_OFFS[reason] is NO_BACK_OFF else earlier + 1
    not_before_ms = now_ms + BACK_OFFS[reason].after(failures)
    backing_off = Deferral(reason=DeferralReason.BACKING_OFF, not_before_ms=not_before_ms)
    return replace(
        replica,
        state=ReplicaState.WAITING,
        live_run=None,
        waiting_since_ms=now_ms,
        not_before_ms=not_before_ms,
        failures=failures,
        user_errors=replica.user_errors + (reason is EndReason.USER_ERROR),
        deferral=backing_off if not_before_ms > now_ms else None,
    )
