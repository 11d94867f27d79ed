"""What is asked about plans: methods of both clients."""

from __future__ import annotations

from collections.abc import Sequence

from placewright.explanations import Explanation
from placewright.job import Duration, Job
from placewright.operator_calls import AsyncOperatorCalls, OperatorCalls
from placewright.planner_operations import PlannerOperations, plan_request
from placewright.plans import SupposedPool, SupposedQueue, WhatIf
from placewright.prices import PoolPrices
from placewright.timing import seconds_of


class PlannerCalls(OperatorCalls):
    """A part of `Client`."""

    _operations: PlannerOperations

    def prices(self) -> list[PoolPrices]:
        """What an accelerator of each pool costs and what one more would be worth to the plan, by id."""
        return self._run(self._operations.prices())

    def plan_jobs(
        self,
        jobs: Sequence[Job] = (),
        *,
        pools: Sequence[SupposedPool] = (),
        removed_pools: Sequence[str] = (),
        queues: Sequence[SupposedQueue] = (),
        left_out_jobs: Sequence[str] = (),
        timeout: float | Duration | None = None,
    ) -> WhatIf:
        """How the next plan would differ if all of this were so. Nothing changes by asking.

        Args:
            pools: that are added, or that are there and have another spec.
            removed_pools: lost with all that runs there, whose replicas wait again.
            queues: with other quotas.
            left_out_jobs: as if they had never been.
            timeout: a minute, unless given.
        """
        request = plan_request(
            jobs, pools=pools, removed_pools=removed_pools, queues=queues, left_out_jobs=left_out_jobs
        )
        return self._run(self._operations.plan_jobs(request, timeout_s=seconds_of(timeout)))

    def explain_job(
        self, job_id: str, *, replica: int | None = None, timeout: float | Duration | None = None
    ) -> Explanation:
        """Why a replica waits and which single changes would let it in, or why it is where it is.

        Args:
            replica: its index; the first that waits, else the first that has a place.
            timeout: a minute, unless given.
        """
        timeout_s = seconds_of(timeout)
        return self._run(self._operations.explain_job(job_id, replica=replica, timeout_s=timeout_s))


class AsyncPlannerCalls(AsyncOperatorCalls):
    """A part of `AsyncClient`; `PlannerCalls` says what each method does."""

    _operations: PlannerOperations

    async def prices(self) -> list[PoolPrices]:
        return await self._run(self._operations.prices())

    async def plan_jobs(
        self,
        jobs: Sequence[Job] = (),
        *,
        pools: Sequence[SupposedPool] = (),
        removed_pools: Sequence[str] = (),
        queues: Sequence[SupposedQueue] = (),
        left_out_jobs: Sequence[str] = (),
        timeout: float | Duration | None = None,
    ) -> WhatIf:
        request = plan_request(
            jobs, pools=pools, removed_pools=removed_pools, queues=queues, left_out_jobs=left_out_jobs
        )
        return await self._run(self._operations.plan_jobs(request, timeout_s=seconds_of(timeout)))

    async def explain_job(
        self, job_id: str, *, replica: int | None = None, timeout: float | Duration | None = None
    ) -> Explanation:
        timeout_s = seconds_of(timeout)
        return await self._run(self._operations.explain_job(job_id, replica=replica, timeout_s=timeout_s))
