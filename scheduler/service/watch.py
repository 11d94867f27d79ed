"""Watches: jobs as they change, at least once, in the order of revisions, without a gap."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from scheduler.model.errors import CursorTooOld
from scheduler.model.ids import History, JobId, Revision
from scheduler.model.job import Job
from scheduler.model.limits import REPLICAS_SHOWN_MAX
from scheduler.model.records import Kind
from scheduler.model.replica import Replica
from scheduler.model.run import Run
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.model.view import JobView, job_view
from scheduler.service.jobs import JobFilter
from scheduler.service.parts import Parts


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position: everything up to this revision of this history has been sent."""

    history: History
    revision: Revision


class EventKind(Enum):
    CHANGED = auto()
    LEFT = auto()
    REMOVED = auto()
    INITIAL_END = auto()
    HEARTBEAT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvent:
    """One event; `cursor` is None until everything that matched at the start has been sent."""

    kind: EventKind
    job_id: JobId | None = None
    view: JobView | None = None
    cursor: Cursor | None = None


class Watches:
    """Opens watches on jobs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def cursor(self) -> Cursor:
        """The position of this process now."""
        return Cursor(self._parts.state.history, self._parts.state.revision)

    async def watch(
        self, wanted: JobFilter, *, cursor: Cursor | None, heartbeat_ms: int
    ) -> AsyncGenerator[WatchEvent, None]:
        """Events until the caller stops.

        Raises:
            CursorTooOld: the position is of another history or has been trimmed.
            NotCaughtUp: this process has not seen what the caller has been told elsewhere.
        """
        if cursor is not None:
            self._refuse_foreign(cursor)
            await self._parts.mirror.caught_up(cursor.revision)
        changes = _Changes(self._parts.state.revision)
        self._parts.mirror.add_listener(changes)
        try:
            watcher = _Watcher(self._parts, wanted, changes)
            if cursor is None:
                for event in watcher.initial():
                    yield event
            else:
                await self._catch_up(cursor, changes)
            while True:
                yield await watcher.next_event(heartbeat_ms)
        finally:
            self._parts.mirror.remove_listener(changes)

    async def _catch_up(self, cursor: Cursor, changes: "_Changes") -> None:
        """Note what has changed between the cursor and the moment of listening."""
        self._refuse_foreign(cursor)
        after, until = cursor.revision, changes.seen
        missed: list[Commit] = []
        while after < until:
            commits = await self._parts.store.read_commits(cursor.history, after, wait_ms=0)
            if not commits:
                break
            missed += [
                commit for commit in commits if commit.revision <= until
            ]  # the others are not seen here
            after = commits[-1].revision
        changes.add_earlier(missed)

    def _refuse_foreign(self, cursor: Cursor) -> None:
        if cursor.history != self._parts.state.history:
            raise CursorTooOld("the cursor is of another history: list again and watch from there")


class _Changes:
    """Jobs that have changed and were not sent yet, by the revision of the first such change.

    A job that changes again before it is sent is sent once: a slow watcher skips states, misses none.
    """

    def __init__(self, seen: Revision) -> None:
        self.seen = seen
        self._unsent: dict[JobId, Revision] = {}
        self._restarted = False
        self._something = asyncio.Event()

    def committed(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            for job_id in jobs_of(commit):
                self._unsent.setdefault(job_id, commit.revision)
            self.seen = max(self.seen, commit.revision)
        self._something.set()

    def reloaded(self, _state: State) -> None:
        self._restarted = True
        self._something.set()

    def add_earlier(self, commits: Sequence[Commit]) -> None:
        """Put changes from before listening in front."""
        later, self._unsent = self._unsent, {}
        for commit in commits:
            for job_id in jobs_of(commit):
                self._unsent.setdefault(job_id, commit.revision)
        for job_id, revision in later.items():
            self._unsent.setdefault(job_id, revision)

    async def take(self) -> JobId:
        """The job that has waited longest to be told of."""
        while not self._unsent:
            self._refuse_if_restarted()
            self._something.clear()
            await self._something.wait()
        self._refuse_if_restarted()
        job_id = next(iter(self._unsent))
        del self._unsent[job_id]
        return job_id

    def _refuse_if_restarted(self) -> None:
        if self._restarted:
            raise CursorTooOld("the state was loaded anew: list again and watch from there")

    @property
    def sent_until(self) -> Revision:
        """Every change up to here has been taken."""
        return Revision(next(iter(self._unsent.values())) - 1) if self._unsent else self.seen


class _Watcher:
    """One watch: what was last said of each job, and what to say next."""

    def __init__(self, parts: Parts, wanted: JobFilter, changes: _Changes) -> None:
        self._parts, self._wanted, self._changes = parts, wanted, changes
        self._matching: set[JobId] | None = None  # None: unknown, the watch was resumed

    def initial(self) -> list[WatchEvent]:
        state = self._parts.state
        jobs = (state.job(JobId(job_id)) for job_id in state.ids(Kind.JOB))
        matching = [job.id for job in jobs if job is not None and self._wanted.matches(state, job)]
        self._matching = set(matching)
        events = [
            WatchEvent(
                kind=EventKind.CHANGED,
                job_id=job_id,
                view=job_view(state, job_id, replicas_max=REPLICAS_SHOWN_MAX),
            )
            for job_id in matching
        ]
        return [*events, self._event(EventKind.INITIAL_END)]

    async def next_event(self, heartbeat_ms: int) -> WatchEvent:
        try:
            async with asyncio.timeout(heartbeat_ms / 1000):
                while (event := self._event_of(await self._changes.take())) is None:
                    pass
                return event
        except TimeoutError:
            return self._event(EventKind.HEARTBEAT)

    def _event_of(self, job_id: JobId) -> WatchEvent | None:
        job = self._parts.state.job(job_id)
        was_matching = self._was_matching(job_id, job)
        if job is None:
            return self._event(EventKind.REMOVED, job_id) if was_matching else None
        if self._matches(job):
            return self._event(EventKind.CHANGED, job_id)
        return self._event(EventKind.LEFT, job_id) if was_matching else None

    def _was_matching(self, job_id: JobId, job: Job | None) -> bool:
        """Whether the watcher may have been told of the job."""
        if self._matching is not None:
            return job_id in self._matching
        if job is None:
            return not self._wanted.job_ids or job_id in self._wanted.job_ids
        return self._wanted.can_match(job)

    def _matches(self, job: Job) -> bool:
        matches = self._wanted.matches(self._parts.state, job)
        if self._matching is not None:
            (self._matching.add if matches else self._matching.discard)(job.id)
        return matches

    def _event(self, kind: EventKind, job_id: JobId | None = None) -> WatchEvent:
        state = self._parts.state
        view = None
        if job_id is not None:
            view = job_view(state, job_id, replicas_max=REPLICAS_SHOWN_MAX)
        cursor = Cursor(state.history, self._changes.sent_until)
        return WatchEvent(kind=kind, job_id=job_id, view=view, cursor=cursor)


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
