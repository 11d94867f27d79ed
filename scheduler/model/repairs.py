"""What can be mended of a state whose records do not agree, without guessing what runs.

Whoever writes these begins a new history before, so that nothing old is placed until launchers have said
what they hold (`model.quarantine`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from scheduler.model.records import Key, Kind, key_of
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run
from scheduler.model.state import State
from scheduler.model.transaction import Fence, IsAt, Put, Transaction
from scheduler.model.transitions.ending import after_end


@dataclass(frozen=True, slots=True)
class Repair:
    """One change that mends a record."""

    key: Key
    said: str
    transaction: Transaction


def repairs_of(state: State, *, fence: Fence) -> Iterator[Repair]:
    """Every repair of this state, by kind and id; the state that they give may allow further ones."""
    for replica_id in state.ids(Kind.REPLICA):
        replica = state.record(Key(Kind.REPLICA, replica_id))
        assert replica is not None, replica_id
        assert isinstance(replica.entity, Replica), replica
        yield from _of_replica(state, replica.entity, fence=fence)
    for run_id in state.ids(Kind.RUN):
        run = state.record(Key(Kind.RUN, run_id))
        assert run is not None, run_id
        assert isinstance(run.entity, Run), run
        yield from _of_run(state, run.entity, fence=fence)


def _of_replica(state: State, replica: Replica, *, fence: Fence) -> Iterator[Repair]:
    job = state.job(replica.job_id)
    if job is None:
        yield _removal(state, Key(Kind.REPLICA, replica.id), "removed: its job does not exist", fence=fence)
        return
    if replica.live_run is None:
        return
    run = state.run(replica.live_run)
    if run is None:
        waiting = replace(replica, state=ReplicaState.WAITING, live_run=None, last_run=None)
        yield _rewritten(state, waiting, "waits again: its live run does not exist", fence=fence)
    elif not run.is_live:
        yield _rewritten(state, after_end(job, replica, run), "follows its run, which has ended", fence=fence)


def _of_run(state: State, run: Run, *, fence: Fence) -> Iterator[Repair]:
    replica = state.replica(run.replica_id)
    if replica is None:
        yield _removal(state, Key(Kind.RUN, run.id), "removed: its replica does not exist", fence=fence)
    elif run.is_live and replica.state is ReplicaState.WAITING:
        placed = replace(
            replica,
            state=ReplicaState.PLACED,
            live_run=run.id,
            last_run=run.id,
            run_number=max(replica.run_number, run.run_number),
            run_token=max(replica.run_token, run.run_token),
            deferral=None,
        )
        yield _rewritten(state, placed, f"has its live run {run.id} back", fence=fence)


def _rewritten(state: State, replica: Replica, said: str, *, fence: Fence) -> Repair:
    key = key_of(replica)
    put = Put(entity=replica, replans=True)
    return Repair(key, said, Transaction(checks=(IsAt(key, state.version(key)),), puts=(put,), fence=fence))


def _removal(state: State, key: Key, said: str, *, fence: Fence) -> Repair:
    checks = (IsAt(key, state.version(key)),)
    return Repair(key, said, Transaction(checks=checks, deletes=(key,), fence=fence))
