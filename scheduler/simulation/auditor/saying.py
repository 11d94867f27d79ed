"""Commits in words, for the trace."""

from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.records import Entity, key_of
from scheduler.model.replica import Replica
from scheduler.model.run import Run
from scheduler.model.session import LauncherSession
from scheduler.model.transaction import Commit


def said_of(commit: Commit) -> str:
    """A commit in a line."""
    words = [_said_of(record.entity) for record in commit.records]
    return ", ".join([*words, *(f"no {key.kind} {key.id}" for key in commit.removed)])


def _said_of(entity: Entity) -> str:
    match entity:
        case Run():
            return f"run {entity.id} {entity.state} {entity.end_reason or entity.pool_id}"
        case Replica():
            return f"replica {entity.id} {entity.state}"
        case Job():
            return f"job {entity.id} {entity.outcome or ('cancelling' if entity.is_cancelling else 'open')}"
        case Pool():
            return f"pool {entity.id} {'open' if entity.is_open else 'shut'}"
        case LauncherSession():
            expired = " expired" if entity.is_expired else ""
            return f"session {entity.launcher_id} {entity.number}.{entity.renewal_number}{expired}"
        case _:
            return str(key_of(entity).kind)
