"""The planner in this process, for tests and simulation: it holds everything up while it plans."""

from collections.abc import AsyncGenerator, Sequence

from scheduler.model.disruption import DISRUPTION_DEFAULT, DisruptionBudget
from scheduler.model.errors import PlannerFailed
from scheduler.model.explanation import WhyWaiting
from scheduler.model.ids import ReplicaId
from scheduler.model.plan import Plan, WorkLimits
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.model.whatif import Hypotheses, WhatIf
from scheduler.planner_process.planning_run import PriorityClasses, copy_of, plans_of, what_if, why_waiting


class InlinePlanner:
    """`Planner` without a process."""

    def __init__(
        self, priority_classes: PriorityClasses, disruption: DisruptionBudget = DISRUPTION_DEFAULT
    ) -> None:
        self._priority_classes, self._disruption = priority_classes, disruption
        self._state: State | None = None
        self._is_interrupted = False

    async def reset(self, state: State) -> None:
        """As the port says."""
        self._state = copy_of(state)

    async def observe(self, commits: Sequence[Commit]) -> None:
        """As the port says."""
        assert self._state is not None, "reset comes first"
        for commit in commits:
            self._state.apply(commit)

    async def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        """As the port says."""
        assert self._state is not None, "reset comes first"
        self._is_interrupted = False
        try:
            plans = plans_of(
                self._state,
                now_ms=now_ms,
                limits=limits,
                priority_classes=self._priority_classes,
                disruption=self._disruption,
            )
            for plan in plans:
                yield plan
                if self._is_interrupted:
                    return
        except AssertionError as error:
            raise PlannerFailed(f"the planner broke an invariant: {error}") from error

    async def what_if(self, hypotheses: Hypotheses, *, now_ms: int, limits: WorkLimits) -> WhatIf:
        """As the port says."""
        assert self._state is not None, "reset comes first"
        return what_if(
            self._state,
            hypotheses,
            now_ms=now_ms,
            limits=limits,
            priority_classes=self._priority_classes,
            disruption=self._disruption,
        )

    async def why_waiting(
        self, replica_id: ReplicaId, *, now_ms: int, limits: WorkLimits
    ) -> WhyWaiting | None:
        """As the port says."""
        assert self._state is not None, "reset comes first"
        return why_waiting(
            self._state,
            replica_id,
            now_ms=now_ms,
            limits=limits,
            priority_classes=self._priority_classes,
            disruption=self._disruption,
        )

    async def interrupt(self) -> None:
        """As the port says; takes effect before the next plan is begun."""
        self._is_interrupted = True

    async def close(self) -> None:
        """Nothing is held."""
