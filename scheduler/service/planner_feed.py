"""Feeds a planner of this process with what its mirror sees, from one question to the next."""

from collections.abc import Sequence

from scheduler.mirror.mirror import Mirror
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.ports import WhatIfPlanner

UNSEEN_MAX = 10_000  # commits; beyond, giving the planner the whole state is cheaper than keeping them


class PlannerFeed:
    """Listens to the mirror from the first time that it is asked to bring the planner up to date."""

    def __init__(self, mirror: Mirror, planner: WhatIfPlanner) -> None:
        self._mirror, self._planner = mirror, planner
        self._unseen: list[Commit] = []
        self._is_listening, self._is_stale = False, True

    def committed(self, commits: Sequence[Commit]) -> None:
        if not self._is_stale:
            self._unseen += commits
        if len(self._unseen) > UNSEEN_MAX:
            self.reloaded(self._mirror.state)

    def reloaded(self, _state: State) -> None:
        self._is_stale = True
        self._unseen.clear()

    async def bring_up_to_date(self) -> None:
        """Give the planner what it has not seen; one that was given only a part gets all the next time."""
        if not self._is_listening:
            self._mirror.add_listener(self)
            self._is_listening = True
        is_stale, self._is_stale = self._is_stale, False
        commits, self._unseen = self._unseen, []
        try:
            if is_stale:
                await self._planner.reset(self._mirror.state)
            else:
                await self._planner.observe(commits)
        except BaseException:
            self.reloaded(self._mirror.state)
            raise
