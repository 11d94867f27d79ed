"""Which calls are let in: limits of what is under way, kept apart so that no flood takes another's places.

Why: docs/decisions/service-backpressure.md.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.model.errors import Overloaded
from scheduler.model.ids import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit of calls under way.

    Attributes:
        name: as callers, metrics and logs spell it.
        per_principal: how many of them one principal may have.
    """

    name: str
    calls_max: int
    per_principal: int


CALLS = Limit(name="CALLS_IN_FLIGHT", calls_max=1_000, per_principal=1_000)
BULK_CALLS = Limit(name="BULK_CALLS_IN_FLIGHT", calls_max=64, per_principal=64)  # up to 4 MiB each
LAUNCHER_CALLS = Limit(name="LAUNCHER_CALLS_IN_FLIGHT", calls_max=2_000, per_principal=2_000)
WATCHES = Limit(name="WATCHES_OPEN", calls_max=2_000, per_principal=1_000)
ATTACHMENTS = Limit(name="LAUNCHERS_ATTACHED", calls_max=1_000, per_principal=1_000)
LIMITS = (CALLS, BULK_CALLS, LAUNCHER_CALLS, WATCHES, ATTACHMENTS)

BY_RPC: Mapping[str, Limit] = {
    "JobService/SubmitJobs": BULK_CALLS,
    "JobService/ListJobs": BULK_CALLS,
    "JobService/WatchJobs": WATCHES,
    "LauncherService/Attach": ATTACHMENTS,
    "LauncherService/ClaimRun": LAUNCHER_CALLS,
    "LauncherService/RenewRuns": LAUNCHER_CALLS,
    "LauncherService/ReportRuns": LAUNCHER_CALLS,
}
"""RPCs with a limit of their own; the others share `CALLS`."""


class Admission:
    """Counts what is under way."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._of_principal: Counter[tuple[str, Principal]] = Counter()

    def enter(self, limit: Limit, principal: Principal) -> None:
        """Take a place for a call; `leave` gives it back.

        Raises:
            Overloaded: there is none.
        """
        own = (limit.name, principal)
        if self._calls[limit.name] >= limit.calls_max:
            raise Overloaded(f"{limit.calls_max} calls are under way, no more may be", limit=limit.name)
        if self._of_principal[own] >= limit.per_principal:
            told = f"{principal} has {limit.per_principal} calls under way, no more may be"
            raise Overloaded(told, limit=limit.name)
        self._calls[limit.name] += 1
        self._of_principal[own] += 1

    def leave(self, limit: Limit, principal: Principal) -> None:
        """Give a place back."""
        own = (limit.name, principal)
        self._calls[limit.name] -= 1
        self._of_principal[own] -= 1
        if not self._of_principal[own]:
            del self._of_principal[own]
