"""Launcher leases, judged by the leader's monotonic clock from when it saw the last renewal."""

from collections import deque

from scheduler.model.ids import LauncherId
from scheduler.model.session import LauncherSession
from scheduler.model.state import State

Renewal = tuple[int, int]  # session number, renewal number
LOSS_WINDOW_MS = 3_600_000


class LeaseWatch:
    """When each launcher lease was last seen renewed. A new one starts every lease at full length."""

    def __init__(self) -> None:
        self._seen: dict[LauncherId, tuple[Renewal, int]] = {}

    def restart(self) -> None:
        """Every lease starts anew: time has passed in which renewals could not have been seen."""
        self._seen.clear()

    def run_out(self, state: State, *, monotonic_ms: int) -> list[LauncherSession]:
        """Sessions whose lease has run out and which have not been declared expired yet."""
        live = unexpired(state)
        return [s for s in live if self._ends_ms(s, monotonic_ms) <= monotonic_ms]

    def next_end_ms(self, state: State, *, monotonic_ms: int) -> int | None:
        """When the next lease runs out if it is not renewed."""
        live = unexpired(state)
        return min((self._ends_ms(session, monotonic_ms) for session in live), default=None)

    def _ends_ms(self, session: LauncherSession, monotonic_ms: int) -> int:
        renewal = session.number, session.renewal_number
        known = self._seen.get(session.launcher_id)
        if known is None or known[0] != renewal:
            known = self._seen[session.launcher_id] = renewal, monotonic_ms
        return known[1] + session.lease_duration_ms


def unexpired(state: State) -> list[LauncherSession]:
    """Sessions that have not expired in this history: an earlier one's word of an end may be outdated."""
    return [s for s in state.sessions() if not s.is_expired or s.history != state.history]


class LossGuard:
    """Holds back losses beyond a number within a window, until an operator has dealt with what it holds.

    Launchers cut off together run out one after the other, so one instant shows few of them.
    """

    def __init__(self, runs_max: int) -> None:
        self._runs_max = runs_max
        self._recent: deque[tuple[int, int]] = deque()  # when, how many
        self.is_holding = False

    def lets_pass(self, runs: int, *, monotonic_ms: int) -> bool:
        """Whether so many more runs may be declared lost now; they count if so."""
        while self._recent and self._recent[0][0] <= monotonic_ms - LOSS_WINDOW_MS:
            self._recent.popleft()
        recent = sum(count for _, count in self._recent)
        self.is_holding = runs > 0 and (self.is_holding or recent + runs > self._runs_max)
        if runs and not self.is_holding:
            self._recent.append((monotonic_ms, runs))
        return not self.is_holding
