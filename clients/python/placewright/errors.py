"""Everything that the client raises.

PlacewrightError
├── InvalidRequest         something in the request is wrong, or impossible with the cell's catalogue;
│                          `fields` says what (also raised before sending)
├── NotFound               there is no such job, pool or run
├── AlreadyExists          the thing is there already
│   └── RequestIdReused    the same request id came before with other content
├── FailedPrecondition     the thing's state does not allow it
├── PermissionDenied       the caller's roles do not allow it
├── Unauthenticated        the caller did not say who it is, or not credibly
├── ResourceExhausted      a limit was reached, also after trying again as told; `retry_after` says when next
├── Aborted                the thing has changed since it was read (stale etag)
├── OutOfRange             a position that the service no longer has
│   └── CursorTooOld       the watch cursor was trimmed or is of another history
├── Unavailable            nobody answered after all retries; of a write, the outcome is unknown
├── DeadlineExceeded       no answer in time, or `wait` ran out of time; of a write, the outcome is unknown
└── Internal               a fault of the service

The `reason` of an error is a stable word for programs, from error.proto: INVALID_REQUEST, NOT_FOUND,
REQUEST_ID_REUSED, ILLEGAL_TRANSITION, NOT_ALLOWED, UNAUTHENTICATED, QUEUE_FULL, STALE_ETAG, STALE_SESSION,
STALE_RUN_TOKEN, CURSOR_TOO_OLD, STORE_UNAVAILABLE, NOT_CAUGHT_UP, SERVICE_STOPPING, OVERLOADED,
TOO_MANY_WATCHES, WATCH_TOO_SLOW, OUT_OF_TIME or INTERNAL.

After `Unavailable` and `DeadlineExceeded` of a write, repeat it with `request_id=error.request_id`:
what was already done is then not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class FieldViolation:
    """One field of a request that cannot be accepted."""

    field: str
    description: str

    def __str__(self) -> str:
        return f"{self.field}: {self.description}"


@dataclass(frozen=True)
class ErrorFacts:
    """What a machine can know of an error beside its class.

    Attributes:
        reason: see above; empty when the service gave none, as when it was not reached.
        metadata: what the service says with the reason.
        retry_after: when the service says that trying again makes sense.
        request_id: of the write that failed, for a safe repeat; empty for reads.
    """

    reason: str = ""
    fields: tuple[FieldViolation, ...] = ()
    retry_after: timedelta | None = None
    request_id: str = ""
    metadata: tuple[tuple[str, str], ...] = ()


class PlacewrightError(Exception):
    """The root of the tree; the message says what was wrong, the value, and what is allowed."""

    def __init__(self, message: str, facts: ErrorFacts | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts if facts is not None else ErrorFacts()

    @property
    def reason(self) -> str:
        return self.facts.reason

    @property
    def fields(self) -> tuple[FieldViolation, ...]:
        return self.facts.fields

    @property
    def retry_after(self) -> timedelta | None:
        return self.facts.retry_after

    @property
    def request_id(self) -> str:
        return self.facts.request_id

    @property
    def metadata(self) -> dict[str, str]:
        return dict(self.facts.metadata)


class InvalidRequest(PlacewrightError):
    """Something in the request is wrong; `fields` says what."""

    @classmethod
    def of(cls, violations: Sequence[FieldViolation]) -> InvalidRequest:
        """The error for faults found before anything was sent."""
        text = "; ".join(str(violation) for violation in violations)
        return cls(text, ErrorFacts(reason="INVALID_REQUEST", fields=tuple(violations)))


class NotFound(PlacewrightError):
    """There is no such job, pool or run."""


class AlreadyExists(PlacewrightError):
    """The thing is there already."""


class RequestIdReused(AlreadyExists):
    """The same request id came before with other content."""


class FailedPrecondition(PlacewrightError):
    """The thing's state does not allow it."""


class PermissionDenied(PlacewrightError):
    """The caller's roles do not allow it."""


class Unauthenticated(PlacewrightError):
    """The caller did not say who it is, or not credibly."""


class ResourceExhausted(PlacewrightError):
    """A limit was reached."""


class Aborted(PlacewrightError):
    """The thing has changed since it was read."""


class OutOfRange(PlacewrightError):
    """A position that the service no longer has."""


class CursorTooOld(OutOfRange):
    """The watch cursor was trimmed or is of another history."""


class Unavailable(PlacewrightError):
    """Nobody answered after all retries."""


class DeadlineExceeded(PlacewrightError):
    """No answer in time."""


class Internal(PlacewrightError):
    """A fault of the service."""
