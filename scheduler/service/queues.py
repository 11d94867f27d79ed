"""Queues: what each has waiting and running, how far its quotas are used, and who holds it.

A hold is the freeze of the queue's scope.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from scheduler.model.brakes import Freeze, FreezeScope, freeze_id
from scheduler.model.errors import NotFound
from scheduler.model.ids import QueueName, Revision
from scheduler.model.job import Job
from scheduler.model.queue import Cohort, Queue
from scheduler.model.records import Key, Kind
from scheduler.model.replica import ReplicaState
from scheduler.model.state import State
from scheduler.planning.quota_usage import QuotaUse, QuotaUses, quota_uses_of
from scheduler.planning.snapshot import usage_in_slices
from scheduler.service.parts import Parts

JOBS_PER_SLICE = 500  # a few milliseconds; then others have their turn
GENERATION_BYTES = 6


@dataclass(slots=True, kw_only=True)
class QueueView:
    """A queue as callers see it; counts.

    Attributes:
        waiting_jobs: unfinished ones with a replica that waits.
        hold: the freeze of the queue, if there is one.
        record: what operators said of it; None for a queue without quotas.
        generation: which content the record has; 0 without one.
        quotas: by resource.
    """

    queue: QueueName
    unfinished_jobs: int = 0
    waiting_jobs: int = 0
    waiting_replicas: int = 0
    live_runs: int = 0
    accelerators_used: int = 0
    hold: Freeze | None = None
    record: Queue | None = None
    generation: int = 0
    quotas: tuple[QuotaUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """Queues by name, and the name to go on after; None on the last page."""

    queues: tuple[QueueView, ...]
    next_after: QueueName | None


class Queues:
    """What may be asked of queues."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list_page(self, *, after: QueueName | None, size: int, min_revision: Revision) -> QueuePage:
        """Queues that have a record or unfinished jobs or are held, by name from after `after`.

        Raises:
            NotCaughtUp
        """
        await self._parts.mirror.caught_up(min_revision)
        names = [name for name in _names(self._parts.state) if after is None or name > after]
        views = await self._views(names[:size])
        return QueuePage(queues=views, next_after=names[size - 1] if len(names) > size else None)

    async def get(self, name: QueueName, *, min_revision: Revision) -> QueueView:
        """One queue.

        Raises:
            NotFound: it has no record, no unfinished jobs and no hold.
            NotCaughtUp
        """
        await self._parts.mirror.caught_up(min_revision)
        if name not in _names(self._parts.state):
            raise NotFound("queue", name)
        return (await self._views([name]))[0]

    async def _views(self, names: Sequence[QueueName]) -> tuple[QueueView, ...]:
        state = self._parts.state
        uses = await quota_uses_now(self._parts)
        views = {name: _view(state, name, uses) for name in names}
        for jobs in _slices(state, views):
            for job in jobs:
                _count(state, job, views[job.spec.queue])
            await self._parts.clock.sleep(0)
        return tuple(views.values())


async def quota_uses_now(parts: Parts) -> QuotaUses:
    """How far all quotas are used; counted over some tens of milliseconds in a large cell."""
    state = parts.state
    if not state.count(Kind.QUEUE) and not state.count(Kind.COHORT):
        return QuotaUses({}, {})
    slices = usage_in_slices(state)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return quota_uses_of(state.queues(), state.cohorts(), end.value)
        await parts.clock.sleep(0)


def generation_of(holder: Queue | Cohort) -> int:
    """A number of what operators said, for etags: a record is also written for what others do."""
    digest = hashlib.sha256(msgspec.msgpack.encode(holder)).digest()
    return int.from_bytes(digest[:GENERATION_BYTES], "big")


def _names(state: State) -> list[QueueName]:
    holds = {freeze.target for freeze in state.freezes() if freeze.scope is FreezeScope.QUEUE}
    return sorted(map(QueueName, {*state.unfinished_queues(), *state.ids(Kind.QUEUE), *holds}))


def _view(state: State, name: QueueName, uses: QuotaUses) -> QueueView:
    """The queue, before its jobs are counted."""
    hold = state.record(Key(Kind.FREEZE, freeze_id(FreezeScope.QUEUE, name)))
    queue = state.queue(name)
    return QueueView(
        queue=name,
        hold=hold.entity if hold is not None and isinstance(hold.entity, Freeze) else None,
        record=queue,
        generation=0 if queue is None else generation_of(queue),
        quotas=uses.queues.get(name, ()),
    )


def _slices(state: State, queues: Collection[QueueName]) -> Iterator[list[Job]]:
    """The unfinished jobs of these queues, as they are when their turn comes."""
    ids = [job.id for job in state.unfinished_jobs() if job.spec.queue in queues]
    for start in range(0, len(ids), JOBS_PER_SLICE):
        found = (state.job(job_id) for job_id in ids[start : start + JOBS_PER_SLICE])
        yield [job for job in found if job is not None and not job.is_finished]


def _count(state: State, job: Job, view: QueueView) -> None:
    """Add the job; replicas that have not been made yet wait too."""
    replicas = state.replicas_of(job)
    waiting = job.spec.replicas - len(replicas)
    for replica in replicas:
        waiting += replica.state is ReplicaState.WAITING
        run = None if replica.live_run is None else state.run(replica.live_run)
        if run is not None:
            view.live_runs += 1
            view.accelerators_used += run.placement.accelerators
    view.unfinished_jobs += 1
    view.waiting_jobs += waiting > 0
    view.waiting_replicas += waiting
