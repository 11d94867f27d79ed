"""What-if: a snapshot and hypotheses become another snapshot, and two plans become their difference."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from scheduler.model.ids import JobId, PoolId, Principal, ReplicaId, Revision, RunId
from scheduler.model.job import Job, JobSpec
from scheduler.model.limits import WHAT_IF_CHANGES_MAX
from scheduler.model.plan import Plan, PlannedPool, PlannedQueue, Snapshot, WaitingReplica
from scheduler.model.pool import Availability, Pool, PoolSpec, PoolStatus
from scheduler.model.queue import Queue
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run
from scheduler.model.state import State
from scheduler.model.transitions.jobs import new_replica
from scheduler.model.whatif import (
    ChangedFate,
    Fate,
    FateOfReplica,
    Hypotheses,
    PlanFigures,
    SupposedPool,
    WhatIf,
)
from scheduler.planning.snapshot import running_replicas, usage_of

UNWRITTEN = Revision(0)
"""The version of what is only supposed."""
NO_PRINCIPAL = Principal("what-if")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReplica:
    """A replica that has a live run; `is_counted` in the usage: nobody waits for its room."""

    job: Job
    replica: Replica
    run: Run


def touched(state: State, hypotheses: Hypotheses) -> tuple[LiveReplica, ...]:
    """The live replicas whose runs the hypotheses take away, by run id."""
    found: dict[str, LiveReplica] = {}
    left_out = set(hypotheses.left_out_jobs)
    lost = {run.id for pool in hypotheses.removed_pools for run in state.live_runs(pool)}
    for run in state.all_live_runs():
        job, replica = state.job(run.job_id), state.replica(run.replica_id)
        if (run.id in lost or run.job_id in left_out) and job is not None and replica is not None:
            found[run.id] = LiveReplica(job=job, replica=replica, run=run)
    return tuple(found[run_id] for run_id in sorted(found))


def supposed(snapshot: Snapshot, hypotheses: Hypotheses, live: Sequence[LiveReplica] = ()) -> Snapshot:
    """The snapshot as it would be; `live` as `touched` gives them."""
    left_out = set(hypotheses.left_out_jobs)
    waiting = (
        *(each for each in snapshot.waiting if each.job.id not in left_out),
        *displaced(hypotheses, live),
        *hypothetical_replicas(hypotheses.jobs, now_ms=snapshot.now_ms),
    )
    gone = {each.run.id for each in live}
    return replace(
        snapshot,
        pools=tuple(supposed_pools(snapshot, hypotheses, gone)),
        waiting=tuple(sorted(waiting, key=lambda each: each.replica.id)),
        queues=tuple(supposed_queues(snapshot, hypotheses)),
    )


def supposed_with_runs(
    state: State, snapshot: Snapshot, hypotheses: Hypotheses, live: Sequence[LiveReplica]
) -> Snapshot:
    """As `supposed`, with what the runs that are left use, and those that hypothetical jobs may preempt."""
    there, gone = supposed(snapshot, hypotheses, live), {each.run.id for each in live}
    running = running_replicas(state, there.waiting, snapshot.priority_classes)
    return replace(
        there,
        usage=usage_of(state, without=gone),
        running=tuple(each for each in running if each.run.id not in gone),
    )


def hypothetical_id(number: int) -> JobId:
    """The id of a hypothetical job by its place among them; no real job has one of this length."""
    return JobId(f"what-if-{number:04}")


def hypothetical_replicas(specs: Iterable[JobSpec], *, now_ms: int) -> Iterator[WaitingReplica]:
    for number, spec in enumerate(specs):
        job = Job(
            id=hypothetical_id(number),
            spec=spec,
            submitter=NO_PRINCIPAL,
            submitted_at_ms=now_ms,
            request_key="",
        )
        for index in range(spec.replicas):
            yield waiting_of(job, new_replica(job, index))


def displaced(hypotheses: Hypotheses, live: Iterable[LiveReplica]) -> Iterator[WaitingReplica]:
    """The replicas whose pool is lost: they wait again, unless their job is about to end or is left out."""
    left_out = set(hypotheses.left_out_jobs)
    for each in live:
        if each.job.id not in left_out and not each.job.is_cancelling:
            again = replace(each.replica, state=ReplicaState.WAITING, live_run=None, not_before_ms=0)
            yield waiting_of(each.job, again)


def waiting_of(job: Job, replica: Replica) -> WaitingReplica:
    return WaitingReplica(replica=replica, job=job, replica_version=UNWRITTEN, job_planning_version=UNWRITTEN)


def supposed_pools(snapshot: Snapshot, hypotheses: Hypotheses, gone: set[RunId]) -> Iterator[PlannedPool]:
    """The pools by id, without the runs that are gone."""
    planned = {each.pool.id: each for each in snapshot.pools}
    for wanted in hypotheses.pools:
        planned[wanted.id] = supposed_pool(planned.get(wanted.id), wanted, now_ms=snapshot.now_ms)
    for pool_id in sorted(planned.keys() - set(hypotheses.removed_pools)):
        each = planned[pool_id]
        yield replace(each, live_runs=tuple(run for run in each.live_runs if run.id not in gone))


def supposed_pool(planned: PlannedPool | None, wanted: SupposedPool, *, now_ms: int) -> PlannedPool:
    """A new pool is open and believed to have its limit; one that is there keeps all but its spec."""
    limit = wanted.spec.limit_accelerators
    fresh = None if limit is None else Availability(accelerators=limit, changed_at_ms=now_ms)
    if planned is None:
        pool = Pool(id=wanted.id, spec=wanted.spec, status=PoolStatus(ready=True), availability=fresh)
        return PlannedPool(pool=pool, planning_version=UNWRITTEN, live_runs=())
    old = planned.pool
    changed = replace(
        old,
        spec=wanted.spec,
        availability=fresh if limit is None else old.availability or fresh,
        node_cordons=tuple(each for each in old.node_cordons if each.node < wanted.spec.node_count),
    )
    return replace(planned, pool=changed)


def supposed_queues(snapshot: Snapshot, hypotheses: Hypotheses) -> Iterator[PlannedQueue]:
    """The queues by name."""
    planned = {each.queue.name: each for each in snapshot.queues}
    for wanted in hypotheses.quotas:
        old = planned.get(wanted.queue)
        if old is None:
            queue = Queue(name=wanted.queue, quotas=wanted.quotas)
            planned[wanted.queue] = PlannedQueue(queue=queue, planning_version=UNWRITTEN)
        else:
            planned[wanted.queue] = replace(old, queue=replace(old.queue, quotas=wanted.quotas))
    for name in sorted(planned):
        yield planned[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A snapshot and its plan."""

    snapshot: Snapshot
    plan: Plan

    def fates(self) -> dict[ReplicaId, Fate]:
        """What becomes of each replica that waits, or that is preempted."""
        placed = {place.replica_id: Fate(placement=place.placement) for place in self.plan.places}
        deferred = {replica_id: Fate(deferral=deferral) for replica_id, deferral in self.plan.deferrals}
        stopped = {stop.replica_id: Fate(preempted_by=stop.by) for stop in self.plan.stops}
        return placed | deferred | stopped

    def runs_of_stopped(self) -> dict[ReplicaId, Run]:
        """The runs that the plan preempts, by replica."""
        runs = {run.id: run for pool in self.snapshot.pools for run in pool.live_runs}
        return {stop.replica_id: runs[stop.run_id] for stop in self.plan.stops}


