"""Pins: a replica is placed on one pool only, and stays where it runs."""

from collections.abc import Callable
from dataclasses import dataclass

from scheduler.model.brakes import Pin
from scheduler.model.errors import FieldViolation, InvalidRequest, NotFound
from scheduler.model.ids import PoolId, ReplicaId, Revision
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.records import IdempotencyRecord
from scheduler.model.replica import Replica
from scheduler.model.state import State
from scheduler.model.transaction import Transaction
from scheduler.model.transitions.pins import pinned, unpinned
from scheduler.model.view import ReplicaView, replica_view
from scheduler.planning.eligibility import is_allowed
from scheduler.service.fleet import Caller
from scheduler.service.parts import Parts, idempotency_record


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedReplica:
    """A replica after a change, and the revision of the write."""

    view: ReplicaView
    revision: Revision


class Pins:
    """What operators may ask of replicas."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def pin(
        self, replica_id: ReplicaId, pool_id: PoolId | None, *, reason: str, caller: Caller
    ) -> ChangedReplica:
        """Place the replica on this pool only, from when this returns; None: where its live run is.

        Raises:
            NotFound, IllegalTransition
            InvalidRequest: the job could never be placed there.
        """
        content = ("pin", replica_id, pool_id, reason)
        now_ms = self._parts.clock.now_ms()

        def compute(state: State) -> Transaction | None:
            replica = _replica(state, replica_id)
            wanted = pool_id or _pool_of_live_run(state, replica)
            _check_possible(state, replica, wanted)
            pin = Pin(pool_id=wanted, reason=reason, principal=caller.principal, pinned_at_ms=now_ms)
            return pinned(state, replica, pin)

        return await self._changed(replica_id, self._record(replica_id, content, caller), compute)

    async def unpin(self, replica_id: ReplicaId, *, caller: Caller) -> ChangedReplica:
        """Let the replica be placed anywhere again.

        Raises:
            NotFound
        """
        record = self._record(replica_id, ("unpin", replica_id), caller)
        return await self._changed(
            replica_id, record, lambda state: unpinned(state, _replica(state, replica_id))
        )

    def _record(self, replica_id: ReplicaId, content: object, caller: Caller) -> IdempotencyRecord:
        return idempotency_record(
            caller.principal, caller.request_id, content=content, resource_id=replica_id
        )

    async def _changed(
        self,
        replica_id: ReplicaId,
        record: IdempotencyRecord,
        compute: Callable[[State], Transaction | None],
    ) -> ChangedReplica:
        revision = await self._parts.write_once(record, compute)
        state = self._parts.state
        return ChangedReplica(view=replica_view(state, _replica(state, replica_id)), revision=revision)


def _replica(state: State, replica_id: ReplicaId) -> Replica:
    replica = state.replica(replica_id)
    if replica is None:
        raise NotFound("replica", replica_id)
    return replica


def _pool_of_live_run(state: State, replica: Replica) -> PoolId:
    run = None if replica.live_run is None else state.run(replica.live_run)
    if run is None:
        told = f"must be said, since replica {replica.id} has no live run"
        raise InvalidRequest(FieldViolation("pool_id", told))
    return run.pool_id


def _check_possible(state: State, replica: Replica, pool_id: PoolId) -> None:
    """That the pool exists and the job asks for what it has; whether it has room does not matter."""
    pool, job = state.pool(pool_id), state.job(replica.job_id)
    if pool is None:
        raise NotFound("pool", pool_id)
    if job is None:
        raise NotFound("job", replica.job_id)
    told = _impossible_because(job, pool)
    if told:
        raise InvalidRequest(FieldViolation("pool_id", told))


def _impossible_because(job: Job, pool: Pool) -> str:
    wanted = sorted({way.accelerator for way in job.spec.alternatives})
    if pool.spec.accelerator not in wanted:
        return f"pool {pool.id} has {pool.spec.accelerator}; job {job.id} asks for {', '.join(wanted)}"
    if not is_allowed(job.spec.constraints, pool):
        return f"the constraints of job {job.id} do not allow pool {pool.id}"
    return ""
