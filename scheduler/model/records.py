"""Records: what the store keeps, by kind and id, with the versions that writers compare."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from scheduler.model.brakes import Freeze
from scheduler.model.guidance import GUIDANCE_ID, Guidance
from scheduler.model.ids import JobId, Revision
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.queue import Cohort, Queue
from scheduler.model.replica import Replica
from scheduler.model.run import Run
from scheduler.model.session import LauncherSession


class Kind(StrEnum):
    JOB = "job"
    REPLICA = "replica"
    RUN = "run"
    POOL = "pool"
    SESSION = "session"
    GUIDANCE = "guidance"
    FREEZE = "freeze"
    QUEUE = "queue"
    COHORT = "cohort"
    PAYLOAD = "payload"
    IDEMPOTENCY = "idempotency"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPayload:
    """What a launcher starts; opaque to the scheduler, in no list, event or log."""

    job_id: JobId
    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """That a request was carried out.

    Attributes:
        id: "<principal>/<request_id>".
        content_hash: of the decoded, normalised request, with the hash version in front.
        resource_id: what the request made or changed.
    """

    id: str
    content_hash: str
    resource_id: str


Entity: TypeAlias = (
    Job
    | Replica
    | Run
    | Pool
    | LauncherSession
    | Guidance
    | Freeze
    | Queue
    | Cohort
    | LaunchPayload
    | IdempotencyRecord
)

UNMIRRORED = frozenset({Kind.PAYLOAD, Kind.IDEMPOTENCY})
"""Kinds that are kept out of the event stream and of mirrors: read one by one from the store."""

KIND_OF: dict[type, Kind] = {
    Job: Kind.JOB,
    Replica: Kind.REPLICA,
    Run: Kind.RUN,
    Pool: Kind.POOL,
    LauncherSession: Kind.SESSION,
    Guidance: Kind.GUIDANCE,
    Freeze: Kind.FREEZE,
    Queue: Kind.QUEUE,
    Cohort: Kind.COHORT,
    LaunchPayload: Kind.PAYLOAD,
    IdempotencyRecord: Kind.IDEMPOTENCY,
}
CLASS_OF: dict[Kind, type] = {kind: cls for cls, kind in KIND_OF.items()}


class Key(NamedTuple):
    """The name of a record; a tuple, since every look-up makes and hashes one."""

    kind: Kind
    id: str


def key_of(entity: Entity) -> Key:
    match entity:
        case Job() | Replica() | Run() | Pool() | IdempotencyRecord() | Freeze():  # first: they are many
            return Key(KIND_OF[type(entity)], entity.id)
        case Queue() | Cohort():
            return Key(KIND_OF[type(entity)], entity.name)
        case LauncherSession():
            return Key(Kind.SESSION, entity.launcher_id)
        case Guidance():
            return Key(Kind.GUIDANCE, GUIDANCE_ID)
        case LaunchPayload():
            return Key(Kind.PAYLOAD, entity.job_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An entity as stored.

    Attributes:
        version: the revision of its newest write.
        planning_version: the revision of its newest write that can make a planned step invalid.
    """

    entity: Entity
    version: Revision
    planning_version: Revision
