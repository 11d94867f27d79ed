"""What-if questions: answered from the newest state, one at a time, in time, or refused."""

import asyncio
from collections.abc import Sequence

import pytest

from scheduler.model.errors import IllegalTransition, NotFound, OutOfTime, Overloaded
from scheduler.model.explanation import WhyWaiting
from scheduler.model.ids import JobId, PoolId, ReplicaId, Revision
from scheduler.model.limits import WHAT_IFS_WAITING_MAX
from scheduler.model.plan import WorkLimits
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.model.whatif import Hypotheses, SupposedPool, WhatIf
from scheduler.planner_process.inline import InlinePlanner
from scheduler.service.whatif import WhatIfs
from tests.builders import PRIORITY_CLASSES, a_pool, a_spec
from tests.cell import Cell, a_cell, what_ifs_of

ONE_JOB = Hypotheses(jobs=(a_spec("h100:8"),))
WITHIN_MS = 60_000
LIMITS = WorkLimits(deterministic_time=0.2)


async def asked(what_ifs: WhatIfs, hypotheses: Hypotheses = ONE_JOB, *, within_ms: int = WITHIN_MS) -> WhatIf:
    return await what_ifs.ask(hypotheses, min_revision=Revision(0), within_ms=within_ms)


class WaitingPlanner:
    """Answers when it is told to.

    Attributes:
        told: each reset and each number of commits, in order.
        given_up: questions whose asker went away.
    """

    def __init__(self) -> None:
        self._inline = InlinePlanner(PRIORITY_CLASSES)
        self.begun, self.may_answer = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.told: list[str | int] = []
        self.given_up = self.at_once = 0

    async def reset(self, state: State) -> None:
        self.told.append("reset")
        await self._inline.reset(state)

    async def observe(self, commits: Sequence[Commit]) -> None:
        self.told.append(len(commits))
        await self._inline.observe(commits)

    async def what_if(self, hypotheses: Hypotheses, *, now_ms: int, limits: WorkLimits) -> WhatIf:
        self.at_once += 1
        assert self.at_once == 1
        self.begun.release()
        try:
            await self.may_answer.acquire()
            return await self._inline.what_if(hypotheses, now_ms=now_ms, limits=limits)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            self.at_once -= 1

    async def why_waiting(
        self, replica_id: ReplicaId, *, now_ms: int, limits: WorkLimits
    ) -> WhyWaiting | None:
        raise NotImplementedError

    async def close(self) -> None:
        await self._inline.close()


def waiting_what_ifs(cell: Cell) -> tuple[WhatIfs, WaitingPlanner]:
    planner = WaitingPlanner()
    return WhatIfs(cell.parts, planner, LIMITS), planner


async def test_a_question_sees_everything_that_was_written_before_it_and_changes_nothing() -> None:
    async with a_cell() as cell:
        what_ifs = what_ifs_of(cell)
        assert (await asked(what_ifs)).after.placed == 0
        await cell.apply_pool(a_pool(nodes=2))
        await cell.attach()
        revision = cell.mirror.state.revision

        answer = await asked(what_ifs)

        assert (answer.revision, answer.after.placed) == (revision, 1)
        await cell.submit(a_spec("h100:8"))
        assert ((await asked(what_ifs)).before.placed, (await asked(what_ifs)).after.placed) == (1, 2)
        assert len(cell.mirror.state.unfinished_jobs()) == 1


async def test_the_planner_is_told_the_state_once_and_then_what_changes() -> None:
    async with a_cell() as cell:
        what_ifs, planner = waiting_what_ifs(cell)
        planner.may_answer = asyncio.Semaphore(10)
        await asked(what_ifs)
        await asked(what_ifs)
        await cell.apply_pool(a_pool())
        await asked(what_ifs)
        assert planner.told[:2] == ["reset", 0]
        assert isinstance(planner.told[2], int)
        assert planner.told[2] > 0

        cell.mirror.start_over(cell.mirror.state)
        await asked(what_ifs)

        assert planner.told[3:] == ["reset"]


async def test_questions_are_answered_one_at_a_time_and_only_so_many_wait() -> None:
    async with a_cell() as cell:
        what_ifs, planner = waiting_what_ifs(cell)
        taken = [asyncio.ensure_future(asked(what_ifs)) for _ in range(WHAT_IFS_WAITING_MAX + 1)]
        await planner.begun.acquire()

        with pytest.raises(Overloaded, match="no more may") as refused:
            await asked(what_ifs)

        assert refused.value.limit == "WHAT_IFS_WAITING"
        planner.may_answer = asyncio.Semaphore(100)
        taken.pop(0).cancel()  # it waits for the semaphore of before
        assert len(await asyncio.gather(*taken)) == WHAT_IFS_WAITING_MAX
        assert (await asked(what_ifs)).after.waiting == 1


async def test_a_question_that_takes_too_long_is_given_up_and_the_next_one_answered() -> None:
    async with a_cell() as cell:
        what_ifs, planner = waiting_what_ifs(cell)

        with pytest.raises(OutOfTime, match=r"within 0\.01 s"):
            await asked(what_ifs, within_ms=10)

        assert planner.given_up == 1
        planner.may_answer.release()
        assert (await asked(what_ifs)).after.waiting == 1


@pytest.mark.parametrize(
    "hypotheses",
    [Hypotheses(removed_pools=(PoolId("none"),)), Hypotheses(left_out_jobs=(JobId("none"),))],
    ids=["pool", "job"],
)
async def test_what_is_not_there_cannot_be_taken_away(hypotheses: Hypotheses) -> None:
    async with a_cell() as cell:
        with pytest.raises(NotFound, match="'none' does not exist"):
            await asked(what_ifs_of(cell), hypotheses)


async def test_a_pool_cannot_become_one_of_another_accelerator() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool("pool", "h100"))
        other = Hypotheses(pools=(SupposedPool(id=PoolId("pool"), spec=a_pool("pool", "a100").spec),))

        with pytest.raises(IllegalTransition, match="its accelerator cannot become a100"):
            await asked(what_ifs_of(cell), other)
