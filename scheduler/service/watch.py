"""Watches: jobs as they change, at least once, in the order of revisions, without a gap."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import Enum, auto

from scheduler.model.errors import CursorTooOld
from scheduler.model.ids import History, JobId, Principal, Revision
from scheduler.model.job import Job
from scheduler.model.limits import REPLICAS_SHOWN_MAX
from scheduler.model.records import Kind
from scheduler.model.view import JobView, job_view
from scheduler.service.jobs import JobFilter
from scheduler.service.parts import Parts
from scheduler.service.watch_pump import Changes, Pump, WatchLimits, jobs_of

JOBS_PER_SLICE = 1_000  # looked at before others get their turn


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

    def __init__(self, parts: Parts, limits: WatchLimits | None = None) -> None:
        self._parts = parts
        self._pump = Pump(parts.mirror, limits or WatchLimits())

    def cursor(self) -> Cursor:
        """The position of this process now."""
        return Cursor(self._parts.state.history, self._parts.state.revision)

    async def watch(
        self,
        wanted: JobFilter,
        *,
        cursor: Cursor | None,
        heartbeat_ms: int,
        principal: Principal | None = None,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Events until the caller stops; watches of a `principal` are counted.

        Raises:
            CursorTooOld: the position is of another history or has been trimmed.
            NotCaughtUp: this process has not seen what the caller has been told elsewhere.
            TooManyWatches: of the principal, or of this process.
            WatchTooSlow: the caller did not read; everything up to the last cursor has been told.
        """
        if cursor is not None:
            self._refuse_foreign(cursor)
            await self._parts.mirror.caught_up(cursor.revision)
        changes = self._pump.open(wanted.job_ids, principal)
        try:
            watcher = _Watcher(self._parts, wanted, changes)
            if cursor is None:
                async for event in watcher.initial():
                    yield event
            else:
                await self._catch_up(cursor, changes)
            while True:
                yield await watcher.next_event(heartbeat_ms)
        finally:
            self._pump.close(changes)

    async def _catch_up(self, cursor: Cursor, changes: Changes) -> None:
        """Note what has changed between the cursor and the moment of listening."""
        self._refuse_foreign(cursor)
        after, missed = cursor.revision, dict[JobId, Revision]()
        while after < changes.since:
            commits = await self._parts.store.read_commits(cursor.history, after, wait_ms=0)
            if not commits:
                break
            for commit in commits:
                if commit.revision <= changes.since:  # the others are not seen here, or will be told
                    for job_id in jobs_of(commit):
                        missed.setdefault(job_id, commit.revision)
            after = commits[-1].revision
        changes.put_in_front(missed)

    def _refuse_foreign(self, cursor: Cursor) -> None:
        if cursor.history != self._parts.state.history:
            raise CursorTooOld("the cursor is of another history: list again and watch from there")


class _Watcher:
    """One watch: what was last said of each job, and what to say next."""

    def __init__(self, parts: Parts, wanted: JobFilter, changes: Changes) -> None:
        self._parts, self._wanted, self._changes = parts, wanted, changes
        self._matching: set[JobId] | None = None  # None: unknown, the watch was resumed

    async def initial(self) -> AsyncGenerator[WatchEvent, None]:
        """Every matching job as it is when its turn comes, and the end marker."""
        self._matching = set()
        state = self._parts.state
        for number, job_id in enumerate(map(JobId, state.ids(Kind.JOB))):
            self._changes.expect_whole()
            job = state.job(job_id)
            if job is not None and self._matches(job):
                view = job_view(state, job_id, replicas_max=REPLICAS_SHOWN_MAX)
                yield WatchEvent(kind=EventKind.CHANGED, job_id=job_id, view=view)
            elif number % JOBS_PER_SLICE == 0:
                await self._parts.clock.sleep(0)
        yield self._event(EventKind.INITIAL_END)

    async def next_event(self, heartbeat_ms: int) -> WatchEvent:
        try:
            async with asyncio.timeout(heartbeat_ms / 1000):
                while (event := self._event_of(await self._changes.take())) is None:
                    pass
                return event
        except TimeoutError:
            self._changes.expect_whole()
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
        cursor = Cursor(self._changes.history, self._changes.told_until(state.revision))
        return WatchEvent(kind=kind, job_id=job_id, view=view, cursor=cursor)
