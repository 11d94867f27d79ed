"""Explanations: why a replica of a job waits, or why it is where it is."""

from scheduler.model.errors import IllegalTransition, NotFound
from scheduler.model.explanation import WhyPlaced, WhyWaiting
from scheduler.model.ids import JobId, PriorityClassName, Revision
from scheduler.model.job import Job
from scheduler.model.priority import DEFAULT_PRIORITY_CLASSES
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run
from scheduler.model.state import State
from scheduler.planning.explanation import term_parts
from scheduler.planning.worth import shadow_prices_of, work_of
from scheduler.service.parts import Parts
from scheduler.service.whatif import WhatIfs

PRIORITY_CLASSES = {each.name: each for each in DEFAULT_PRIORITY_CLASSES}


class Explanations:
    """What may be asked about replicas."""

    def __init__(self, parts: Parts, what_ifs: WhatIfs) -> None:
        self._parts, self._what_ifs = parts, what_ifs

    async def explain(
        self, job_id: JobId, *, index: int | None, min_revision: Revision, within_ms: int
    ) -> WhyWaiting | WhyPlaced:
        """Of the replica, or of the first that waits, else the first that has a place.

        Raises:
            NotFound: there is no such job or replica.
            IllegalTransition: the replica is done or about to be stopped.
            Overloaded, OutOfTime, PlannerFailed, NotCaughtUp: as of `WhatIfs`.
        """
        await self._parts.mirror.caught_up(min_revision)
        state = self._parts.state
        job = state.job(job_id)
        if job is None:
            raise NotFound("job", job_id)
        replica = chosen_replica(job, state.replicas_of(job), index)
        run = None if replica.live_run is None else state.run(replica.live_run)
        if run is not None:
            return why_placed(state, job, replica, run)
        if replica.state is not ReplicaState.WAITING or job.is_cancelling:
            raise IllegalTransition(f"replica {replica.id} neither waits for a place nor has one")
        return await self._what_ifs.why_waiting(replica.id, within_ms=within_ms)


def chosen_replica(job: Job, replicas: list[Replica], index: int | None) -> Replica:
    """The one of that index; without one the first that waits, else that has a place, else the first."""
    if index is not None:
        found = [replica for replica in replicas if replica.index == index]
        if not found:
            raise NotFound("replica", f"{job.id}-{index}")
        return found[0]
    if not replicas:
        raise NotFound("replica", f"{job.id}-0")
    order = {ReplicaState.WAITING: 0, ReplicaState.PLACED: 1, ReplicaState.RUNNING: 1}
    return min(replicas, key=lambda replica: (order.get(replica.state, 2), replica.index))


def why_placed(state: State, job: Job, replica: Replica, run: Run) -> WhyPlaced:
    placement = run.placement
    pool = state.pool(placement.pool_id)
    price = 0 if pool is None else pool.spec.marginal_usd_micros_per_accelerator_hour
    return WhyPlaced(
        revision=state.revision,
        replica_id=replica.id,
        placement=placement,
        parts=term_parts(
            work_of(job.spec, PRIORITY_CLASSES[PriorityClassName(job.spec.priority_class)]),
            job.spec.alternatives[placement.alternative_index],
            price=price,
            shadow_price=shadow_prices_of(state.guidance()).get(placement.pool_id, 0),
        ),
    )
