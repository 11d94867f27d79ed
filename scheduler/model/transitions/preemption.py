"""Stops of a planned step: runs that make room for worthier ones."""

from collections.abc import Iterator
from dataclasses import replace

from scheduler.model.plan import Stop
from scheduler.model.replica import PREEMPTIONS_KEPT, Preemption, Replica
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Put
from scheduler.model.transitions.ending import after_end, ended


def puts_of_stop(state: State, stop: Stop, now_ms: int) -> Iterator[Put]:
    """The run stopping, or withdrawn if nobody has claimed it, and its replica that remembers."""
    run, replica = state.run(stop.run_id), state.replica(stop.replica_id)
    assert run is not None, stop
    assert replica is not None, stop
    assert run.is_live, run
    remembering = remembered(replica, run, now_ms=now_ms)
    message = preempted_by(state, stop)
    if run.state is RunState.PLACED:
        job = state.job(run.job_id)
        assert job is not None, run
        over = ended(run, EndReason.PREEMPTED, now_ms=now_ms, message=message)
        yield Put(entity=over)
        yield Put(entity=after_end(job, remembering, over))
    else:
        yield Put(entity=stopping(run, now_ms=now_ms, message=message))
        yield Put(entity=remembering)


def stopping(run: Run, *, now_ms: int, message: str) -> Run:
    assert run.state in (RunState.STARTING, RunState.RUNNING), run
    return replace(
        run,
        state=RunState.STOPPING,
        stop_reason=EndReason.PREEMPTED,
        stop_requested_at_ms=now_ms,
        generation=run.generation + 1,
        message=message,
    )


def remembered(replica: Replica, run: Run, *, now_ms: int) -> Replica:
    kept = (*replica.preemptions, Preemption(now_ms, run.pool_id))[-PREEMPTIONS_KEPT:]
    return replace(replica, preemptions=kept)


def preempted_by(state: State, stop: Stop) -> str:
    """What people read of the run that was stopped."""
    replica = state.replica(stop.by)
    job = None if replica is None else state.job(replica.job_id)
    assert job is not None, stop
    return f"preempted by {job.id} ({job.spec.priority_class})"
