"""What `verify` asks of stops and of placements that wait, rule by rule."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from scheduler.model.brakes import freeze_ids
from scheduler.model.disruption import WINDOW_MS
from scheduler.model.ids import ReplicaId, RunId
from scheduler.model.job import Job
from scheduler.model.limits import CHANGES_PER_TRANSACTION_MAX, VICTIMS_PER_STEP_MAX
from scheduler.model.occupancy import occupancy_of
from scheduler.model.plan import Place, Plan, PlannedPool, RunningReplica, Snapshot, Step
from scheduler.model.records import Key, Kind
from scheduler.model.run import Placement, Run, RunState
from scheduler.model.transaction import Check, IsAbsent, IsAt


class Fault(NamedTuple):
    """A broken rule of `verify.Rule`, by name."""

    rule: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """The snapshot and the plan by id, as far as stops need it."""

    snapshot: Snapshot
    plan: Plan
    running: Mapping[RunId, RunningReplica]
    jobs: Mapping[ReplicaId, Job]

    def worth(self, job: Job) -> int:
        return self.snapshot.priority_classes[job.spec.priority_class].worth_usd_micros


def stop_faults(snapshot: Snapshot, plan: Plan) -> Iterator[Fault]:
    """Every rule about stops that the plan breaks."""
    if not plan.stops and not any(place.after_runs for place in plan.places):
        return
    known = Stops(
        snapshot=snapshot,
        plan=plan,
        running={each.run.id: each for each in snapshot.running},
        jobs={each.replica.id: each.job for each in snapshot.waiting},
    )
    for run_id, times in Counter(stop.run_id for stop in plan.stops).items():
        if times > 1:
            yield Fault("stopped_once", run_id, f"is stopped {times} times")
    for step in plan.steps:
        yield from step_faults(known, step)
    yield from budget_faults(known)
    for planned in snapshot.pools:
        yield from waiting_faults(planned, plan)


def step_faults(known: Stops, step: Step) -> Iterator[Fault]:
    """Its stops are of runs that may be stopped, for the worthier replicas that wait for them."""
    awaited = {run_id for place in step.places for run_id in place.after_runs}
    placed = {place.replica_id for place in step.places}
    changes = 3 * len(step.places) + 2 * len(step.stops)
    if len(step.stops) > VICTIMS_PER_STEP_MAX or (step.stops and changes > CHANGES_PER_TRANSACTION_MAX):
        yield Fault("step_size", step.places[0].replica_id, f"{len(step.stops)} stops, {changes} changes")
    for stop in step.stops:
        running = known.running.get(stop.run_id)
        if running is None or running.replica.id != stop.replica_id:
            yield Fault("stop_allowed", stop.run_id, "is not among the runs that may be stopped")
            continue
        for why in reasons_not_to_stop(known.snapshot, running):
            yield Fault("stop_allowed", stop.run_id, why)
        if stop.run_id not in awaited:
            yield Fault("stop_needed", stop.run_id, "is stopped, and no place of its step waits for it")
        if stop.by not in placed:
            yield Fault(
                "stop_needed", stop.run_id, f"makes room for {stop.by}, which its step does not place"
            )
        elif stop.by in known.jobs and known.worth(known.jobs[stop.by]) <= known.worth(running.job):
            yield Fault("stop_worthier", stop.run_id, f"{stop.by} is of no worthier class")
        missing = [check for check in grounds(running) if check not in step.preconditions]
        if missing:
            yield Fault("preconditions", stop.run_id, f"{missing} are not checked")


def reasons_not_to_stop(snapshot: Snapshot, running: RunningReplica) -> Iterator[str]:
    run, job = running.run, running.job
    if run.state not in (RunState.PLACED, RunState.STARTING, RunState.RUNNING):
        yield f"is {run.state}"
    if run.state is RunState.PLACED and run.after_runs:
        yield "waits for others to end itself"
    if not job.spec.preemptible:
        yield f"{job.id} is not preemptible"
    if job.hold is not None:
        yield f"{job.id} is held"
    if running.replica.pin is not None:
        yield f"{running.replica.id} is pinned to {running.replica.pin.pool_id}"
    for planned in snapshot.pools:
        pool = planned.pool
        if pool.id == run.pool_id and (pool.pending_price or pool.capacity_fall):
            yield f"a price or a capacity of {pool.id} jumps, and nobody has confirmed it"
    if run.running_at_ms is not None and snapshot.now_ms < run.running_at_ms + job.spec.min_runtime_ms:
        yield f"has not run for {job.spec.min_runtime_ms} ms"
    recent = [one for one in running.replica.preemptions if one.at_ms > snapshot.now_ms - WINDOW_MS]
    if len(recent) >= snapshot.disruption.preemptions_per_hour_max:
        yield f"{running.replica.id} was preempted {len(recent)} times within an hour"
    ids = {freeze.id for freeze in snapshot.freezes}
    for freeze_id in sorted(ids.intersection(freeze_ids(run.pool_id, job.spec.queue))):
        yield f"{freeze_id} is frozen"


def grounds(running: RunningReplica) -> tuple[Check, ...]:
    return (
        IsAt(Key(Kind.RUN, running.run.id), running.run_version),
        IsAt(Key(Kind.REPLICA, running.replica.id), running.replica_version),
        *(IsAbsent(Key(Kind.FREEZE, id_)) for id_ in freeze_ids(running.run.pool_id, running.job.spec.queue)),
    )


def budget_faults(known: Stops) -> Iterator[Fault]:
    """The plan stays within what a cycle may stop, and with the last hour's within what an hour may."""
    budget, recent = known.snapshot.disruption, known.snapshot.recent_stops
    new = [known.running[stop.run_id] for stop in known.plan.stops if stop.run_id in known.running]
    pools = Counter(each.run.pool_id for each in new)
    queues = Counter(each.job.spec.queue for each in new)
    told = [
        ("fleet", len(new), len(recent), budget.fleet_stops_per_cycle_max, budget.fleet_stops_per_hour_max)
    ]
    for pool, stops in pools.items():
        earlier = sum(each.pool_id == pool for each in recent)
        limits = budget.pool_stops_per_cycle_max, budget.pool_stops_per_hour_max
        told.append((f"pool {pool}", stops, earlier, *limits))
    for queue, stops in queues.items():
        earlier = sum(each.queue == queue for each in recent)
        limits = budget.queue_stops_per_cycle_max, budget.queue_stops_per_hour_max
        told.append((f"queue {queue}", stops, earlier, *limits))
    for subject, stops, earlier, per_cycle, per_hour in told:
        if stops > per_cycle or (stops and earlier + stops > per_hour):
            yield Fault("disruption_budget", subject, f"{stops} stops after {earlier} within an hour")


