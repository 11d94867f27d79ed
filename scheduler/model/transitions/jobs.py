"""Moves of jobs that callers ask for: submit, cancel, hold and release."""

from dataclasses import replace

from scheduler.model.brakes import Hold
from scheduler.model.ids import JobId, replica_id_of
from scheduler.model.job import Job
from scheduler.model.records import IdempotencyRecord, Key, Kind, LaunchPayload
from scheduler.model.replica import Replica
from scheduler.model.state import State
from scheduler.model.transaction import IsAbsent, IsAt, Put, Transaction

REPLICAS_MADE_AT_SUBMIT_MAX = 100  # the leader makes the others, so that a submit stays one small write


def submitted(job: Job, payload: LaunchPayload, idempotency: IdempotencyRecord) -> Transaction:
    """The job with its first replicas, its payload and the record of its request id."""
    first = range(min(job.spec.replicas, REPLICAS_MADE_AT_SUBMIT_MAX))
    return Transaction(
        checks=(IsAbsent(Key(Kind.IDEMPOTENCY, idempotency.id)), IsAbsent(Key(Kind.JOB, job.id))),
        puts=(
            Put(entity=idempotency),
            Put(entity=job),
            Put(entity=payload),
            *(Put(entity=new_replica(job, index)) for index in first),
        ),
    )


def new_replica(job: Job, index: int) -> Replica:
    """A replica that has never been placed."""
    return Replica(
        id=replica_id_of(job.id, index),
        job_id=job.id,
        index=index,
        waiting_since_ms=job.submitted_at_ms,
    )


def cancel_requested(state: State, job_id: JobId, *, reason: str, now_ms: int) -> Transaction | None:
    """The intent to end a job; None when it is finished or was asked for before."""
    job = state.job(job_id)
    if job is None or job.is_finished or job.is_cancelling:
        return None
    key = Key(Kind.JOB, job_id)
    cancelling = replace(job, cancel_requested_at_ms=now_ms, cancel_reason=reason)
    return Transaction(checks=(IsAt(key, state.version(key)),), puts=(Put(entity=cancelling, replans=True),))


def held(state: State, job: Job, hold: Hold | None) -> Transaction | None:
    """The job with or without a hold; None when it is so already or finished. A held job keeps its hold."""
    if job.is_finished or (job.hold is None) == (hold is None):
        return None
    key = Key(Kind.JOB, job.id)
    changed = replace(job, hold=hold)
    return Transaction(checks=(IsAt(key, state.version(key)),), puts=(Put(entity=changed, replans=True),))
