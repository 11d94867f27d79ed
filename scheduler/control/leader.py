"""The leader: holds the leader lease and runs cycles while it does."""

import asyncio

import structlog

from scheduler.control.agenda import Agenda
from scheduler.control.cycle import Cycle
from scheduler.control.expiry import RENEW_EVERY_MS
from scheduler.control.plan_maker import PlanMaker
from scheduler.control.tools import Tools
from scheduler.model.errors import LostLeadership, NotCaughtUp, StoreUnavailable
from scheduler.model.transaction import Fence
from scheduler.ports import Leadership
from scheduler.telemetry.control_series import CycleOutcome

log = structlog.get_logger()

LEADER_LEASE_MS = 5 * RENEW_EVERY_MS
STORE_RETRY_MS = 200
ASK_EVERY_MS = 250  # of who does not lead: how long a lease that has been released or ran out lies idle


class Leader:
    """Takes the leader lease whenever it is free and leads until it is lost."""

    def __init__(self, tools: Tools, leadership: Leadership, *, holder: str) -> None:
        self._tools, self._leadership, self._holder = tools, leadership, holder
        self._fence: Fence | None = None
        tools.metrics.shadow.record_mode(is_shadow=tools.settings.is_shadow)

    @property
    def is_leading(self) -> bool:
        return self._fence is not None

    async def run(self) -> None:
        """Lead whenever possible, until cancelled."""
        while True:
            fence = await (self._plan_beside() if self._tools.settings.is_shadow else self._acquire())
            if fence is None:
                await self._tools.clock.sleep(ASK_EVERY_MS)
                continue
            await self._lead(fence)

    async def _plan_beside(self) -> Fence:
        """In shadow mode: plan beside whoever leads, and write nothing, until nobody does; the fence."""
        agenda = Agenda()
        plans = PlanMaker(self._tools, agenda, None)
        self._tools.mirror.add_listener(agenda)
        try:
            while (fence := await self._acquire()) is None:
                await plans.plan_if_due()
                await self._tools.clock.sleep(ASK_EVERY_MS)
            return fence
        finally:
            self._tools.mirror.remove_listener(agenda)

    async def _acquire(self) -> Fence | None:
        """The fence; None while another leads or the store is out of reach."""
        try:
            return await self._leadership.acquire(self._holder, duration_ms=LEADER_LEASE_MS)
        except StoreUnavailable as error:
            log.warning("leader_lease_out_of_reach", error=str(error))
            return None

    async def _lead(self, fence: Fence) -> None:
        self._record(fence)
        log.info("leadership_taken", fence=fence.number, holder=self._holder)
        agenda = Agenda()
        cycle = Cycle(self._tools, agenda, fence)
        self._tools.mirror.add_listener(agenda)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_lease(fence, cycle))
                await self._run_cycles(cycle, agenda)  # here, or 3.11 takes the group's failure for a cancel
        except* LostLeadership as lost:
            log.warning("leadership_lost", fence=fence.number, error=str(lost.exceptions[0]))
        except* Exception:  # the outermost loop: count it, log it, give leadership up
            self._tools.metrics.control.record_cycle(CycleOutcome.FAILED)
            log.exception("cycle_failed", fence=fence.number)
            await self._give_up(fence)  # let another try while this one waits
            await self._tools.clock.sleep(RENEW_EVERY_MS)
        finally:
            self._tools.mirror.remove_listener(agenda)
            self._record(None)
            await self._give_up(fence)  # when drained, so that the next one need not wait the lease out
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # a task group that also failed has swallowed it
            raise asyncio.CancelledError

    def _record(self, fence: Fence | None) -> None:
        self._fence = fence
        self._tools.metrics.control.record_leadership(fence)
        if fence is None:
            self._tools.metrics.plan.forget()

    async def _give_up(self, fence: Fence) -> None:
        try:
            await self._leadership.release(fence)
        except StoreUnavailable as error:
            log.warning("leader_lease_not_released", error=str(error))

    async def _keep_lease(self, fence: Fence, cycle: Cycle) -> None:
        """Renew in time; after a lease without contact someone else may lead."""
        clock = self._tools.clock
        renewed_ms = clock.monotonic_ms()
        while True:
            asked_ms = clock.monotonic_ms()
            newest = await self._acquire()
            if newest is not None and newest != fence:
                raise LostLeadership(f"the leader lease ran out: fence {fence.number} is stale")
            if newest is not None:
                renewed_ms = asked_ms
                cycle.expiry.seen_alive()
            elif clock.monotonic_ms() - renewed_ms >= LEADER_LEASE_MS:
                raise LostLeadership("the leader lease could not be renewed in time")
            await self._rest(STORE_RETRY_MS if newest is None else RENEW_EVERY_MS)

    async def _rest(self, duration_ms: int) -> None:
        """Until the next renewal, or until the store has been lost: restarted, it takes no write before."""
        try:
            async with asyncio.timeout(duration_ms / 1000):
                await self._tools.mirror.disconnected()
        except TimeoutError:
            return

    async def _run_cycles(self, cycle: Cycle, agenda: Agenda) -> None:
        while True:
            try:
                await cycle.run()
                self._tools.metrics.control.record_cycle(CycleOutcome.COMPLETED)
            except (StoreUnavailable, NotCaughtUp) as error:
                log.warning("cycle_broken_off", error=str(error))
                cycle.broken_off()
                await self._tools.clock.sleep(STORE_RETRY_MS)
                continue
            await self._wait(agenda, cycle.sleep_ms())

    async def _wait(self, agenda: Agenda, sleep_ms: int | None) -> None:
        """Until something changes or is due."""
        try:
            async with asyncio.timeout(None if sleep_ms is None else sleep_ms / 1000):
                await agenda.changed.wait()
        except TimeoutError:
            return