def waiting_faults(planned: PlannedPool, plan: Plan) -> Iterator[Fault]:
    """All that waits on a node, or anywhere in a rented pool, waits for the same runs of it."""
    stopped = {stop.run_id for stop in plan.stops}
    live = {run.id: run for run in planned.live_runs}
    new = [place for place in plan.places if place.after_runs and place.placement.pool_id == planned.pool.id]
    for place in new:
        for run_id in place.after_runs:
            if run_id not in live:
                yield Fault(
                    "waits_for_ends", place.replica_id, f"{run_id} does not live on {planned.pool.id}"
                )
            elif run_id not in stopped and live[run_id].state is not RunState.STOPPING:
                yield Fault("waits_for_ends", place.replica_id, f"{run_id} is not being stopped")
    if new:
        yield from uneven_waits(planned, live, new)


def uneven_waits(planned: PlannedPool, live: Mapping[RunId, Run], new: list[Place]) -> Iterator[Fault]:
    is_rented = planned.pool.spec.is_rented
    waits = [(place.replica_id, place.placement, set(place.after_runs)) for place in new]
    waits += [
        (run.replica_id, run.placement, {each for each in run.after_runs if each in live})
        for run in occupancy_of(planned.live_runs).waiting
    ]
    awaited = {run_id for _, _, run_ids in waits for run_id in run_ids if run_id in live}
    for unit in sorted({unit for _, placement, _ in waits for unit in units(placement, is_rented)}):
        here = {each for each in awaited if unit in units(live[each].placement, is_rented)}
        for subject, placement, run_ids in waits:
            if unit in units(placement, is_rented) and not here <= run_ids:
                detail = f"on {planned.pool.id}/{unit} others wait for {sorted(here - run_ids)} too"
                yield Fault("waits_alike", subject, detail)


def units(placement: Placement, is_rented: bool) -> set[int]:
    return {-1} if is_rented else {share.node for share in placement.nodes}
