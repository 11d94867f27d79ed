"""What-if questions: checked, answered one at a time by this process's own planner, and given up in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scheduler.model.errors import IllegalTransition, NotFound, OutOfTime, Overloaded
from scheduler.model.explanation import WhyWaiting
from scheduler.model.ids import ReplicaId, Revision
from scheduler.model.limits import WHAT_IFS_WAITING_MAX
from scheduler.model.plan import WorkLimits
from scheduler.model.state import State
from scheduler.model.whatif import Hypotheses, WhatIf
from scheduler.ports import WhatIfPlanner
from scheduler.service.parts import Parts
from scheduler.service.planner_feed import PlannerFeed


class WhatIfs:
    """What may be asked about plans that are only supposed."""

    def __init__(self, parts: Parts, planner: WhatIfPlanner, limits: WorkLimits) -> None:
        self._parts, self._planner, self._limits = parts, planner, limits
        self._feed = PlannerFeed(parts.mirror, planner)
        self._turn = asyncio.Lock()
        self._questions = 0

    async def ask(self, hypotheses: Hypotheses, *, min_revision: Revision, within_ms: int) -> WhatIf:
        """How the plan would differ, from a state at least as new as `min_revision`.

        Raises:
            NotFound, IllegalTransition: the hypotheses are about what is not there, or cannot be.
            Overloaded: too many wait already.
            OutOfTime: it was not answered within `within_ms`.
            PlannerFailed, NotCaughtUp
        """
        await self._parts.mirror.caught_up(min_revision)
        check_hypotheses(self._parts.state, hypotheses)
        async with self._turn_within(within_ms) as now_ms:
            return await self._planner.what_if(hypotheses, now_ms=now_ms, limits=self._limits)

    async def why_waiting(self, replica_id: ReplicaId, *, within_ms: int) -> WhyWaiting:
        """Why a replica waits, and what would admit it.

        Raises:
            IllegalTransition: it no longer waits.
            Overloaded, OutOfTime, PlannerFailed
        """
        async with self._turn_within(within_ms) as now_ms:
            found = await self._planner.why_waiting(replica_id, now_ms=now_ms, limits=self._limits)
        if found is None:
            raise IllegalTransition(f"replica {replica_id} no longer waits: ask again")
        return found

    @asynccontextmanager
    async def _turn_within(self, within_ms: int) -> AsyncIterator[int]:
        """The time of one's turn, with the planner up to date."""
        async with self._place():
            try:
                async with asyncio.timeout(within_ms / 1_000), self._turn:
                    await self._feed.bring_up_to_date()
                    yield self._parts.clock.now_ms()
            except TimeoutError:
                raise OutOfTime(f"the question was not answered within {within_ms / 1_000:g} s") from None

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._questions > WHAT_IFS_WAITING_MAX:
            told = f"{WHAT_IFS_WAITING_MAX} questions wait for this process's planner, no more may"
            raise Overloaded(told, limit="WHAT_IFS_WAITING")
        self._questions += 1
        try:
            yield
        finally:
            self._questions -= 1


def check_hypotheses(state: State, hypotheses: Hypotheses) -> None:
    """That they are about pools and jobs that are there, and no pool becomes another thing.

    Raises:
        NotFound, IllegalTransition
    """
    for pool_id in hypotheses.removed_pools:
        if state.pool(pool_id) is None:
            raise NotFound("pool", pool_id)
    for job_id in hypotheses.left_out_jobs:
        if state.job(job_id) is None:
            raise NotFound("job", job_id)
    for supposed in hypotheses.pools:
        old = state.pool(supposed.id)
        if old is not None and old.spec.accelerator != supposed.spec.accelerator:
            raise IllegalTransition(
                f"pool {old.id} holds {old.spec.accelerator}: its accelerator cannot become "
                f"{supposed.spec.accelerator}; suppose another pool"
            )
