"""What can go wrong in a way that a caller can act on. `api.errors` gives each a status."""

from dataclasses import dataclass


class PlacewrightError(Exception):
    """The root: the message says what was wrong, the value, and what is allowed."""


@dataclass(frozen=True)
class FieldViolation:
    """One field of a request that cannot be accepted; `field` is its proto path."""

    field: str
    description: str


class InvalidRequest(PlacewrightError):
    """The request cannot be accepted as it is."""

    def __init__(self, *violations: FieldViolation) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations


class NotFound(PlacewrightError):
    """The thing is not there."""

    def __init__(self, resource: str, name: str) -> None:
        super().__init__(f"{resource} {name!r} does not exist")
        self.resource, self.name = resource, name


class RequestIdReused(PlacewrightError):
    """The same request id came before with other content."""


class IllegalTransition(PlacewrightError):
    """The thing's state does not allow what was asked for."""


class NotAllowed(PlacewrightError):
    """The caller's roles do not allow the verb."""


class Unauthenticated(PlacewrightError):
    """The caller did not say who it is, or not credibly."""


class LimitReached(PlacewrightError):
    """No more of something is taken now; nothing was done.

    Attributes:
        limit: its name.
    """

    def __init__(self, message: str, *, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


class QueueFull(LimitReached):
    """A limit on what may wait has been reached."""


class TooManyWatches(PlacewrightError):
    """The limit on open watches has been reached."""


class WatchTooSlow(PlacewrightError):
    """The watch's reader does not keep up; it goes on from its last cursor."""


class Overloaded(LimitReached):
    """The service has as much under way as it can; the same call is taken a little later."""


class StaleEtag(PlacewrightError):
    """The thing has changed since the caller read it."""


class StaleSession(PlacewrightError):
    """A newer session of the launcher has been opened, or this one never was."""


class StaleRunToken(PlacewrightError):
    """The report is about another run of the replica than the live one."""


class CursorTooOld(PlacewrightError):
    """The position is of another history or has been trimmed; start from a list."""


class StoreUnavailable(PlacewrightError):
    """The state store cannot be reached; nothing is known about the outcome."""


class ServiceStopping(PlacewrightError):
    """This process is about to end; the next one, or another, answers."""


class NotCaughtUp(PlacewrightError):
    """This process has not seen the asked revision within the deadline."""


class OutOfTime(PlacewrightError):
    """The question was not answered in time; nothing was changed."""


class LostLeadership(PlacewrightError):
    """The fence is not the newest: stop acting as leader at once."""


class PlannerFailed(PlacewrightError):
    """The planner died or made a plan that breaks a rule; nothing of it was used."""
