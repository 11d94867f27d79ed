"""The pump: one look at each commit, handed to every watch that it concerns, each with a bounded queue."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import CursorTooOld, PlacewrightError, TooManyWatches, WatchTooSlow
from scheduler.model.ids import JobId, Principal, Revision
from scheduler.model.job import Job
from scheduler.model.limits import WATCH_QUEUE_JOBS_MAX, WATCHES_MAX, WATCHES_PER_PRINCIPAL_MAX
from scheduler.model.records import Kind
from scheduler.model.replica import Replica
from scheduler.model.run import Run
from scheduler.model.state import State
from scheduler.model.transaction import Commit


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """What watches of one process may use.

    Attributes:
        queue_jobs: changed jobs that a watch has not been told of yet, without those from before it began.
    """

    watches: int = WATCHES_MAX
    watches_per_principal: int = WATCHES_PER_PRINCIPAL_MAX
    queue_jobs: int = WATCH_QUEUE_JOBS_MAX


class Pump:
    """The one listener of all watches; what a commit costs grows with the watches that it concerns only."""

    def __init__(self, mirror: Mirror, limits: WatchLimits) -> None:
        self._mirror, self._limits = mirror, limits
        self._of_all_jobs: dict[Changes, None] = {}  # ordered, so that the simulation repeats itself
        self._of_job: dict[JobId, dict[Changes, None]] = {}
        self._watches: Counter[Principal | None] = Counter()
        mirror.add_listener(self)

    def open(self, job_ids: Iterable[JobId], principal: Principal | None) -> "Changes":
        """What changes from now on, of these jobs or, if there are none, of all; to be closed.

        Raises:
            TooManyWatches
        """
        self._expect_room(principal)
        changes = Changes(self._mirror.state, frozenset(job_ids), principal, limit=self._limits.queue_jobs)
        self._watches[principal] += 1
        for group in self._groups(changes):
            group[changes] = None
        return changes

    def _expect_room(self, principal: Principal | None) -> None:
        if self._watches.total() >= self._limits.watches:
            raise TooManyWatches(f"this replica may have {self._limits.watches} watches open, and has")
        if principal is not None and self._watches[principal] >= self._limits.watches_per_principal:
            allowed = self._limits.watches_per_principal
            raise TooManyWatches(f"{principal} may have {allowed} watches open at a replica, and has")

    def _groups(self, changes: "Changes") -> "list[dict[Changes, None]]":
        if not changes.job_ids:
            return [self._of_all_jobs]
        return [self._of_job.setdefault(job_id, {}) for job_id in sorted(changes.job_ids)]

    def close(self, changes: "Changes") -> None:
        for group in self._groups(changes):
            del group[changes]
        for job_id in changes.job_ids:
            if not self._of_job[job_id]:
                del self._of_job[job_id]
        self._watches[changes.principal] -= 1
        if not self._watches[changes.principal]:
            del self._watches[changes.principal]

    def committed(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            for job_id in jobs_of(commit):
                for changes in self._of_all_jobs:
                    changes.note(job_id, commit.revision)
                for changes in self._of_job.get(job_id, ()):
                    changes.note(job_id, commit.revision)

    def reloaded(self, _state: State) -> None:
        fault = CursorTooOld("the state was loaded anew: list again and watch from there")
        for changes in self._of_all_jobs:
            changes.end(fault)
        for group in self._of_job.values():
            for changes in group:
                changes.end(fault)


class Changes:
    """Jobs that have changed and were not told yet, by the revision of the first such change.

    A job that changes again before it is told is told once: a slow watcher skips states, misses none. One
    that lets more jobs wait than `limit` is cut off, and goes on from its cursor when it reads again.

    Attributes:
        since: the revision at which it began to listen.
    """

    def __init__(
        self, state: State, job_ids: frozenset[JobId], principal: Principal | None, *, limit: int
    ) -> None:
        self.job_ids, self.principal = job_ids, principal
        self.since, self.history = state.revision, state.history
        self._room = limit
        self._untold: dict[JobId, Revision] = {}
        self._fault: PlacewrightError | None = None
        self._something = asyncio.Event()

    def note(self, job_id: JobId, revision: Revision) -> None:
        if self._fault is None:
            self._untold.setdefault(job_id, revision)
            if len(self._untold) > self._room:
                self.end(
                    WatchTooSlow(f"{self._room} changed jobs wait to be read: go on from the last cursor")
                )
        self._something.set()

    def end(self, fault: PlacewrightError) -> None:
        """Tell nothing more but why."""
        self._fault = self._fault or fault
        self._untold.clear()
        self._something.set()

    def put_in_front(self, earlier: dict[JobId, Revision]) -> None:
        """Tell changes from before it began to listen first; they do not count against the limit."""
        if self._fault is None:
            self._room += len(earlier)
            self._untold = earlier | {i: r for i, r in self._untold.items() if i not in earlier}

    async def take(self) -> JobId:
        """The job that has waited longest to be told of."""
        while not self._untold:
            self.expect_whole()
            self._something.clear()
            await self._something.wait()
        job_id = next(iter(self._untold))
        del self._untold[job_id]
        return job_id

    def expect_whole(self) -> None:
        """Raise why it has been ended, if it has."""
        if self._fault is not None:
            raise self._fault

    def told_until(self, now: Revision) -> Revision:
        """Every change up to here has been taken."""
        return Revision(next(iter(self._untold.values())) - 1) if self._untold else now


def jobs_of(commit: Commit) -> list[JobId]:
    """Jobs that a commit touches."""
    touched: list[JobId] = []
    for record in commit.records:
        match record.entity:
            case Job():
                touched.append(record.entity.id)
            case Replica() | Run():
                touched.append(record.entity.job_id)
            case _:
                pass
    touched += [JobId(key.id) for key in commit.removed if key.kind is Kind.JOB]
    return list(dict.fromkeys(touched))
