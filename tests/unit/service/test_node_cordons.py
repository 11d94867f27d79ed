"""Cordoned nodes: nothing new is placed on them, whatever else happens; what runs goes on."""

import pytest

from scheduler.control.commit import placements, steps_that_hold
from scheduler.model.errors import IllegalTransition, NotFound
from scheduler.model.limits import NODE_CORDONS_MAX
from scheduler.model.replica import ReplicaState
from scheduler.model.run import RunState
from scheduler.model.transaction import Conflict
from scheduler.planning.planner import floor_plan
from scheduler.planning.snapshot import snapshot_of
from tests.builders import NOW_MS, PRIORITY_CLASSES, a_pool, a_rented_pool, a_spec
from tests.cell import OPERATOR, Cell, a_cell


async def cordon(cell: Cell, *nodes: int, pool: str = "pool") -> None:
    pool_id = a_pool(pool).id
    await cell.fleet.cordon_nodes(pool_id, frozenset(nodes), reason="why", caller=cell.caller())


async def test_a_cordoned_node_takes_nothing_new_and_keeps_what_runs() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool(a_pool(nodes=2))
        running = await cell.running_job(await cell.attach(), a_spec("h100:4"))
        (share,) = cell.live_run(running).placement.nodes
        await cordon(cell, share.node)

        small = (await cell.submit(a_spec("h100:4"))).view.job.id
        whole = (await cell.submit(a_spec("h100:8"))).view.job.id
        await cell.run_cycle()
        ref = await cell.attach()  # a new session tells the pool anew
        await cell.run_cycle()

        await cell.report(ref, cell.live_run(running).id, RunState.RUNNING)
        assert cell.live_run(running).state is RunState.RUNNING
        nodes = {
            each.node
            for job_id in (small, whole)
            if cell.replica(job_id).live_run
            for each in cell.live_run(job_id).placement.nodes
        }
        assert nodes == {1 - share.node}
        waiting = [job_id for job_id in (small, whole) if cell.replica(job_id).state is ReplicaState.WAITING]
        assert len(waiting) == 1

        await cell.fleet.uncordon_nodes(pool_id, frozenset({share.node}), caller=cell.caller())
        await cell.fleet.uncordon_nodes(pool_id, frozenset({share.node}), caller=cell.caller())
        assert cell.fleet._pool(cell.mirror.state, pool_id).node_cordons == ()


async def test_a_plan_made_before_the_cordon_does_not_place_after_it() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool(nodes=2))
        await cell.attach()
        await cell.submit()
        snapshot = snapshot_of(cell.mirror.state, now_ms=NOW_MS, priority_classes=PRIORITY_CLASSES)
        plan = floor_plan(snapshot)
        late = placements(cell.mirror.state, list(plan.steps), now_ms=NOW_MS, fence=cell.fence)

        await cordon(cell, 0)

        assert steps_that_hold(cell.mirror.state, plan) == []
        assert isinstance((await cell.store.transact(late))[0], Conflict)


async def test_a_node_must_exist_keeps_its_cordon_and_loses_it_when_it_leaves_the_pool() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool(a_pool(nodes=3))
        with pytest.raises(NotFound, match="pool/3"):
            await cordon(cell, 0, 3)
        await cordon(cell, 2)
        (first,) = cell.mirror.state.pools()[0].node_cordons
        assert (first.node, first.cordon.reason, first.cordon.principal) == (2, "why", OPERATOR)

        await cell.fleet.cordon_nodes(pool_id, frozenset({0, 2}), reason="other", caller=cell.caller())
        pool = cell.mirror.state.pools()[0]
        assert [each.node for each in pool.node_cordons] == [0, 2]
        assert pool.node_cordons[1] == first

        await cell.apply_pool(a_pool(nodes=2))
        assert [each.node for each in cell.mirror.state.pools()[0].node_cordons] == [0]


async def test_slices_made_on_demand_have_no_names_and_too_many_cordons_are_refused() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_rented_pool("made", "tpu-v5p", nodes=0))
        with pytest.raises(NotFound, match="made/0"):
            await cordon(cell, 0, pool="made")

        await cell.apply_pool(a_pool(nodes=NODE_CORDONS_MAX + 1))
        await cordon(cell, *range(NODE_CORDONS_MAX))
        with pytest.raises(IllegalTransition, match="cordon the pool"):
            await cordon(cell, NODE_CORDONS_MAX)
