"""The backlog of a planner: what its copy of the state has not been given yet."""

from collections.abc import Sequence

from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.ports import StateCopy

UNSEEN_MAX = 10_000  # commits; beyond, giving the planner the whole state is cheaper than keeping them


class Backlog:
    """Commits in order; none are kept while the planner must be given the whole state.

    Attributes:
        is_stale: the planner must be given the whole state.
    """

    def __init__(self) -> None:
        self.is_stale = True
        self._unseen: list[Commit] = []

    def committed(self, commits: Sequence[Commit]) -> None:
        if not self.is_stale:
            self._unseen += commits
        if len(self._unseen) > UNSEEN_MAX:
            self.start_over()

    def start_over(self) -> None:
        """Take nothing for given."""
        self.is_stale = True
        self._unseen.clear()

    async def give(self, planner: StateCopy, state: State) -> None:
        """Bring the planner's copy up to `state`; one that got only a part gets all the next time."""
        is_stale, self.is_stale = self.is_stale, False
        commits, self._unseen = self._unseen, []
        try:
            if is_stale:
                await planner.reset(state)
            else:
                await planner.observe(commits)
        except BaseException:
            self.start_over()
            raise
