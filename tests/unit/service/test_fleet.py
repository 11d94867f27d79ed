"""The fleet: pools are applied, cordoned, deleted and never pulled from under a run."""

import pytest

from scheduler.model.errors import IllegalTransition, NotFound, RequestIdReused, StaleEtag
from scheduler.model.ids import LauncherId, PoolId
from scheduler.model.pool import NodeGroup, PoolStatus
from scheduler.model.records import Key, Kind
from scheduler.model.replica import ReplicaState
from scheduler.model.run import EndReason, RunState
from scheduler.service.fleet import Caller
from tests.builders import a_pool
from tests.cell import OPERATOR, a_cell


async def test_applying_the_same_spec_again_changes_nothing() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool()
        key = Key(Kind.POOL, pool_id)
        version = cell.mirror.state.version(key)

        await cell.apply_pool()

        assert cell.mirror.state.version(key) == version


async def test_a_pools_accelerator_cannot_change() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool("pool", "h100"))

        with pytest.raises(IllegalTransition, match="make another pool"):
            await cell.apply_pool(a_pool("pool", "a100"))


async def test_a_pools_launcher_cannot_change_under_live_runs() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        await cell.running_job(await cell.attach())

        with pytest.raises(IllegalTransition, match="live runs"):
            await cell.apply_pool(a_pool(launcher_id=LauncherId("other")))


async def test_a_cordoned_pool_takes_nothing_new_and_keeps_what_runs() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool(a_pool(nodes=2))
        running = await cell.running_job(await cell.attach())
        await cell.fleet.cordon(pool_id, reason="a fan is loud", caller=cell.caller())

        waiting = (await cell.submit()).view.job.id
        await cell.run_cycle()
        assert cell.live_run(running).state is RunState.RUNNING
        assert cell.replica(waiting).state is ReplicaState.WAITING

        await cell.fleet.uncordon(pool_id, caller=cell.caller())
        await cell.run_cycle()
        assert cell.replica(waiting).state is ReplicaState.PLACED


async def test_a_deleted_pool_goes_away_when_its_last_run_has_ended() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref)

        await cell.fleet.delete(pool_id, generation=None, caller=cell.caller())
        await cell.run_cycle()
        assert cell.mirror.state.pool(pool_id) is not None

        await cell.report(ref, cell.live_run(job_id).id, RunState.ENDED, EndReason.SUCCEEDED)
        await cell.run_cycle()
        assert cell.mirror.state.pool(pool_id) is None


async def test_a_stale_etag_is_refused() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool()

        with pytest.raises(StaleEtag):
            await cell.fleet.delete(pool_id, generation=99, caller=cell.caller())


async def test_a_repeated_request_is_carried_out_once() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool()
        caller = Caller(principal=OPERATOR, request_id="same")
        await cell.fleet.cordon(pool_id, reason="one", caller=caller)
        await cell.fleet.uncordon(pool_id, caller=cell.caller())

        again = await cell.fleet.cordon(pool_id, reason="one", caller=caller)
        assert again.view.pool.cordon is None

        with pytest.raises(RequestIdReused):
            await cell.fleet.cordon(pool_id, reason="another", caller=caller)


async def test_a_reachable_run_cannot_be_declared_ended() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        job_id = await cell.running_job(await cell.attach())

        with pytest.raises(IllegalTransition, match="only an unreachable run"):
            await cell.fleet.force_end_run(cell.live_run(job_id).id, reason="sure", caller=cell.caller())


async def test_a_late_repeat_of_a_call_that_changed_nothing_does_not_undo_what_came_after() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool(a_pool(nodes=1))
        caller = Caller(principal=OPERATOR, request_id="first")
        await cell.fleet.apply(pool_id, a_pool(nodes=1).spec, generation=None, caller=caller)
        await cell.apply_pool(a_pool(nodes=2))

        again = await cell.fleet.apply(pool_id, a_pool(nodes=1).spec, generation=None, caller=caller)

        assert again.view.pool.spec == a_pool(nodes=2).spec


async def test_a_repeated_call_with_an_etag_succeeds_though_it_changed_the_etag_itself() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool(a_pool(nodes=1))
        caller = Caller(principal=OPERATOR, request_id="same")
        spec = a_pool(nodes=2).spec
        await cell.fleet.apply(pool_id, spec, generation=1, caller=caller)

        again = await cell.fleet.apply(pool_id, spec, generation=1, caller=caller)

        assert again.view.pool.spec_generation == 2


async def test_a_launcher_that_attaches_does_not_change_a_pools_etag() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool()
        await cell.attach()

        changed = await cell.fleet.apply(pool_id, a_pool(nodes=2).spec, generation=1, caller=cell.caller())

        assert changed.view.pool.spec_generation == 2


async def test_nodes_keep_their_names_while_runs_may_live() -> None:
    async with a_cell() as cell:
        big, small = NodeGroup(nodes=1, devices_per_node=8), NodeGroup(nodes=1, devices_per_node=4)
        await cell.apply_pool(a_pool(nodes=0, node_groups=(big,)))
        await cell.attach()

        with pytest.raises(IllegalTransition, match="nodes other than the last ones"):
            await cell.apply_pool(a_pool(nodes=0, node_groups=(small, big)))
        await cell.apply_pool(a_pool(nodes=0, node_groups=(big, small)))

        (pool,) = cell.mirror.state.pools()
        assert pool.spec.node_groups == (big, small)


async def test_a_run_that_has_ended_cannot_be_declared_ended() -> None:
    async with a_cell() as cell:
        await cell.apply_pool()
        ref = await cell.attach()
        job_id = await cell.running_job(ref)
        run_id = cell.live_run(job_id).id
        await cell.report(ref, run_id, RunState.ENDED, EndReason.SUCCEEDED)

        with pytest.raises(IllegalTransition, match="is ended"):
            await cell.fleet.force_end_run(run_id, reason="sure", caller=cell.caller())


async def test_an_unknown_pool_is_not_found() -> None:
    async with a_cell() as cell:
        with pytest.raises(NotFound, match="pool 'nowhere'"):
            await cell.fleet.cordon(PoolId("nowhere"), reason="x", caller=cell.caller())


async def test_a_pool_takes_nothing_from_its_old_launcher_over_to_its_new_one() -> None:
    async with a_cell() as cell:
        pool_id = await cell.apply_pool()
        await cell.attach()
        await cell.fleet.cordon(pool_id, reason="it moves", caller=cell.caller())

        await cell.apply_pool(a_pool(launcher_id=LauncherId("other")))
        await cell.fleet.uncordon(pool_id, caller=cell.caller())

        (pool,) = cell.mirror.state.pools()
        assert pool.status == PoolStatus()
        assert not pool.is_open
        await cell.attach("other")
        (pool,) = cell.mirror.state.pools()
        assert pool.is_open
