"""What has changed since the leader last looked."""

import asyncio
from collections.abc import Iterator, Sequence

from scheduler.mirror.backlog import Backlog
from scheduler.model.brakes import Freeze
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.queue import Cohort, Queue
from scheduler.model.records import Kind, Record
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run, RunState
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.transaction import Commit

CALLING_WHEN_REMOVED = frozenset({Kind.POOL, Kind.FREEZE, Kind.QUEUE, Kind.COHORT})


class Agenda:
    """Listens to the mirror for the leader.

    Attributes:
        changed: something other than a renewal or the leader's own notes was written.
        plan_due: something was written that can change what should be placed where.
        backlog: what the planner has not been given yet.
    """

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.plan_due = True
        self.backlog = Backlog()

    def committed(self, commits: Sequence[Commit]) -> None:
        self.backlog.committed(commits)
        records = [record for commit in commits for record in commit.records]
        removed = any(key.kind in CALLING_WHEN_REMOVED for commit in commits for key in commit.removed)
        calls = removed or any(calls_for_plan(record) for record in records)
        self.plan_due = self.plan_due or calls
        if calls or any(isinstance(record.entity, Job | Replica | Run) for record in records):
            self.changed.set()

    def reloaded(self, _state: State) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Take nothing for known."""
        self.plan_due = True
        self.backlog.start_over()
        self.changed.set()


def calls_for_plan(record: Record) -> bool:
    """Whether a write can change what should be placed where."""
    is_new = record.version == record.planning_version
    match record.entity:
        case Job() | Replica():
            return is_new
        case Pool() | Freeze() | Queue() | Cohort():
            return True
        case Run(state=state):
            return state in (RunState.RUNNING, RunState.ENDED)
        case LauncherSession(is_synchronised=is_synchronised, is_expired=is_expired):
            return is_new and (is_synchronised or is_expired)  # replicas may have been held back for it
        case _:
            return False


def waiting_replicas(state: State) -> list[Replica]:
    """Replicas that want a place, by job and index."""
    return list(_waiting(state))


def has_waiting_replicas(state: State) -> bool:
    """Whether any replica wants a place, without looking for all."""
    return any(True for _ in _waiting(state))


def _waiting(state: State) -> Iterator[Replica]:
    for job in state.unfinished_jobs():
        for replica in state.replicas_of(job):
            if replica.state is ReplicaState.WAITING and not job.is_cancelling:
                yield replica
