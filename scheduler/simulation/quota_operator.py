"""The operator of quotas: applies a world's queues and cohorts, and changes and deletes them."""

import asyncio
from random import Random

from scheduler.model.ids import Principal
from scheduler.model.queue import CohortName, Queue
from scheduler.service.fleet import Caller
from scheduler.simulation.operators import Operator
from scheduler.simulation.quota_draws import COHORTS, Holder, redrawn

TREASURER = Principal("treasurer")


class QuotaOperator(Operator):
    """Changes one holder of quotas after the other; a refusal, as of a cohort with members, is taken."""

    async def live_with(self, holders: tuple[Holder, ...], *, every_ms_max: int) -> None:
        self._draw = Random(f"{self._around.world.seed}/treasurer")
        for holder in holders:
            await self._apply_holder(holder)
        while True:
            await asyncio.sleep(self._draw.randint(1_000, every_ms_max) / 1000)
            await self._around.bustle.wait()
            holder = self._draw.choice(holders)
            if self._draw.random() < 0.2:
                await self._delete_holder(holder)
                for missing in holders if holder.name in COHORTS else (holder,):
                    await self._apply_holder(redrawn(missing, self._draw))
            else:
                await self._apply_holder(redrawn(holder, self._draw))

    async def _apply_holder(self, holder: Holder) -> None:
        caller = self._caller()
        self._around.trace.add(f"quotas: {holder}")
        if await self._do(lambda p: p.quotas.apply(holder, generation=None, caller=caller)):
            self._records.count("quotas applied")

    async def _delete_holder(self, holder: Holder) -> None:
        caller = self._caller()
        self._around.trace.add(f"no quotas: {holder.name}")
        if isinstance(holder, Queue):
            name = holder.name
            await self._do(lambda p: p.quotas.delete_queue(name, generation=None, caller=caller))
            return
        cohort: CohortName = holder.name
        await self._do(lambda p: p.quotas.delete_cohort(cohort, generation=None, caller=caller))

    def _caller(self) -> Caller:
        self._requests += 1
        return Caller(principal=TREASURER, request_id=f"treasurer-{self._requests}")
