"""What is asked about plans: methods of both clients."""

from __future__ import annotations

from placewright.operator_calls import AsyncOperatorCalls, OperatorCalls
from placewright.planner_operations import PlannerOperations
from placewright.prices import PoolPrices


class PlannerCalls(OperatorCalls):
    """A part of `Client`."""

    _operations: PlannerOperations

    def prices(self) -> list[PoolPrices]:
        """What an accelerator of each pool costs, and what one more would be worth to the plan; by pool id."""
        return self._run(self._operations.prices())


class AsyncPlannerCalls(AsyncOperatorCalls):
    """A part of `AsyncClient`; `PlannerCalls` says what each method does."""

    _operations: PlannerOperations

    async def prices(self) -> list[PoolPrices]:
        return await self._run(self._operations.prices())
