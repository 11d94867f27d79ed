"""Queues and cohorts: what each has waiting and running, what it may use, and who holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from placewright.reasons import Freeze


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How much of one resource a queue or cohort may use; amounts in the resource's unit.

    Attributes:
        resource: an accelerator model, in accelerators; or "usd_millis_per_hour", what placements cost.
        nominal: its own.
        borrowing_limit: of what others in the cohort leave unused; None: all of it.
        lending_limit: of what it leaves unused itself; None: all of it.
    """

    resource: str
    nominal: int
    borrowing_limit: int | None = None
    lending_limit: int | None = None


@dataclass(frozen=True, kw_only=True)
class QueueSpec:
    """What an operator says of a queue.

    Attributes:
        cohort: whose unused quotas it may borrow, and who may borrow its own; empty: none.
        weight_permille: its part in a fair share, relative to the other queues'.
        quotas: each of another resource. Of one that neither it nor its cohort names it may use any amount.
    """

    cohort: str = ""
    weight_permille: int = 1_000
    quotas: Sequence[Quota] = ()


@dataclass(frozen=True, kw_only=True)
class CohortSpec:
    """What an operator says of a cohort: queues, and other cohorts, that lend each other unused quota.

    Attributes:
        parent: the cohort that it is in; empty: none.
        quotas: of its own, for all its members; each of another resource.
    """

    parent: str = ""
    quotas: Sequence[Quota] = ()


@dataclass(frozen=True, kw_only=True)
class QuotaUsage:
    """How far a quota is used; amounts in the resource's unit.

    Attributes:
        nominal: its own; of a cohort, with those of all its members.
        used: by live runs; of a cohort, of all its queues.
        borrowed: what of that it has from its cohort beyond its own.
        available: how much more may be used now; of a cohort, what a member may have of it.
    """

    resource: str
    nominal: int
    used: int
    borrowed: int
    available: int


@dataclass(frozen=True, kw_only=True)
class QueueView:
    """A team's line of jobs; counts.

    Attributes:
        waiting_jobs: unfinished ones with a replica that waits.
        accelerators_used: of live runs.
        hold: why nothing new is placed; None when it is not held.
        spec: None for a queue that nobody applied: it has no quotas.
        usage: by resource.
        etag: changes when the spec does; empty without one.
    """

    queue: str
    unfinished_jobs: int
    waiting_jobs: int
    waiting_replicas: int
    live_runs: int
    accelerators_used: int
    hold: Freeze | None
    spec: QueueSpec | None = None
    usage: tuple[QuotaUsage, ...] = ()
    etag: str = ""


@dataclass(frozen=True, kw_only=True)
class CohortView:
    """A cohort.

    Attributes:
        usage: by resource.
        etag: changes when the spec does.
    """

    cohort: str
    spec: CohortSpec
    usage: tuple[QuotaUsage, ...]
    etag: str
