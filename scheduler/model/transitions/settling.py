"""What the leader does without a plan: make replicas, stop runs, finish jobs, remove what is over."""

from collections.abc import Iterator
from dataclasses import replace

from scheduler.model.ids import ReplicaId, replica_id_of, run_id_of
from scheduler.model.job import Job, JobPhase
from scheduler.model.limits import CHANGES_PER_TRANSACTION_MAX
from scheduler.model.occupancy import awaited_by
from scheduler.model.quarantine import may_be_claimed_unknown
from scheduler.model.records import Key, Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.retention import Retention
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Fence, IsAt, IsPlannedAt, Put, Transaction
from scheduler.model.transitions.ending import done
from scheduler.model.transitions.jobs import new_replica
from scheduler.model.transitions.runs import LiveRun, live_run, stop_requested, withdrawn

OFFER_MS_MIN = 60_000  # a launcher that restarts finds its offers again
AWAITED_END_MS_MAX = 120_000  # after its grace period, a run that others wait for must have ended


def settlements(state: State, *, now_ms: int, fence: Fence) -> Iterator[Transaction]:
    """Every move that is due at this instant and needs no plan, in a fixed order."""
    for job in state.unfinished_jobs():
        yield from _of_job(state, job, now_ms=now_ms, fence=fence)
    for pool in state.pools():
        if pool.deleting and not state.live_runs(pool.id):
            key = Key(Kind.POOL, pool.id)
            yield Transaction(checks=(IsAt(key, state.version(key)),), deletes=(key,), fence=fence)


def _of_job(state: State, job: Job, *, now_ms: int, fence: Fence) -> Iterator[Transaction]:
    replicas = state.replicas_of(job)
    if len(replicas) < job.spec.replicas and not job.is_cancelling:
        yield from _missing_replicas(state, job, fence=fence)
        return
    if all(replica.state is ReplicaState.DONE for replica in replicas):
        yield _finished(state, job, replicas, now_ms=now_ms, fence=fence)
        return
    for replica in replicas:
        yield from _of_replica(state, job, replica, now_ms=now_ms, fence=fence)


def _missing_replicas(state: State, job: Job, *, fence: Fence) -> Iterator[Transaction]:
    key = Key(Kind.JOB, job.id)
    check = IsPlannedAt(key, state.planning_version(key))
    missing = [i for i in range(job.spec.replicas) if state.replica(replica_id_of(job.id, i)) is None]
    for start in range(0, len(missing), CHANGES_PER_TRANSACTION_MAX):
        chunk = missing[start : start + CHANGES_PER_TRANSACTION_MAX]
        puts = tuple(Put(entity=new_replica(job, index)) for index in chunk)
        yield Transaction(checks=(check,), puts=puts, fence=fence)


def _finished(state: State, job: Job, replicas: list[Replica], *, now_ms: int, fence: Fence) -> Transaction:
    key = Key(Kind.JOB, job.id)
    finished = replace(job, outcome=_outcome(replicas), finished_at_ms=now_ms)
    return Transaction(
        checks=(IsAt(key, state.version(key)),), puts=(Put(entity=finished, replans=True),), fence=fence
    )


def _outcome(replicas: list[Replica]) -> JobPhase:
    outcomes = {replica.outcome for replica in replicas}
    if outcomes - {EndReason.SUCCEEDED, EndReason.CANCELLED}:
        return JobPhase.FAILED
    return JobPhase.CANCELLED if EndReason.CANCELLED in outcomes or not outcomes else JobPhase.SUCCEEDED


def _of_replica(
    state: State, job: Job, replica: Replica, *, now_ms: int, fence: Fence
) -> Iterator[Transaction]:
    if replica.state is ReplicaState.WAITING and job.is_cancelling:
        yield _given_up(state, replica, fence=fence)
    if replica.live_run is None:
        return
    found = live_run(state, replica.live_run)
    assert found is not None, replica
    if may_be_claimed_unknown(state, found.run):
        return
    transaction = _of_run(state, found, now_ms=now_ms, fence=fence)
    if transaction is not None:
        yield transaction


