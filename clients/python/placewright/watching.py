"""Watches that survive outages, and waiting for one job: written once as generators of effects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Optional

from placewright import errors
from placewright.decode import event_kind, job_view
from placewright.effects import OpenStream, Operation, Receive, Sleep, Stream
from placewright.operations import JOB_SERVICE, NEVER, Operations
from placewright.strings import duration_text
from placewright.timing import Deadline, Outage
from placewright.v1 import job_service_pb2 as jobs
from placewright.views import JobEvent, JobView
from placewright.words import WaitFor, WatchEventKind

OnChange = Optional[Callable[[JobView], object]]  # noqa: UP045  (runs under 3.10)
STREAM_S_MAX = 60.0  # a stream is renewed by cursor, so that one that lost its server is noticed
FIRST_ATTEMPTS_MAX = 5  # without any answer: the address is wrong, or nobody is there


class Watcher:
    """Events of the jobs that a filter chooses.

    Without a cursor it starts with every job that matches. A lost stream goes on after the last cursor;
    where that is impossible (cut off before INITIAL_END, cursor trimmed or of another history) RESTARTED
    is given and the start is repeated. So every change is seen, at least once and in order.
    """

    def __init__(
        self, operations: Operations, chosen: jobs.JobFilter, *, cursor: str = "", deadline: Deadline = NEVER
    ) -> None:
        self._operations = operations
        self._chosen = chosen
        self._cursor = cursor
        self._deadline = deadline
        self._outage = Outage(operations.settings.outage_s_max)
        self._stream: Stream | None = None
        self._has_begun = False  # something was given since the start or RESTARTED
        self._attempts_left = FIRST_ATTEMPTS_MAX
        self._has_answered = False

    def next(self) -> Operation[JobEvent | None]:
        """The next event; never None."""
        while True:
            if self._stream is None and not self._cursor and self._has_begun:
                self._has_begun = False
                return JobEvent(kind=WatchEventKind.RESTARTED)
            try:
                response = yield from self._receive()
            except errors.OutOfRange as error:
                yield from self._start_anew(error)
                continue
            event = None if response is None else self._event(response)
            if event is not None:
                self._has_begun = True
                return event

    def close(self) -> None:
        """Give the stream back."""
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None

    def _receive(self) -> Operation[jobs.WatchJobsResponse | None]:
        """The next message; None when the stream was lost and is to be opened again."""
        try:
            if self._stream is None:
                self._stream = yield self._open()
            response: jobs.WatchJobsResponse | None = yield Receive(self._stream)
        except errors.DeadlineExceeded as error:
            yield from self._pause(error)
            return None
        except errors.Unavailable as error:
            yield from self._pause(error)
            return None
        except errors.PlacewrightError:
            self.close()
            raise
        if response is None:
            yield from self._pause(errors.Unavailable("the service ended the stream"))
            return None
        self._has_answered = True
        self._outage.end()
        return response

    def _open(self) -> OpenStream:
        request = jobs.WatchJobsRequest(filter=self._chosen, cursor=self._cursor)
        timeout_s = self._deadline.left_s(STREAM_S_MAX)
        return OpenStream(f"{JOB_SERVICE}WatchJobs", request, jobs.WatchJobsResponse, timeout_s)

    def _pause(self, fault: errors.PlacewrightError) -> Operation[None]:
        self.close()
        if self._deadline.has_passed():
            raise errors.DeadlineExceeded("the time to wait is over") from fault
        self._attempts_left -= 1
        if not self._has_answered and isinstance(fault, errors.Unavailable) and not self._attempts_left:
            raise fault
        yield Sleep(self._deadline.left_s(self._outage.pause_s(fault)))

    def _start_anew(self, fault: errors.OutOfRange) -> Operation[None]:
        """The position is lost; without one (the service loaded its state anew), after a pause."""
        self.close()
        if not self._cursor:
            yield Sleep(self._deadline.left_s(self._outage.pause_s(fault)))
        self._has_begun = self._has_begun or bool(self._cursor)
        self._cursor = ""
        self._operations.revisions.forget()

    def _event(self, response: jobs.WatchJobsResponse) -> JobEvent | None:
        kind = event_kind(response.kind)
        self._cursor = response.cursor or self._cursor  # none until INITIAL_END
        if kind is None:
            return None
        has_state = kind in (WatchEventKind.CHANGED, WatchEventKind.LEFT)
        return JobEvent(
            kind=kind,
            job_id=response.job.job_id,
            job=job_view(response.job) if has_state else None,
            cursor=self._cursor,
            revision=response.revision,
        )


class Follower:
    """One job, each time it changes, until it has finished."""

    def __init__(self, operations: Operations, job_id: str, *, deadline: Deadline = NEVER) -> None:
        self._operations = operations
        self._job_id = job_id
        self._deadline = deadline
        self._watcher = Watcher(operations, jobs.JobFilter(job_ids=[job_id]), deadline=deadline)
        self._outage = Outage(operations.settings.outage_s_max)
        self._last: JobView | None = None
        self._must_read = True
        self._newest_revision = -1

    def next(self) -> Operation[JobView | None]:
        """The job as it is now, then after each change; None after it has finished."""
        if self._last is not None and self._last.is_finished:
            return None
        while True:
            job = (yield from self._read()) if self._must_read else (yield from self._change())
            if job is not None and self._is_news(job):
                self._last, self._newest_revision = job, job.revision
                return job

    def close(self) -> None:
        self._watcher.close()

    def _read(self) -> Operation[JobView | None]:
        """The job, read from the service: a watch alone could not tell a missing job from a late mirror."""
        try:
            job = yield from self._operations.get_job(self._job_id, self._deadline)
        except (errors.Unavailable, errors.DeadlineExceeded) as error:
            if self._last is None or self._deadline.has_passed():
                raise
            yield Sleep(self._deadline.left_s(self._outage.pause_s(error)))
            return None
        self._outage.end()
        self._must_read = False
        return job

    def _change(self) -> Operation[JobView | None]:
        event = yield from self._watcher.next()
        if event is None or event.kind is WatchEventKind.INITIAL_END:
            return None
        if event.kind is WatchEventKind.RESTARTED:
            self._must_read, self._newest_revision = True, -1
            return None
        if event.kind is WatchEventKind.REMOVED:
            raise errors.NotFound(f"job {self._job_id!r} was removed after its retention")
        return event.job

    def _is_news(self, job: JobView) -> bool:
        return job.revision > self._newest_revision and job != self._last


def wait(
    operations: Operations,
    job_id: str,
    *,
    until: str | WaitFor,
    timeout_s: float | None,
    on_change: OnChange,
) -> Operation[JobView]:
    """The job when it has come so far, or has finished before.

    Raises:
        DeadlineExceeded: it has not in `timeout_s`; the message says where it stands and why.
    """
    goal = _goal(until)
    last: JobView | None = None
    deadline = Deadline(timeout_s)
    follower = Follower(operations, job_id, deadline=deadline)
    try:
        while True:
            job = yield from follower.next()
            assert job is not None, "a follower ends only after a finished job"
            last = job
            if on_change is not None:
                on_change(job)
            if has_reached(job, goal):
                return (yield from _with_replicas(operations, job, deadline))
    except errors.DeadlineExceeded as error:
        raise _waited_too_long(job_id, goal, last=last, timeout_s=timeout_s, error=error) from error
    finally:
        follower.close()


def _with_replicas(operations: Operations, job: JobView, deadline: Deadline) -> Operation[JobView]:
    """The job with the replicas that a watch leaves out, unless only an older state is to be had."""
    if not job.replicas_left_out:
        return job
    try:
        read = yield from operations.get_job(job.job_id, deadline)
    except (errors.Unavailable, errors.DeadlineExceeded, errors.NotFound):
        return job
    return read if read.revision >= job.revision else job


def has_reached(job: JobView, goal: WaitFor) -> bool:
    """Whether the job has come so far or is over."""
    if goal is WaitFor.PLACED:
        return job.is_placed or job.is_finished
    if goal is WaitFor.RUNNING:
        return job.is_running or job.is_finished
    return job.is_finished


def _goal(until: str | WaitFor) -> WaitFor:
    allowed = [goal.value for goal in WaitFor]
    if until not in allowed:
        description = f"must be one of {', '.join(allowed)}, got {until!r}"
        raise errors.InvalidRequest.of([errors.FieldViolation("until", description)])
    return WaitFor(until)


def _waited_too_long(
    job_id: str,
    goal: WaitFor,
    *,
    last: JobView | None,
    timeout_s: float | None,
    error: errors.DeadlineExceeded,
) -> errors.DeadlineExceeded:
    if last is None or timeout_s is None:
        return error
    why = f" ({last.deferrals[0]})" if last.deferrals else ""
    waited = duration_text(timedelta(seconds=timeout_s))
    return errors.DeadlineExceeded(
        f"job {job_id} is {last.phase} and not {goal} after {waited}{why}", error.facts
    )
