"""The planner behind its port: the same plans inline and in a process, which may die at any time."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace

import pytest
import pytest_asyncio

from scheduler.codec.plans import decode_plan, encode_plan
from scheduler.model.deferral import Deferral, DeferralReason
from scheduler.model.errors import PlannerFailed
from scheduler.model.ids import History, JobId, ReplicaId, Revision
from scheduler.model.plan import Plan, PlanMethod, Step, WorkLimits
from scheduler.model.records import Key, Kind, Record
from scheduler.model.state import State
from scheduler.model.transaction import Commit, IsAbsent, IsAt, IsPlannedAt
from scheduler.model.whatif import Hypotheses
from scheduler.planner_process.child import Child
from scheduler.planner_process.inline import InlinePlanner
from scheduler.planner_process.planning_run import verified
from scheduler.planner_process.process import ProcessPlanner
from scheduler.planning.planner import floor_plan
from scheduler.ports import Planner
from tests.builders import (
    NOW_MS,
    PRIORITY_CLASSES,
    a_job,
    a_pool,
    a_rented_pool,
    a_replica,
    a_snapshot,
    a_spec,
    a_state,
    a_waiting_replica,
)

LIMITS = WorkLimits(deterministic_time=0.5)
HISTORY = "history"
FIRST, SECOND = (replace(a_job(name), history=History(HISTORY)) for name in ("first", "second"))


def a_small_state() -> State:
    return a_state(FIRST, a_replica(FIRST), a_pool(), a_rented_pool(), history=HISTORY)


def second_arrives(revision: int = 2) -> Commit:
    version = Revision(revision)
    entities = (SECOND, a_replica(SECOND))
    return Commit(
        revision=version,
        records=tuple(Record(entity=one, version=version, planning_version=version) for one in entities),
        removed=(),
    )


async def plans_by(planner: Planner) -> list[Plan]:
    return [plan async for plan in planner.plan(now_ms=NOW_MS, limits=LIMITS)]


def placed(plan: Plan) -> set[str]:
    return {place.replica_id for place in plan.places}


@pytest_asyncio.fixture
async def process() -> AsyncIterator[ProcessPlanner]:
    planner = ProcessPlanner(PRIORITY_CLASSES)
    yield planner
    await planner.close()


@pytest.fixture(params=["inline", "process"])
def planner(request: pytest.FixtureRequest) -> Planner:
    if request.param == "inline":
        return InlinePlanner(PRIORITY_CLASSES)
    found: ProcessPlanner = request.getfixturevalue("process")
    return found


async def test_the_floor_comes_first_then_the_improved_plan(planner: Planner) -> None:
    await planner.reset(a_small_state())

    floor, improved = await plans_by(planner)

    assert (floor.method, improved.method) == (PlanMethod.FLOOR, PlanMethod.IMPROVED)
    assert placed(floor) == placed(improved) == {"first-0"}


async def test_what_is_observed_is_planned_for(planner: Planner) -> None:
    await planner.reset(a_small_state())
    await planner.observe([second_arrives()])

    floor, _ = await plans_by(planner)

    assert (floor.revision, placed(floor)) == (2, {"first-0", "second-0"})


async def test_a_reset_replaces_the_state(planner: Planner) -> None:
    await planner.reset(a_small_state())
    second = replace(SECOND, history=History("another"))
    await planner.reset(a_state(second, a_replica(second), a_pool(), revision=7, history="another"))

    floor, _ = await plans_by(planner)

    assert (floor.revision, placed(floor)) == (7, {"second-0"})


async def test_the_copy_does_not_move_with_the_state_it_was_taken_from(planner: Planner) -> None:
    state = a_small_state()
    await planner.reset(state)
    state.apply(second_arrives())

    floor, _ = await plans_by(planner)

    assert placed(floor) == {"first-0"}


async def test_planning_that_breaks_an_invariant_is_a_failure_and_the_next_plan_works(
    planner: Planner,
) -> None:
    unknown = a_job("odd", priority_class="unheard-of")
    await planner.reset(a_state(unknown, a_replica(unknown)))
    with pytest.raises(PlannerFailed, match="unheard-of"):
        await plans_by(planner)

    await planner.reset(a_small_state())

    assert len(await plans_by(planner)) == 2


async def test_a_process_plans_exactly_as_inline(process: ProcessPlanner) -> None:
    inline = InlinePlanner(PRIORITY_CLASSES)
    jobs = [a_job(f"job-{n}", "h100:8", "tpu-v5p:4x4x4") for n in range(20)]
    state = a_state(*jobs, *(a_replica(job) for job in jobs), a_pool(nodes=3), a_rented_pool())
    for planner in (inline, process):
        await planner.reset(state)

    assert await plans_by(process) == await plans_by(inline)


async def test_an_interrupted_plan_ends_with_what_it_gave_and_the_next_has_the_same_state(
    process: ProcessPlanner,
) -> None:
    await process.reset(a_small_state())
    await process.observe([second_arrives()])
    plans = process.plan(now_ms=NOW_MS, limits=LIMITS)
    await anext(plans)
    stopped(process)

    rest = asyncio.create_task(rest_of(plans))
    await asyncio.sleep(0)
    await process.interrupt()

    assert len(await rest) <= 1  # the improved plan may have been sent before the process was stopped
    assert placed((await plans_by(process))[0]) == {"first-0", "second-0"}


def stopped(process: ProcessPlanner) -> None:
    """Make the child take for ever."""
    assert process.process_id is not None
    os.kill(process.process_id, signal.SIGSTOP)


async def rest_of(plans: AsyncIterator[Plan]) -> list[Plan]:
    return [plan async for plan in plans]


async def test_a_plan_that_its_caller_gave_up_does_not_hold_up_the_next(process: ProcessPlanner) -> None:
    await process.reset(a_small_state())
    stopped(process)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), aclosing(process.plan(now_ms=NOW_MS, limits=LIMITS)) as plans:
            await anext(plans)
    await process.interrupt()

    assert len(await plans_by(process)) == 2


async def test_a_process_that_dies_while_planning_is_a_failure_and_a_new_one_is_ready(
    process: ProcessPlanner,
) -> None:
    await process.reset(a_small_state())
    stopped(process)
    old_process_id = process.process_id
    assert old_process_id is not None

    planning = asyncio.create_task(plans_by(process))
    await asyncio.sleep(0.01)
    os.kill(old_process_id, signal.SIGKILL)

    with pytest.raises(PlannerFailed, match="died with exit code -9"):
        await planning
    assert process.process_id not in (None, old_process_id)
    assert len(await plans_by(process)) == 2


async def test_a_process_that_died_between_plans_is_replaced(process: ProcessPlanner) -> None:
    await process.reset(a_small_state())
    await plans_by(process)
    assert process.process_id is not None
    os.kill(process.process_id, signal.SIGKILL)

    try:
        plans = await plans_by(process)
    except PlannerFailed:  # it was not yet known to be dead
        plans = await plans_by(process)

    assert len(plans) == 2


async def test_a_process_ends_with_its_input() -> None:
    child = await Child.spawn()

    child.close_input()

    async with asyncio.timeout(20):
        assert await child.receive() is None
    await child.end()
    assert child.exit_code == 0


async def test_a_child_that_was_started_before_there_was_a_state_is_the_one_that_plans(
    process: ProcessPlanner,
) -> None:
    await process.warm_up()
    started = process.process_id
    assert started is not None

    await process.warm_up()
    await process.reset(a_small_state())

    assert len(await plans_by(process)) == 2
    assert process.process_id == started


async def test_a_child_that_died_before_there_was_a_state_is_replaced(process: ProcessPlanner) -> None:
    await process.warm_up()
    started = process.process_id
    assert started is not None
    os.kill(started, signal.SIGKILL)

    await process.reset(a_small_state())
    with suppress(PlannerFailed):  # its death may show only now
        await plans_by(process)

    assert len(await plans_by(process)) == 2
    assert process.process_id != started


PARENT = """
import asyncio
from scheduler.planner_process.child import Child