def _of_run(state: State, found: LiveRun, *, now_ms: int, fence: Fence) -> Transaction | None:
    if found.job.is_cancelling:
        return stop_requested(found, EndReason.CANCELLED, now_ms=now_ms, fence=fence)
    due_ms = due_at_ms(state, found.job, found.run)
    if due_ms is None or due_ms > now_ms:
        return None
    if found.run.state is RunState.PLACED:
        message = "the launcher has not claimed the run in time"
        if awaited := awaited_by(state, found.run):
            message = f"run {awaited[0].id}, for whose room it waited, does not end"
        return withdrawn(found, EndReason.INFRASTRUCTURE, now_ms=now_ms, fence=fence, message=message)
    return stop_requested(found, EndReason.TIMEOUT, now_ms=now_ms, fence=fence)


def _given_up(state: State, replica: Replica, *, fence: Fence) -> Transaction:
    key = Key(Kind.REPLICA, replica.id)
    return Transaction(
        checks=(IsAt(key, state.version(key)),),
        puts=(Put(entity=done(replica, EndReason.CANCELLED)),),
        fence=fence,
    )


def due_at_ms(state: State, job: Job, run: Run) -> int | None:
    """When the clock ends the run: an offer that nobody claims, or `max_duration`; None for never."""
    if run.state is RunState.PLACED:
        awaited = awaited_by(state, run)
        return _waits_until_ms(run, awaited) if awaited else _offered_until_ms(state, run)
    if run.running_at_ms is None or run.stop_reason or job.spec.max_duration_ms is None:
        return None
    return run.running_at_ms + job.spec.max_duration_ms


def _waits_until_ms(run: Run, awaited: list[Run]) -> int:
    """How long it may wait for those; not at all for one that is not being stopped or out of reach."""
    ends_ms = run.placed_at_ms
    for each in awaited:
        if each.state is not RunState.STOPPING or each.stop_requested_at_ms is None:
            return run.placed_at_ms
        ends_ms = max(ends_ms, each.stop_requested_at_ms + each.grace_period_ms)
    return ends_ms + AWAITED_END_MS_MAX


def _offered_until_ms(state: State, run: Run) -> int:
    """An offer counts from when it may be claimed."""
    pool = state.pool(run.pool_id)
    offer_ms = 0 if pool is None else max(OFFER_MS_MIN, pool.spec.lease_duration_ms)
    awaited = (state.run(run_id) for run_id in run.after_runs)
    ends_ms = [each.ended_at_ms for each in awaited if each is not None and each.ended_at_ms is not None]
    return max([run.placed_at_ms, *ends_ms]) + offer_ms


def next_due_ms(state: State) -> int | None:
    """When the clock ends the next run."""
    known = (run for run in state.all_live_runs() if not may_be_claimed_unknown(state, run))
    runs = [(state.job(run.job_id), run) for run in known]
    due = [due_at_ms(state, job, run) for job, run in runs if job is not None]
    return min((each for each in due if each is not None), default=None)


def removals(state: State, retention: Retention, *, now_ms: int, fence: Fence) -> Iterator[Transaction]:
    """Jobs whose retention is over, with all that belongs to them; the job itself last."""
    for job in state.finished_jobs():
        assert job.finished_at_ms is not None, job
        ends_at_ms = retention.ends_at_ms(
            submitted_at_ms=job.submitted_at_ms, finished_at_ms=job.finished_at_ms
        )
        if ends_at_ms <= now_ms:
            yield from _removed(state, job, fence=fence)


def _removed(state: State, job: Job, *, fence: Fence) -> Iterator[Transaction]:
    parts = [key for replica in state.replicas_of(job) for key in _parts(replica.id, replica.run_number)]
    for start in range(0, len(parts), CHANGES_PER_TRANSACTION_MAX):
        yield Transaction(deletes=tuple(parts[start : start + CHANGES_PER_TRANSACTION_MAX]), fence=fence)
    key = Key(Kind.JOB, job.id)
    yield Transaction(
        checks=(IsAt(key, state.version(key)),),
        deletes=(Key(Kind.PAYLOAD, job.id), Key(Kind.IDEMPOTENCY, job.request_key), key),
        fence=fence,
    )


def _parts(replica_id: ReplicaId, runs: int) -> list[Key]:
    run_keys = [Key(Kind.RUN, run_id_of(replica_id, number)) for number in range(1, runs + 1)]
    return [*run_keys, Key(Kind.REPLICA, replica_id)]
