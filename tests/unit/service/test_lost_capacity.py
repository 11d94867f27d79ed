"""A launcher reports its nodes away: nothing new is placed there, and nothing that runs is stopped."""

from scheduler.model.ids import PoolId
from scheduler.model.pool import PoolStatus
from scheduler.model.replica import ReplicaState
from scheduler.model.run import RunState
from tests.builders import a_pool
from tests.cell import a_cell


async def test_a_pool_whose_nodes_are_all_reported_away_takes_nothing_and_stops_nothing() -> None:
    async with a_cell() as cell:
        await cell.apply_pool(a_pool(nodes=2))
        session = await cell.attach()
        running = await cell.running_job(session)
        waiting = (await cell.submit()).view.job.id
        away = PoolStatus(ready=True, unavailable_nodes=(0, 1))

        await cell.launchers.report_pool(session, PoolId("pool"), away)
        await cell.run_cycle()

        assert cell.replica(waiting).state is ReplicaState.WAITING
        assert cell.live_run(running).state is RunState.RUNNING

        await cell.launchers.report_pool(session, PoolId("pool"), PoolStatus(ready=True))
        await cell.run_cycle()
        assert cell.replica(waiting).state is ReplicaState.PLACED
