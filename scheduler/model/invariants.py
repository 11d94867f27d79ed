"""What must hold between the records of a state, checked one by one."""

from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.model.ids import replica_id_of, run_id_of
from scheduler.model.job import Job
from scheduler.model.queue import Cohort, CohortName, Queue
from scheduler.model.records import UNMIRRORED, Kind, key_of
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run
from scheduler.model.state import State


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken invariant, about one record."""

    kind: Kind
    id: str
    fault: str


def findings_of(state: State) -> Iterator[Finding]:
    """Every broken invariant of the mirrored records, by kind."""
    for kind in Kind:
        if kind in UNMIRRORED:
            continue
        for record in state.records(kind):
            entity = record.entity
            if not record.planning_version <= record.version <= state.revision:
                fault = f"versions {record.planning_version}, {record.version} above {state.revision}"
                yield Finding(kind, key_of(entity).id, fault)
            for fault in _faults_of(state, entity):
                yield Finding(kind, key_of(entity).id, fault)


def _faults_of(state: State, entity: object) -> Iterator[str]:
    match entity:
        case Job():
            return _faults_of_job(state, entity)
        case Replica():
            return _faults_of_replica(state, entity)
        case Run():
            return _faults_of_run(state, entity)
        case Queue():
            return _faults_of_cohort(state, entity.cohort)
        case Cohort():
            return _faults_of_cohort(state, entity.parent)
        case _:
            return iter(())


def _faults_of_job(state: State, job: Job) -> Iterator[str]:
    replicas = state.replicas_of(job)
    if job.is_finished and any(replica.state is not ReplicaState.DONE for replica in replicas):
        yield "is finished, and a replica is not done"


def _faults_of_replica(state: State, replica: Replica) -> Iterator[str]:
    job = state.job(replica.job_id)
    if job is None:
        yield f"its job {replica.job_id} does not exist"
    if replica.id != replica_id_of(replica.job_id, replica.index):
        yield f"its id is not of job {replica.job_id} and index {replica.index}"
    if replica.live_run is None:
        return
    run = state.run(replica.live_run)
    if run is None:
        yield f"its live run {replica.live_run} does not exist"
        return
    if not run.is_live:
        yield f"its live run {run.id} has ended"
    if run.replica_id != replica.id:
        yield f"its live run {run.id} is of replica {run.replica_id}"
    if (run.run_number, run.run_token) != (replica.run_number, replica.run_token):
        yield f"its run number and token differ from those of its live run {run.id}"


def _faults_of_run(state: State, run: Run) -> Iterator[str]:
    if run.id != run_id_of(run.replica_id, run.run_number):
        yield f"its id is not of replica {run.replica_id} and number {run.run_number}"
    replica = state.replica(run.replica_id)
    if replica is None:
        yield f"its replica {run.replica_id} does not exist"
    elif run.job_id != replica.job_id:
        yield f"its job {run.job_id} is not its replica's, {replica.job_id}"
    elif run.run_number > replica.run_number or run.run_token > replica.run_token:
        yield "its number or token is above its replica's"
    if not run.is_live:
        return
    if replica is not None and replica.live_run != run.id:
        yield f"is live, and its replica's live run is {replica.live_run}"
    if state.pool(run.pool_id) is None:
        yield f"is live, and its pool {run.pool_id} does not exist"


def _faults_of_cohort(state: State, above: CohortName | None) -> Iterator[str]:
    seen: set[CohortName] = set()
    while above is not None and above not in seen:
        seen.add(above)
        cohort = state.cohort(above)
        if cohort is None:
            yield f"cohort {above}, which it is in, does not exist"
            return
        above = cohort.parent
    if above is not None:
        yield f"the cohorts above it form a ring at {above}"
