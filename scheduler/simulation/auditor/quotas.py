"""Whether quotas had room for what was placed, by the rule in plain words and none of the planner's code."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from scheduler.model.ids import QueueName, Revision
from scheduler.model.job import Job
from scheduler.model.plan import PlannedCohort, PlannedQueue, Snapshot
from scheduler.model.pool import Pool
from scheduler.model.queue import COST, Cohort, Queue, Resource, cost_units
from scheduler.model.records import Key, Kind, Record
from scheduler.model.run import Run, RunState
from scheduler.planning.quota_rules import excesses, used_by

Records = Mapping[Key, Record]


def faults_of(run: Run, records: Records, live: Iterable[Run]) -> Iterator[str]:
    """Who uses or takes more than it may, and more of that than before a new run, which is among the live."""
    holders = _holders(records)
    if not holders.queues:
        return
    counted = _that_count(live)
    others = [(_queue_of(other, records), other.placement) for other in counted if other.id != run.id]
    before = excesses(holders, used_by(others))
    after = excesses(holders, used_by([*others, (_queue_of(run, records), run.placement)]))
    for subject, excess in after.items():
        if excess > before.get(subject, 0):
            yield f"{subject} is exceeded by {excess}, before by {before.get(subject, 0)}"


def leave_room(job: Job, pool: Pool, records: Records, live: Sequence[Run]) -> bool:
    """Whether quotas have room for the job on the pool, whichever of its ways it takes."""
    holders = _holders(records)
    used = used_by((_queue_of(run, records), run.placement) for run in _that_count(live))
    before = excesses(holders, used)
    for way in job.spec.alternatives:
        if way.accelerator == pool.spec.accelerator:
            cost = cost_units(way.accelerators * pool.spec.price_usd_micros_per_accelerator_hour)
            more = used.copy()
            more[job.spec.queue, Resource(way.accelerator)] += way.accelerators
            more[job.spec.queue, COST] += cost
            after = excesses(holders, more)
            if any(excess > before.get(subject, 0) for subject, excess in after.items()):
                return False
    return True


def tree_faults(records: Records) -> Iterator[str]:
    """Members of cohorts that are not there."""
    for record in records.values():
        match record.entity:
            case Queue(name=name, cohort=above) | Cohort(name=name, parent=above):
                if above is not None and Key(Kind.COHORT, above) not in records:
                    yield f"{name} is in cohort {above}, which does not exist"


def _that_count(live: Iterable[Run]) -> list[Run]:
    """Live runs but for those that another waits for: that one counts in their place."""
    known = list(live)
    awaited = {run_id for run in known if run.state is RunState.PLACED for run_id in run.after_runs}
    return [run for run in known if run.id not in awaited]


def _queue_of(run: Run, records: Records) -> QueueName:
    job = records[Key(Kind.JOB, run.job_id)].entity
    assert isinstance(job, Job), job
    return job.spec.queue


def _holders(records: Records) -> Snapshot:
    """A snapshot of queues and cohorts alone."""
    queues, cohorts = list[PlannedQueue](), list[PlannedCohort]()
    for record in records.values():
        if isinstance(record.entity, Queue):
            queues.append(PlannedQueue(queue=record.entity, planning_version=record.planning_version))
        elif isinstance(record.entity, Cohort):
            cohorts.append(PlannedCohort(cohort=record.entity, planning_version=record.planning_version))
    return Snapshot(
        revision=Revision(0),
        now_ms=0,
        pools=(),
        waiting=(),
        priority_classes={},
        queues=tuple(queues),
        cohorts=tuple(cohorts),
    )
