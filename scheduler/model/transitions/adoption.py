"""Adoption: a run that its launcher holds and the store has lost becomes known again.

What becomes of which run: docs/decisions/lost-tails.md.
"""

from dataclasses import dataclass, replace

from scheduler.model.ids import JobId, ReplicaId, RunId, replica_id_of, run_id_of
from scheduler.model.pool import Pool
from scheduler.model.records import Key, Kind
from scheduler.model.replica import ReplicaState
from scheduler.model.run import Placement, Run, RunState
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.transaction import IsAbsent, IsAt, IsPlannedAt, Put, Transaction
from scheduler.model.transitions.runs import live_run, moved_to, same_session


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a launcher noted of a run when it claimed it."""

    job_id: JobId
    replica_index: int
    run_number: int
    placement: Placement
    grace_period_ms: int
    claimed_at_ms: int

    @property
    def replica_id(self) -> ReplicaId:
        return replica_id_of(self.job_id, self.replica_index)


def adopted(
    state: State, facts: RunFacts, session: LauncherSession, *, run_id: RunId, run_token: int
) -> Transaction | None:
    """The run, claimed by the session; None when it cannot be its replica's live run.

    Whether its nodes are free is not asked: its tasks are there. Why nothing newer is: the decision.
    """
    replica, job = state.replica(facts.replica_id), state.job(facts.job_id)
    pool = state.pool(facts.placement.pool_id)
    if replica is None or job is None or pool is None or run_id != run_id_of(replica.id, facts.run_number):
        return None
    if replica.state is not ReplicaState.WAITING or job.is_finished:
        return None
    if pool.spec.launcher_id != session.launcher_id or not _can_hold(pool, facts.placement):
        return None
    run = Run(
        id=run_id,
        replica_id=replica.id,
        job_id=job.id,
        run_number=facts.run_number,
        run_token=run_token,
        placement=facts.placement,
        state=RunState.STARTING,
        launcher_id=session.launcher_id,
        claimed_by=session.number,
        grace_period_ms=facts.grace_period_ms,
        placed_at_ms=facts.claimed_at_ms,
        claimed_at_ms=facts.claimed_at_ms,
        history=state.history,
    )
    taken = replace(
        replica,
        state=ReplicaState.PLACED,
        live_run=run.id,
        last_run=run.id,
        run_number=max(replica.run_number, run.run_number),
        run_token=max(replica.run_token, run_token),
        deferral=None,
    )
    replica_key, pool_key, job_key = (
        Key(Kind.REPLICA, replica.id),
        Key(Kind.POOL, pool.id),
        Key(Kind.JOB, job.id),
    )
    return Transaction(
        checks=(
            IsAbsent(Key(Kind.RUN, run_id)),
            IsAt(replica_key, state.version(replica_key)),
            IsAt(pool_key, state.version(pool_key)),
            IsPlannedAt(job_key, state.planning_version(job_key)),
            same_session(state, session),
        ),
        # a planned step that counted on the pool's room no longer holds
        puts=(Put(entity=run), Put(entity=taken, replans=True), Put(entity=pool, replans=True)),
    )


def claim_recovered(
    state: State, session: LauncherSession, *, run_id: RunId, run_token: int
) -> Transaction | None:
    """An offer of an earlier history that its launcher holds: the store has lost the claim.

    Only a claim gives the token away. None when it is no such run.
    """
    found = live_run(state, run_id)
    if found is None or found.run.state is not RunState.PLACED or found.run.history == state.history:
        return None
    run = found.run
    if run.run_token != run_token or run.launcher_id != session.launcher_id:
        return None
    starting = replace(
        moved_to(run, RunState.STARTING), claimed_by=session.number, claimed_at_ms=run.placed_at_ms
    )
    return Transaction(checks=(*found.checks, same_session(state, session)), puts=(Put(entity=starting),))


def _can_hold(pool: Pool, placement: Placement) -> bool:
    """Whether the pool, as it is now, has the nodes or slices that the run is on."""
    units = [*pool.spec.node_devices(), *pool.spec.slices()]
    return pool.spec.accelerator == placement.accelerator and all(
        0 <= share.node < len(units) for share in placement.nodes
    )
