"""Moves of runs: placed, stopped and judged by the leader, claimed and reported by launchers."""

from dataclasses import dataclass, replace

from scheduler.model.errors import IllegalTransition
from scheduler.model.ids import REVISIONS_PER_SECOND, Revision, RunId, run_id_of
from scheduler.model.job import Job
from scheduler.model.occupancy import awaited_by
from scheduler.model.plan import Place, Step
from scheduler.model.pool import Availability, Pool
from scheduler.model.quarantine import may_be_claimed_unknown
from scheduler.model.records import Key, Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import MOVES, REPORTED_BY_LAUNCHERS, EndReason, Run, RunState
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.transaction import Check, Fence, IsAt, IsPlannedAt, Put, Transaction
from scheduler.model.transitions.ending import after_end, ended
from scheduler.model.transitions.preemption import puts_of_stop

RUNS_KEPT_PER_REPLICA = 20


def placed(state: State, step: Step, *, now_ms: int, fence: Fence) -> Transaction:
    """A step of a plan: its stops, and a run for each place with the replica that it is the live run of."""
    places = tuple(put for place in step.places for put in _puts_of_place(state, place, now_ms))
    stops = tuple(put for stop in step.stops for put in puts_of_stop(state, stop, now_ms))
    forgotten = tuple(_forgotten_run(put.entity) for put in places if isinstance(put.entity, Run))
    return Transaction(
        checks=step.preconditions,
        puts=(*stops, *places),
        deletes=tuple(key for key in forgotten if key is not None),
        fence=fence,
    )


def _forgotten_run(newest: Run) -> Key | None:
    """The run that is too old to be kept once there is this one."""
    number = newest.run_number - RUNS_KEPT_PER_REPLICA
    return Key(Kind.RUN, run_id_of(newest.replica_id, number)) if number > 0 else None


def _puts_of_place(state: State, place: Place, now_ms: int) -> tuple[Put, Put]:
    replica = state.replica(place.replica_id)
    assert replica is not None, place
    job, pool = state.job(replica.job_id), state.pool(place.placement.pool_id)
    assert job is not None, place
    assert pool is not None, place
    number = replica.run_number + 1
    run = Run(
        id=run_id_of(replica.id, number),
        replica_id=replica.id,
        job_id=replica.job_id,
        run_number=number,
        run_token=next_run_token(state, replica),
        placement=place.placement,
        launcher_id=pool.spec.launcher_id,
        grace_period_ms=job.spec.grace_period_ms,
        placed_at_ms=now_ms,
        history=state.history,
        after_runs=place.after_runs,
    )
    return Put(entity=run), Put(
        entity=replace(
            replica,
            state=ReplicaState.PLACED,
            live_run=run.id,
            last_run=run.id,
            run_number=number,
            run_token=run.run_token,
            deferral=None,
        )
    )


