"""Brakes over the wire: what each call answers, what is seen of it afterwards, and what is refused."""

import grpc
import pytest

from placewright.v1 import (
    fleet_service_pb2,
    job_pb2,
    job_service_pb2,
    queue_service_pb2,
    queue_service_pb2_grpc,
)
from tests.builders import a_pool
from tests.unit.api.conftest import Wire, a_submission
from tests.unit.api.test_bad_requests import reason

Code = grpc.StatusCode


async def a_waiting_job(wire: Wire) -> str:
    """A job of the queue research that the next cycle would place on the only pool, of two nodes."""
    await wire.cell.apply_pool(a_pool(nodes=2))
    await wire.cell.attach()
    request = job_service_pb2.SubmitJobRequest(submission=a_submission(queue="research"))
    return (await wire.jobs.SubmitJob(request)).job.job_id


async def deferral_of(wire: Wire, job_id: str) -> job_pb2.Deferral:
    """Why it waits, after a cycle."""
    await wire.cell.run_cycle()
    return (await replica_of(wire, job_id)).deferral


async def replica_of(wire: Wire, job_id: str) -> job_pb2.Replica:
    answer = await wire.jobs.GetJob(job_service_pb2.GetJobRequest(job_id=job_id))
    return answer.job.replicas[0]


async def test_a_job_is_held_and_released(wire: Wire) -> None:
    job_id = await a_waiting_job(wire)
    request = job_service_pb2.HoldJobRequest(job_id=job_id, reason="wrong data", request_id="hold")

    held = await wire.jobs.HoldJob(request)
    assert (held.job.hold.reason, held.job.hold.principal) == ("wrong data", "local")
    assert held.revision > 0
    assert await wire.jobs.HoldJob(request) == held
    assert (await deferral_of(wire, job_id)).reason == job_pb2.DEFERRAL_REASON_HELD

    freed = await wire.jobs.ReleaseJob(job_service_pb2.ReleaseJobRequest(job_id=job_id, request_id="release"))
    assert not freed.job.HasField("hold")
    await wire.cell.run_cycle()
    assert (await replica_of(wire, job_id)).state == job_pb2.REPLICA_STATE_PLACED


@pytest.mark.parametrize(
    "scope",
    [
        job_pb2.FreezeScope(cell=True),
        job_pb2.FreezeScope(pool_id="pool"),
        job_pb2.FreezeScope(queue="research"),
    ],
    ids=["cell", "pool", "queue"],
)
async def test_a_scope_is_frozen_and_unfrozen(wire: Wire, scope: job_pb2.FreezeScope) -> None:
    job_id = await a_waiting_job(wire)
    request = fleet_service_pb2.FreezePlanningRequest(scope=scope, reason="odd prices", request_id="freeze")

    frozen = await wire.fleet.FreezePlanning(request)
    assert (frozen.freeze.scope, frozen.freeze.reason, frozen.freeze.principal) == (
        scope,
        "odd prices",
        "local",
    )
    listed = await wire.fleet.ListFreezes(fleet_service_pb2.ListFreezesRequest(min_revision=frozen.revision))
    assert list(listed.freezes) == [frozen.freeze]
    deferral = await deferral_of(wire, job_id)
    assert (deferral.reason, deferral.freeze) == (job_pb2.DEFERRAL_REASON_FROZEN, frozen.freeze)

    await wire.fleet.UnfreezePlanning(
        fleet_service_pb2.UnfreezePlanningRequest(scope=scope, request_id="unfreeze")
    )
    assert not (await wire.fleet.ListFreezes(fleet_service_pb2.ListFreezesRequest())).freezes
    assert not (await wire.fleet.FreezePlanning(request)).HasField("freeze")  # repeated, and gone by now


