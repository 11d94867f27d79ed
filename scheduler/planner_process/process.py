"""The planner in a process of its own, so that planning holds up nobody."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence

from scheduler.codec.commits import commits_of, encode_commit
from scheduler.codec.plans import decode_plan
from scheduler.model.disruption import DISRUPTION_DEFAULT, DisruptionBudget
from scheduler.model.errors import PlannerFailed
from scheduler.model.explanation import WhyWaiting
from scheduler.model.ids import ReplicaId
from scheduler.model.plan import Plan, WorkLimits
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.model.whatif import Hypotheses, WhatIf
from scheduler.planner_process.child import Child
from scheduler.planner_process.messages import (
    AskWhatIf,
    AskWhyWaiting,
    Configure,
    Failed,
    Finished,
    FromPlanner,
    MakePlans,
    Observe,
    Planned,
    Reset,
    WhatIfAnswered,
    WhyWaitingAnswered,
)
from scheduler.planner_process.planning_run import PriorityClasses, copy_of

NICENESS = 10  # planning may wait for calls, not calls for planning


class ProcessPlanner:
    """`Planner` in a child process that is replaced when it dies or takes too long.

    Keeps a copy of the state, which shares its records with the mirror, to tell a new child.
    """

    def __init__(
        self,
        priority_classes: PriorityClasses,
        disruption: DisruptionBudget = DISRUPTION_DEFAULT,
        *,
        niceness: int = NICENESS,
    ) -> None:
        self._configuration = Configure(niceness, list(priority_classes.values()), disruption)
        self._state: State | None = None
        self._child: Child | None = None
        self._telling = asyncio.Lock()  # what a child is told comes whole and in order

    @property
    def process_id(self) -> int | None:
        """Of the child; None while there is none."""
        return None if self._child is None else self._child.process_id

    async def warm_up(self) -> None:
        """Start the child before there is anything to plan, so that a new leader need not wait for it."""
        async with self._telling:
            if self._child is None:
                await self._start()

    async def reset(self, state: State) -> None:
        """As the port says."""
        async with self._telling:
            self._state = copy_of(state)
            if self._child is None:
                await self._spawn()
            else:
                await self._tell_state(self._child, self._state)

    async def observe(self, commits: Sequence[Commit]) -> None:
        """As the port says."""
        async with self._telling:
            assert self._state is not None, "reset comes first"
            for commit in commits:
                self._state.apply(commit)
            if self._child is not None and commits:
                await _tell(self._child, commits)

    async def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        """As the port says; given up by its caller, it takes the child with it."""
        child = await self._ready_child()
        is_finished = False
        try:
            await child.send(MakePlans(now_ms, limits))
            while isinstance(answer := await child.receive(), Planned):
                yield decode_plan(answer.plan)
            is_finished = answer is not None
        finally:
            if not is_finished:
                await self._drop(child)
        if isinstance(answer, Failed):
            raise PlannerFailed(answer.reason)
        if not isinstance(answer, Finished) and not child.is_interrupted:
            await self._ready_child()
            raise PlannerFailed(f"the planner process died with exit code {child.exit_code}")

    async def what_if(self, hypotheses: Hypotheses, *, now_ms: int, limits: WorkLimits) -> WhatIf:
        """As the port says; given up by its caller, it takes the child with it."""
        answer = await self._answer(AskWhatIf(hypotheses, now_ms, limits))
        assert isinstance(answer, WhatIfAnswered), answer
        return answer.answer

    async def why_waiting(
        self, replica_id: ReplicaId, *, now_ms: int, limits: WorkLimits
    ) -> WhyWaiting | None:
        """As the port says; given up by its caller, it takes the child with it."""
        answer = await self._answer(AskWhyWaiting(replica_id, now_ms, limits))
        assert isinstance(answer, WhyWaitingAnswered), answer
        return answer.answer

    async def _answer(self, question: AskWhatIf | AskWhyWaiting) -> FromPlanner:
        child = await self._ready_child()
        answer = None
        try:
            await child.send(question)
            answer = await child.receive()
        finally:
            if answer is None:
                await self._drop(child)
        if answer is None:
            raise PlannerFailed(f"the planner process died with exit code {child.exit_code}")
        if isinstance(answer, Failed):
            raise PlannerFailed(answer.reason)
        return answer

    async def interrupt(self) -> None:
        """As the port says; a new child with the same state is ready when it returns."""
        if self._child is not None:
            self._child.is_interrupted = True
            await self._drop(self._child)
        if self._state is not None:
            await self._ready_child()

    async def close(self) -> None:
        """End the child."""
        if self._child is not None:
            await self._drop(self._child)

    async def _drop(self, child: Child) -> None:
        if self._child is child:
            self._child = None
        await child.end()

    async def _ready_child(self) -> Child:
        async with self._telling:
            if self._child is not None and self._child.exit_code is not None:
                await self._drop(self._child)
            return self._child or await self._spawn()

    async def _spawn(self) -> Child:
        assert self._state is not None, "reset comes first"
        child = await self._start()
        await self._tell_state(child, self._state)
        return child

    async def _start(self) -> Child:
        child = self._child = await Child.spawn()
        await child.send(self._configuration)
        return child

    async def _tell_state(self, child: Child, state: State) -> None:
        """Tell the child the whole state; one that was told only a part of it is of no use."""
        try:
            await child.send(Reset(state.history))
            await _tell(child, commits_of(state))
        except BaseException:
            await self._drop(child)
            raise


async def _tell(child: Child, commits: Iterable[Commit]) -> None:
    for commit in commits:
        await child.send(Observe(encode_commit(commit)))
        await asyncio.sleep(0)  # many or large ones must not hold up everyone else