def next_run_token(state: State, replica: Replica) -> int:
    """Above every token that the replica had, also in a history whose end was lost: see `first_revision`."""
    era = state.revision - state.revision % REVISIONS_PER_SECOND
    return max(replica.run_token, era) + 1


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run with what moves with it."""

    run: Run
    replica: Replica
    job: Job
    checks: tuple[Check, ...]


def live_run(state: State, run_id: RunId) -> LiveRun | None:
    """The run, if it is known and not over."""
    run = state.run(run_id)
    if run is None or not run.is_live:
        return None
    replica, job = state.replica(run.replica_id), state.job(run.job_id)
    assert replica is not None, run
    assert job is not None, run
    assert replica.live_run == run.id, (replica, run)
    keys = Key(Kind.RUN, run.id), Key(Kind.REPLICA, replica.id), Key(Kind.JOB, job.id)
    run_key, replica_key, job_key = keys
    checks = (
        IsAt(run_key, state.version(run_key)),
        IsAt(replica_key, state.version(replica_key)),
        IsPlannedAt(job_key, state.planning_version(job_key)),
    )
    return LiveRun(run, replica, job, checks)


def moved_to(run: Run, new: RunState) -> Run:
    """The run in another state.

    Raises:
        IllegalTransition: the table of moves has no such move.
    """
    if new not in MOVES[run.state]:
        allowed = ", ".join(sorted(MOVES[run.state])) or "nothing"
        raise IllegalTransition(f"run {run.id} is {run.state}: it can become {allowed}, not {new}")
    before = run.state if new is RunState.UNREACHABLE else None
    return replace(run, state=new, before_unreachable=before)


def claimed(state: State, run_id: RunId, session: LauncherSession, *, now_ms: int) -> Transaction | None:
    """PLACED to STARTING by a launcher session; None when this session has it already.

    Raises:
        IllegalTransition: it is not on offer.
    """
    found = live_run(state, run_id)
    if found is None:
        raise IllegalTransition(f"run {run_id} is over or unknown: nothing may be started for it")
    run = found.run
    if run.state is RunState.STARTING and run.claimed_by == session.number:
        return None
    if run.state is not RunState.PLACED or run.launcher_id != session.launcher_id:
        raise IllegalTransition(f"run {run_id} is {run.state}: only an offered run can be claimed")
    if run.history != state.history:
        raise IllegalTransition(
            f"run {run_id} was offered in an earlier history: it may have been claimed then"
        )
    if found.job.is_cancelling:
        raise IllegalTransition(f"run {run_id} is being withdrawn: its job was cancelled")
    if awaited := awaited_by(state, run):
        raise IllegalTransition(f"run {run_id} is not offered yet: run {awaited[0].id} has not ended")
    starting = replace(moved_to(run, RunState.STARTING), claimed_by=session.number, claimed_at_ms=now_ms)
    return Transaction(checks=(*found.checks, same_session(state, session)), puts=(Put(entity=starting),))


def same_session(state: State, session: LauncherSession) -> Check:
    """That no newer session has been opened and this one has not expired; renewals do not matter."""
    key = Key(Kind.SESSION, session.launcher_id)
    return IsPlannedAt(key, state.planning_version(key))


def reported_running(
    state: State, found: LiveRun, session: LauncherSession, *, now_ms: int
) -> Transaction | None:
    """The launcher holds the run and every task runs; None when nothing changes."""
    run, replica = found.run, found.replica
    if run.state is RunState.PLACED:
        raise IllegalTransition(f"run {run.id} is placed: claim it before it runs")
    held = _held_by(run, session)
    if held.state is RunState.STARTING:
        held = moved_to(held, RunState.RUNNING)
    if held.state is RunState.RUNNING and held.running_at_ms is None:
        held = replace(held, running_at_ms=now_ms)
    if held == run:
        return None
    puts = [Put(entity=held)]
    if held.state is RunState.RUNNING and replica.state is not ReplicaState.RUNNING:
        puts.append(Put(entity=replace(replica, state=ReplicaState.RUNNING)))
    confirmed = run.running_at_ms is None and held.running_at_ms is not None
    extra = _availability_puts(state, run, EndReason.SUCCEEDED if confirmed else None, now_ms)
    return Transaction(
        checks=(*found.checks, same_session(state, session), *extra[0]), puts=(*puts, *extra[1])
    )


def reported_starting(state: State, found: LiveRun, session: LauncherSession) -> Transaction | None:
    """The launcher holds the run and is still starting it; None when nothing changes."""
    held = _held_by(found.run, session)
    if found.run.state is RunState.PLACED or held == found.run:
        return None
    return Transaction(checks=(*found.checks, same_session(state, session)), puts=(Put(entity=held),))


def _held_by(run: Run, session: LauncherSession) -> Run:
    """The run in the hands of a session: reachable, and adopted if another had it."""
    if run.state is RunState.UNREACHABLE:
        assert run.before_unreachable is not None, run
        run = moved_to(run, run.before_unreachable)
    return replace(run, claimed_by=session.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a launcher says that a run ended."""

    reason: EndReason
    exit_code: int | None = None
    message: str = ""


def reported_ended(
    state: State, found: LiveRun, session: LauncherSession, *, end: End, now_ms: int
) -> Transaction:
    """The run is over, on its launcher's word.

    A reason that only a stop can have, of a run that is not being stopped, counts as INFRASTRUCTURE.
    """
    run = found.run
    reason = end.reason
    if reason not in REPORTED_BY_LAUNCHERS and reason is not run.stop_reason:
        reason = EndReason.INFRASTRUCTURE  # a stop that the service no longer knows of
    over = ended(run, reason, now_ms=now_ms, exit_code=end.exit_code, message=end.message)
    checks, puts = _availability_puts(state, run, reason, now_ms)
    return Transaction(
        checks=(*found.checks, same_session(state, session), *checks),
        puts=(Put(entity=over), Put(entity=after_end(found.job, found.replica, over)), *puts),
    )


