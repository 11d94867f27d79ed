"""The names of things: distinct types, so that one cannot be passed for another."""

import re
from typing import NewType

CellId = NewType("CellId", str)
JobId = NewType("JobId", str)
ReplicaId = NewType("ReplicaId", str)
RunId = NewType("RunId", str)
PoolId = NewType("PoolId", str)
QueueName = NewType("QueueName", str)
PriorityClassName = NewType("PriorityClassName", str)
LauncherId = NewType("LauncherId", str)
AcceleratorName = NewType("AcceleratorName", str)
Principal = NewType("Principal", str)
History = NewType("History", str)
Revision = NewType("Revision", int)

NO_HISTORY = History("")  # of records that were written before they said theirs
ID_LENGTH_MAX = 63
CELL_LENGTH_MAX = 20  # leaves room in 63 characters for -<ulid>-<index>-<run_number>
ID_PATTERN = re.compile(r"[a-z0-9-]{1,63}")
REVISIONS_PER_SECOND = 1 << 20  # no store writes faster; a history begins above all of the earlier ones
REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9-]{1,63}")


def is_id(text: str) -> bool:
    """Whether `text` is `[a-z0-9-]{1,63}`."""
    return ID_PATTERN.fullmatch(text) is not None


def first_revision(newest: Revision, *, now_s: int) -> Revision:
    """Where a new history goes on: above every revision of the past, also of the part that was lost."""
    return Revision(max(newest + REVISIONS_PER_SECOND, now_s * REVISIONS_PER_SECOND))


def replica_id_of(job_id: JobId, index: int) -> ReplicaId:
    return ReplicaId(f"{job_id}-{index}")


def run_id_of(replica_id: ReplicaId, run_number: int) -> RunId:
    return RunId(f"{replica_id}-{run_number}")
