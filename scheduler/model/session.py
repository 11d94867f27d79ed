"""A launcher session: who holds the runs of a launcher, and the lease on them."""

from dataclasses import dataclass

from scheduler.model.ids import NO_HISTORY, History, LauncherId, Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherSession:
    """The newest session of a launcher.

    Attributes:
        number: grows with each session; an older session's calls are refused.
        renewal_number: rises with each renewal; a step that judges the lease names the one it judged.
        is_synchronised: the launcher has sent its full state in this session.
        history: in which it was opened; one of another history counts no more.
        is_expired: the leader saw no renewal for a lease; the launcher must attach again.
    """

    launcher_id: LauncherId
    number: int
    principal: Principal
    lease_duration_ms: int
    renewal_number: int = 1
    is_synchronised: bool = False
    is_expired: bool = False
    opened_at_ms: int
    version: str = ""
    history: History = NO_HISTORY
