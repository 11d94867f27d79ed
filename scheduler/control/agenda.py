"""What has changed since the leader last looked, and when it must look without a change."""

import asyncio
from collections.abc import Sequence

from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.records import Kind, Record
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.model.transitions.settling import timeout_at_ms

REPLAN_AFTER_MS = 60_000  # while something waits: beliefs about rented capacity change with time


class Agenda:
    """Listens to the mirror for the leader.

    Attributes:
        changed: something other than a renewal or the leader's own notes was written.
        plan_due: something was written that can change what should be placed where.
        unseen: commits that the planner has not been given yet.
        planner_is_stale: the planner must be given the whole state.
    """

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.plan_due = True
        self.planner_is_stale = True
        self.unseen: list[Commit] = []

    def committed(self, commits: Sequence[Commit]) -> None:
        if not self.planner_is_stale:
            self.unseen += commits
        records = [record for commit in commits for record in commit.records]
        removed_pool = any(key.kind is Kind.POOL for commit in commits for key in commit.removed)
        if removed_pool or any(calls_for_plan(record) for record in records):
            self.plan_due = True
        if self.plan_due or any(isinstance(record.entity, Job | Replica | Run) for record in records):
            self.changed.set()

    def reloaded(self, _state: State) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Take nothing for known."""
        self.plan_due = self.planner_is_stale = True
        self.unseen.clear()
        self.changed.set()


def calls_for_plan(record: Record) -> bool:
    """Whether a write can change what should be placed where."""
    is_new = record.version == record.planning_version
    match record.entity:
        case Job() | Replica():
            return is_new
        case Pool():
            return True
        case Run(state=state):
            return state in (RunState.RUNNING, RunState.ENDED)
        case _:
            return False


def plan_due_at_ms(state: State, *, now_ms: int, planned_at_ms: int) -> int | None:
    """When time alone calls for a plan: a back-off ends, or something has waited unplanned for long."""
    waiting = [
        replica
        for job in state.unfinished_jobs()
        for replica in state.replicas_of(job)
        if replica.state is ReplicaState.WAITING and not job.is_cancelling
    ]
    if not waiting:
        return None
    ends = [r.not_before_ms for r in waiting if r.not_before_ms > planned_at_ms]
    return max(now_ms, min([planned_at_ms + REPLAN_AFTER_MS, *ends]))


def next_timeout_ms(state: State) -> int | None:
    """When the next run reaches its `max_duration`."""
    ends = (
        timeout_at_ms(state, job, replica)
        for job in state.unfinished_jobs()
        if job.spec.max_duration_ms is not None
        for replica in state.replicas_of(job)
    )
    return min((end for end in ends if end is not None), default=None)
