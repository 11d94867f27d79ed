"""Queues: what each has waiting and running, and who holds it. A hold is the freeze of the queue's scope."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from scheduler.model.brakes import Freeze, FreezeScope
from scheduler.model.ids import QueueName, Revision
from scheduler.model.job import Job
from scheduler.model.replica import ReplicaState
from scheduler.model.state import State
from scheduler.service.parts import Parts

JOBS_PER_SLICE = 500  # a few milliseconds; then others have their turn


@dataclass(slots=True, kw_only=True)
class QueueView:
    """A queue as callers see it; counts.

    Attributes:
        waiting_jobs: unfinished ones with a replica that waits.
        hold: the freeze of the queue, if there is one.
    """

    queue: QueueName
    unfinished_jobs: int = 0
    waiting_jobs: int = 0
    waiting_replicas: int = 0
    live_runs: int = 0
    accelerators_used: int = 0
    hold: Freeze | None = None


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
        """Queues that have unfinished jobs or are held, by name from after `after`.

        Raises:
            NotCaughtUp
        """
        await self._parts.mirror.caught_up(min_revision)
        state = self._parts.state
        holds = {freeze.target: freeze for freeze in state.freezes() if freeze.scope is FreezeScope.QUEUE}
        names = sorted(name for name in {*state.unfinished_queues(), *holds} if after is None or name > after)
        views = {
            name: QueueView(queue=QueueName(name), hold=holds.get(name))
            for name in map(QueueName, names[:size])
        }
        for jobs in _slices(state, views):
            for job in jobs:
                _count(state, job, views[job.spec.queue])
            await self._parts.clock.sleep(0)
        last = QueueName(names[size - 1]) if len(names) > size else None
        return QueuePage(queues=tuple(views.values()), next_after=last)


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
