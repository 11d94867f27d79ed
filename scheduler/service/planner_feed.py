"""Feeds a planner of this process with what its mirror sees, from one question to the next."""

from collections.abc import Sequence

from scheduler.mirror.backlog import Backlog
from scheduler.mirror.mirror import Mirror
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.ports import WhatIfPlanner


class PlannerFeed:
    """Listens to the mirror from the first time that it is asked to bring the planner up to date."""

    def __init__(self, mirror: Mirror, planner: WhatIfPlanner) -> None:
        self._mirror, self._planner = mirror, planner
        self._backlog, self._is_listening = Backlog(), False

    def committed(self, commits: Sequence[Commit]) -> None:
        self._backlog.committed(commits)

    def reloaded(self, _state: State) -> None:
        self._backlog.start_over()

    async def bring_up_to_date(self) -> None:
        """Give the planner what it has not seen."""
        if not self._is_listening:
            self._mirror.add_listener(self)
            self._is_listening = True
        await self._backlog.give(self._planner, self._mirror.state)