def _availability_puts(
    state: State, run: Run, reason: EndReason | None, now_ms: int
) -> tuple[tuple[Check, ...], tuple[Put, ...]]:
    """What a rented pool's availability learns: a run got through, or the provider had nothing."""
    pool = state.pool(run.pool_id)
    if pool is None or pool.availability is None or reason not in (EndReason.SUCCEEDED, EndReason.STOCKOUT):
        return (), ()
    if reason is EndReason.SUCCEEDED and run.running_at_ms is not None:
        return (), ()
    learned = _learned(pool, reason, now_ms)
    if learned == pool.availability:
        return (), ()
    key = Key(Kind.POOL, pool.id)
    return (IsAt(key, state.version(key)),), (Put(entity=replace(pool, availability=learned)),)


def _learned(pool: Pool, reason: EndReason, now_ms: int) -> Availability:
    assert pool.availability is not None, pool
    assert pool.spec.limit_accelerators is not None, pool
    limit = pool.spec.limit_accelerators
    believed = pool.availability.believed_free(now_ms=now_ms, limit=limit)
    if reason is EndReason.STOCKOUT:
        return Availability(accelerators=max(1, believed // 2), changed_at_ms=now_ms)
    if believed >= limit:
        return pool.availability
    return Availability(accelerators=min(limit, believed * 2), changed_at_ms=now_ms)


def stop_requested(found: LiveRun, reason: EndReason, *, now_ms: int, fence: Fence) -> Transaction | None:
    """The leader wants the run to stop; None when that was said before.

    An offer that nobody has claimed is withdrawn at once.
    """
    run = found.run
    if run.state is RunState.PLACED:
        return withdrawn(found, reason, now_ms=now_ms, fence=fence)
    if run.stop_reason is not None:
        return None
    stopping = replace(run, stop_reason=reason, stop_requested_at_ms=now_ms, generation=run.generation + 1)
    if run.state is RunState.UNREACHABLE:
        stopping = replace(stopping, before_unreachable=RunState.STOPPING)
    else:
        stopping = moved_to(stopping, RunState.STOPPING)
    return Transaction(checks=found.checks, puts=(Put(entity=stopping),), fence=fence)


def withdrawn(
    found: LiveRun, reason: EndReason, *, now_ms: int, fence: Fence, message: str = ""
) -> Transaction:
    """An unclaimed offer is taken back."""
    assert found.run.state is RunState.PLACED, found.run
    over = ended(found.run, reason, now_ms=now_ms, message=message)
    return Transaction(
        checks=found.checks,
        puts=(Put(entity=over), Put(entity=after_end(found.job, found.replica, over))),
        fence=fence,
    )


def became_unreachable(found: LiveRun, session: IsAt, *, fence: Fence) -> Transaction:
    """The run's launcher session has expired; `session` is what was judged."""
    unreachable = moved_to(found.run, RunState.UNREACHABLE)
    return Transaction(checks=(*found.checks, session), puts=(Put(entity=unreachable),), fence=fence)


def lost(found: LiveRun, session: IsAt, *, now_ms: int, fence: Fence) -> Transaction:
    """The run has surely fenced itself; `session` is what was judged."""
    over = ended(
        found.run,
        EndReason.LOST,
        now_ms=now_ms,
        message="the launcher lease ran out and the pool fences itself",
    )
    return Transaction(
        checks=(*found.checks, session),
        puts=(Put(entity=over), Put(entity=after_end(found.job, found.replica, over))),
        fence=fence,
    )


def force_ended(state: State, run: Run, *, reason: str, now_ms: int) -> Transaction:
    """An operator says that nothing of a run runs whose launcher nobody reaches.

    That is an unreachable one, or an offer whose claim the store may have lost.

    Raises:
        IllegalTransition: the run is reachable or over.
    """
    found = live_run(state, run.id)
    is_out_of_reach = run.state is RunState.UNREACHABLE or may_be_claimed_unknown(state, run)
    if found is None or not is_out_of_reach:
        raise IllegalTransition(f"run {run.id} is {run.state}: only an unreachable run can be declared ended")
    over = ended(run, EndReason.LOST, now_ms=now_ms, message=reason)
    return Transaction(
        checks=found.checks, puts=(Put(entity=over), Put(entity=after_end(found.job, found.replica, over)))
    )


def judged(state: State, session: LauncherSession) -> IsAt:
    """That the session is still as it was judged: a renewal or a new session makes the step invalid."""
    key = Key(Kind.SESSION, session.launcher_id)
    return IsAt(key, Revision(state.version(key)))
