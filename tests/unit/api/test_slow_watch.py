"""A watch that its client does not read is cut off on the wire, and goes on from its last cursor."""

from collections.abc import AsyncIterator

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from placewright.v1 import job_service_pb2
from scheduler.model.limits import WATCH_QUEUE_JOBS_MAX
from scheduler.model.transaction import Put, Transaction
from tests.builders import a_job
from tests.unit.api.conftest import Wire

Event = job_service_pb2.WatchJobsResponse
Events = AsyncIterator[Event]
JOBS = WATCH_QUEUE_JOBS_MAX + 2_000  # more than fits the queue and the buffers of a connection
WRITTEN_AT_ONCE = 100


async def write_jobs(wire: Wire) -> list[str]:
    """Ids of so many new jobs, which the service's mirror has seen."""
    ids = [f"job-{number:05}" for number in range(JOBS)]
    for start in range(0, JOBS, WRITTEN_AT_ONCE):
        chunk = ids[start : start + WRITTEN_AT_ONCE]
        await wire.cell.memory.transact([Transaction(puts=(Put(entity=a_job(i)),)) for i in chunk])
        await wire.cell.mirror.caught_up((await wire.cell.memory.load()).revision)
    return ids


async def test_a_client_that_does_not_read_is_cut_off_and_misses_nothing(wire: Wire) -> None:
    events = aiter(wire.jobs.WatchJobs(job_service_pb2.WatchJobsRequest()))
    start = await anext(events)
    ids = await write_jobs(wire)

    told, error = await read(events, JOBS)
    assert error is not None
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert reason_of(error) == "WATCH_TOO_SLOW"
    assert 0 < len(told) < JOBS - WATCH_QUEUE_JOBS_MAX

    cursor = told[-1].cursor if told else start.cursor
    resumed = aiter(wire.jobs.WatchJobs(job_service_pb2.WatchJobsRequest(cursor=cursor)))
    rest, error = await read(resumed, JOBS - len(told))
    assert error is None
    assert [event.job.job_id for event in told + rest] == ids


async def read(events: Events, count: int) -> tuple[list[Event], grpc.aio.AioRpcError | None]:
    """So many events, or those until it was cut off, and how."""
    told: list[Event] = []
    try:
        while len(told) < count:
            told.append(await anext(events))
    except grpc.aio.AioRpcError as error:
        return told, error
    return told, None


def reason_of(error: grpc.aio.AioRpcError) -> str:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # has what it needs of a call
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info.reason
