"""Whether a person forbade what was placed: looked up in the records, none of the planner's code."""

from collections.abc import Iterator, Mapping

from scheduler.model.ids import PoolId
from scheduler.model.job import Job
from scheduler.model.records import Key, Kind, Record
from scheduler.model.replica import Replica
from scheduler.model.run import Run


def faults_of(run: Run, job: Job, records: Mapping[Key, Record]) -> Iterator[str]:
    """What forbids a new run where it is."""
    replica = records[Key(Kind.REPLICA, run.replica_id)].entity
    assert isinstance(replica, Replica), replica
    return forbidding(replica, job, run.pool_id, records)


def forbidding(replica: Replica, job: Job, pool_id: PoolId, records: Mapping[Key, Record]) -> Iterator[str]:
    """What people have said against placing the replica on the pool."""
    if job.hold is not None:
        yield "its job is held"
    for scope in ("cell", f"pool/{pool_id}", f"queue/{job.spec.queue}"):
        if Key(Kind.FREEZE, scope) in records:
            yield f"{scope} is frozen"
    if replica.pin is not None and replica.pin.pool_id != pool_id:
        yield f"it is pinned to {replica.pin.pool_id}"