async def main():
    child = await Child.spawn()
    print(child.process_id, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_process_does_not_outlive_its_parent() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    await parent.stdout.readline()

    parent.kill()
    await parent.wait()

    async with asyncio.timeout(20):
        await parent.stderr.read()  # ends when the last process that holds it has ended: the child


def test_a_plan_comes_back_equal() -> None:
    snapshot = a_snapshot(pools=[a_pool()], waiting=[a_waiting_replica(FIRST)])
    plan = floor_plan(snapshot)
    key = Key(Kind.JOB, JobId("first"))
    checks = (IsAbsent(key), IsAt(key, Revision(1)), IsPlannedAt(key, Revision(2)))
    deferral = Deferral(reason=DeferralReason.OUTBID)
    changed = Plan(
        revision=plan.revision,
        method=plan.method,
        steps=(Step(places=plan.places, preconditions=checks),),
        deferrals=((ReplicaId("first-0"), deferral),),
        quality=plan.quality,
    )

    assert decode_plan(encode_plan(plan)) == plan
    assert decode_plan(encode_plan(changed)) == changed


def test_a_plan_that_breaks_a_rule_is_refused() -> None:
    snapshot = a_snapshot(pools=[a_pool()], waiting=[a_waiting_replica(FIRST)])
    plan = floor_plan(snapshot)
    double = Plan(
        revision=plan.revision,
        method=plan.method,
        steps=plan.steps * 2,
        deferrals=plan.deferrals,
        quality=plan.quality,
    )

    with pytest.raises(PlannerFailed, match="the floor plan breaks"):
        verified(snapshot, double)


QUESTION = Hypotheses(jobs=(a_spec("h100:8"), a_spec("h100:512")), removed_pools=(a_pool().id,))


async def test_what_if_is_answered_alike_inline_and_in_a_process(process: ProcessPlanner) -> None:
    inline = InlinePlanner(PRIORITY_CLASSES)
    answers = []
    for planner in (inline, process):
        await planner.reset(a_small_state())
        await planner.observe([second_arrives()])
        answers.append(await planner.what_if(QUESTION, now_ms=NOW_MS, limits=LIMITS))

    assert answers[0] == answers[1]
    assert answers[0].revision == 2
    assert (answers[0].before.placed, answers[0].after.placed, answers[0].after.waiting) == (2, 3, 1)


async def test_a_question_that_is_given_up_takes_its_child_along(process: ProcessPlanner) -> None:
    await process.reset(a_small_state())
    first = process.process_id
    asking = asyncio.ensure_future(process.what_if(QUESTION, now_ms=NOW_MS, limits=LIMITS))
    await asyncio.sleep(0)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking

    answer = await process.what_if(QUESTION, now_ms=NOW_MS, limits=LIMITS)

    assert process.process_id != first
    assert answer.after.placed == 2


async def test_a_child_that_dies_is_told_and_replaced_at_the_next_question(process: ProcessPlanner) -> None:
    await process.reset(a_small_state())
    assert process.process_id is not None
    os.kill(process.process_id, signal.SIGSTOP)  # so that it dies in the middle of the question
    asking = asyncio.ensure_future(process.what_if(QUESTION, now_ms=NOW_MS, limits=LIMITS))
    await asyncio.sleep(0)
    os.kill(process.process_id, signal.SIGKILL)

    with pytest.raises(PlannerFailed, match="died with exit code -9"):
        await asking

    assert (await process.what_if(QUESTION, now_ms=NOW_MS, limits=LIMITS)).after.placed == 2


async def test_a_replica_is_explained_alike_inline_and_in_a_process(process: ProcessPlanner) -> None:
    inline = InlinePlanner(PRIORITY_CLASSES)
    large = replace(a_job("large", "h100:128"), history=History(HISTORY))
    answers = []
    for planner in (inline, process):
        await planner.reset(a_state(large, a_replica(large), a_pool(), history=HISTORY))
        ids = (ReplicaId("large-0"), ReplicaId("none-0"))
        answers.append([await planner.why_waiting(id_, now_ms=NOW_MS, limits=LIMITS) for id_ in ids])

    assert answers[0] == answers[1]
    assert answers[0][0] is not None
    assert [change.amount for change in answers[0][0].changes] == [120]
    assert answers[0][1] is None
