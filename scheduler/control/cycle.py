"""One cycle of the leader. Each is equivalent to: load all state, settle, judge leases, plan, commit."""

from scheduler.control.agenda import Agenda
from scheduler.control.expiry import Expiry
from scheduler.control.plan_maker import PlanMaker
from scheduler.control.tools import Tools
from scheduler.mirror.writes import catch_up
from scheduler.model.transaction import Fence
from scheduler.model.transitions.settling import next_due_ms, removals, settlements

SETTLE_ROUNDS_MAX = 8  # moves that follow from moves: withdrawn, then done, then finished
REMOVALS_EVERY_MS = 60_000


class Cycle:
    """Runs cycles under one fence."""

    def __init__(self, tools: Tools, agenda: Agenda, fence: Fence) -> None:
        self._tools, self._agenda, self._fence = tools, agenda, fence
        self.expiry = Expiry(tools, fence)
        self._plans = PlanMaker(tools, agenda, fence)
        self._removed_ms = tools.clock.monotonic_ms()
        self._is_caught_up = False

    async def run(self) -> None:
        """One cycle.

        Raises:
            LostLeadership: another leads; nothing more may be done under this fence.
            StoreUnavailable: the outcome of what was being written is unknown; the next cycle sees it.
        """
        self._agenda.changed.clear()
        await self._catch_up()
        await self._settle()
        await self.expiry.judge()
        await self._plans.plan_if_due()

    def sleep_ms(self) -> int | None:
        """How long nothing is due unless something changes; None for ever."""
        state, clock = self._tools.mirror.state, self._tools.clock
        removal_ms = self._removed_ms + REMOVALS_EVERY_MS - clock.monotonic_ms()
        settling_ms = next_due_ms(state)
        due_in = [
            self.expiry.due_in_ms(),
            self._plans.due_in_ms(),
            None if settling_ms is None else settling_ms - clock.now_ms(),
            removal_ms if state.finished_jobs() else None,
        ]
        known = [each for each in due_in if each is not None]
        return max(0, min(known)) if known else None

    def broken_off(self) -> None:
        """What was being written may be there or not, and renewals may have gone unseen."""
        self._is_caught_up = False
        self._agenda.plan_due = True
        self.expiry.restart_leases()

    async def _catch_up(self) -> None:
        """Before a decision, see all that earlier leaders wrote, and what this one wrote unanswered."""
        if not self._is_caught_up:
            await catch_up(self._tools.store, self._tools.mirror, fence=self._fence)
            self._is_caught_up = True

    async def _settle(self) -> None:
        for _ in range(SETTLE_ROUNDS_MAX):
            state, now_ms = self._tools.mirror.state, self._tools.clock.now_ms()
            due = list(settlements(state, now_ms=now_ms, fence=self._fence))
            if not due:
                break
            await self._tools.carry_out(due)
        await self._remove_finished()

    async def _remove_finished(self) -> None:
        monotonic_ms = self._tools.clock.monotonic_ms()
        if monotonic_ms - self._removed_ms >= REMOVALS_EVERY_MS:
            self._removed_ms = monotonic_ms
            state, now_ms = self._tools.mirror.state, self._tools.clock.now_ms()
            retention = self._tools.settings.retention
            await self._tools.carry_out(removals(state, retention, now_ms=now_ms, fence=self._fence))