async def test_a_queue_is_held_by_the_freeze_of_its_scope(wire: Wire) -> None:
    queues = queue_service_pb2_grpc.QueueServiceStub(wire.channel)
    job_id = await a_waiting_job(wire)

    held = await queues.HoldQueue(
        queue_service_pb2.HoldQueueRequest(queue="research", reason="over budget", request_id="hold")
    )

    (queue,) = (await queues.ListQueues(queue_service_pb2.ListQueuesRequest())).queues
    assert (queue.queue, queue.unfinished_jobs, queue.waiting_jobs) == ("research", 1, 1)
    assert queue.hold == held.hold
    (frozen,) = (await wire.fleet.ListFreezes(fleet_service_pb2.ListFreezesRequest())).freezes
    assert frozen == held.hold
    assert (await deferral_of(wire, job_id)).freeze == held.hold

    await queues.ReleaseQueue(queue_service_pb2.ReleaseQueueRequest(queue="research", request_id="release"))
    await wire.cell.run_cycle()
    (queue,) = (await queues.ListQueues(queue_service_pb2.ListQueuesRequest())).queues
    assert not queue.HasField("hold")
    assert (queue.waiting_jobs, queue.live_runs, queue.accelerators_used) == (0, 1, 8)


async def test_nodes_are_cordoned_and_a_replica_is_pinned(wire: Wire) -> None:
    job_id = await a_waiting_job(wire)
    cordoned = await wire.fleet.CordonNodes(
        fleet_service_pb2.CordonNodesRequest(
            pool_id="pool", node_names=["0", "1"], reason="fans", request_id="cordon"
        )
    )
    assert [(each.node, each.cordon.reason) for each in cordoned.pool.node_cordons] == [
        ("0", "fans"),
        ("1", "fans"),
    ]
    pinned = await wire.fleet.PinReplica(
        fleet_service_pb2.PinReplicaRequest(
            replica_id=f"{job_id}-0", pool_id="pool", reason="data", request_id="pin"
        )
    )
    assert (pinned.replica.pin.pool_id, pinned.replica.pin.principal) == ("pool", "local")
    deferral = await deferral_of(wire, job_id)
    assert (deferral.reason, deferral.pool_id) == (job_pb2.DEFERRAL_REASON_PINNED, "pool")
    assert [(each.verdict, each.pools) for each in deferral.verdicts] == [(job_pb2.POOL_VERDICT_FULL, 1)]

    uncordoned = await wire.fleet.UncordonNodes(
        fleet_service_pb2.UncordonNodesRequest(pool_id="pool", node_names=["1"], request_id="uncordon")
    )
    assert [each.node for each in uncordoned.pool.node_cordons] == ["0"]
    await wire.cell.run_cycle()
    replica = await replica_of(wire, job_id)
    (assignment,) = replica.newest_run.placement.assignments
    assert [share.node for share in assignment.task_groups[0].nodes] == ["1"]
    unpinned = await wire.fleet.UnpinReplica(
        fleet_service_pb2.UnpinReplicaRequest(replica_id=f"{job_id}-0", request_id="unpin")
    )
    assert not unpinned.replica.HasField("pin")


async def test_what_is_not_there_or_not_said_is_refused(wire: Wire) -> None:
    await wire.cell.apply_pool()
    with pytest.raises(grpc.aio.AioRpcError, match="node 'pool/1'") as unknown:
        await wire.fleet.CordonNodes(
            fleet_service_pb2.CordonNodesRequest(
                pool_id="pool", node_names=["1"], reason="why", request_id="r1"
            )
        )
    assert (unknown.value.code(), reason(unknown.value)) == (Code.NOT_FOUND, "NOT_FOUND")
    with pytest.raises(grpc.aio.AioRpcError, match=r'node_names: must be node names such as "0"') as misspelt:
        await wire.fleet.CordonNodes(
            fleet_service_pb2.CordonNodesRequest(
                pool_id="pool", node_names=["0", "node-1"], reason="why", request_id="r2"
            )
        )
    assert misspelt.value.code() is Code.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError, match="scope: must say one of") as nowhere:
        await wire.fleet.FreezePlanning(
            fleet_service_pb2.FreezePlanningRequest(reason="why", request_id="r3")
        )
    assert nowhere.value.code() is Code.INVALID_ARGUMENT
    queues = queue_service_pb2_grpc.QueueServiceStub(wire.channel)
    with pytest.raises(grpc.aio.AioRpcError, match="reason: must have 1 to") as silent:
        await queues.HoldQueue(queue_service_pb2.HoldQueueRequest(queue="research", request_id="r4"))
    assert silent.value.code() is Code.INVALID_ARGUMENT