def difference(
    before: Planned, after: Planned, hypotheses: Hypotheses, live: Sequence[LiveReplica] = ()
) -> WhatIf:
    """How the plan of what is supposed differs from the plan of what is."""
    changes = sorted(changed_fates(before, after, live), key=lambda each: (each.job_id, each.replica_id))
    return WhatIf(
        revision=before.snapshot.revision,
        before=figures_of(before),
        after=figures_of(after),
        jobs=jobs_of(after, hypotheses),
        changes=tuple(changes[:WHAT_IF_CHANGES_MAX]),
        changes_left_out=max(0, len(changes) - WHAT_IF_CHANGES_MAX),
    )


def jobs_of(after: Planned, hypotheses: Hypotheses) -> tuple[tuple[FateOfReplica, ...], ...]:
    """What becomes of each hypothetical job's replicas, by index."""
    fates = after.fates()
    found: dict[JobId, list[FateOfReplica]] = {}
    for waiting in hypothetical_replicas(hypotheses.jobs, now_ms=after.snapshot.now_ms):
        replica_id = waiting.replica.id
        fate = FateOfReplica(replica_id=replica_id, fate=fates[replica_id])
        found.setdefault(waiting.job.id, []).append(fate)
    return tuple(tuple(fates) for fates in found.values())


def changed_fates(before: Planned, after: Planned, live: Iterable[LiveReplica]) -> Iterator[ChangedFate]:
    """Replicas that are in both and are placed in only one, or elsewhere."""
    stopped = before.runs_of_stopped() | after.runs_of_stopped()
    running = stopped | {each.replica.id: each.run for each in live}
    jobs = {each.replica.id: each.job.id for each in after.snapshot.waiting}
    jobs |= {replica_id: run.job_id for replica_id, run in running.items()}
    as_it_is = {replica_id: Fate(placement=run.placement) for replica_id, run in running.items()}
    still_there = {replica_id: as_it_is[replica_id] for replica_id in stopped}
    fates, fates_after = as_it_is | before.fates(), still_there | after.fates()
    for replica_id in fates.keys() & fates_after.keys():
        was, will_be = fates[replica_id], fates_after[replica_id]
        if whereabouts(was) != whereabouts(will_be):
            yield ChangedFate(replica_id=replica_id, job_id=jobs[replica_id], before=was, after=will_be)


def whereabouts(fate: Fate) -> tuple[PoolId, int] | bool:
    """Pool and alternative; for what has no place, whether it is preempted."""
    placement = fate.placement
    return (
        fate.preempted_by is not None
        if placement is None
        else (placement.pool_id, placement.alternative_index)
    )


def figures_of(planned: Planned) -> PlanFigures:
    quality, places = planned.plan.quality, planned.plan.places
    placements = [place.placement for place in places]
    stopped = {stop.run_id for stop in planned.plan.stops}
    live = (run for pool in planned.snapshot.pools for run in pool.live_runs)
    placements += [run.placement for run in live if run.id not in stopped]
    rented = {each.pool.id for each in planned.snapshot.pools if each.pool.spec.is_rented}
    reserved = sum(paid_for_reserved(each.pool.spec) for each in planned.snapshot.pools)
    return PlanFigures(
        objective_usd_micros_per_hour=quality.objective_usd_micros_per_hour,
        bound_usd_micros_per_hour=quality.bound_usd_micros_per_hour,
        charged_usd_micros_per_hour=sum(each.charged_usd_micros_per_hour for each in placements),
        paid_usd_micros_per_hour=reserved
        + sum(each.charged_usd_micros_per_hour for each in placements if each.pool_id in rented),
        placed=len(places),
        waiting=len(planned.plan.deferrals),
    )


def paid_for_reserved(spec: PoolSpec) -> int:
    """What a reserved pool costs whether used or not; micro-dollars per hour."""
    if spec.is_rented:
        return 0
    accelerators = sum(spec.node_devices()) + sum(group.accelerators_per_slice for group in spec.slices())
    return accelerators * spec.price_usd_micros_per_accelerator_hour
