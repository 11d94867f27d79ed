"""Limits of what is under way: each kind of call has places of its own."""

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from placewright.v1 import job_service_pb2
from placewright.v1 import launcher_service_pb2 as wire_pb2
from scheduler.api.admission import (
    BULK_CALLS,
    BY_RPC,
    CALLS,
    LAUNCHER_CALLS,
    LIMITS,
    WATCHES,
    Admission,
    Limit,
)
from scheduler.api.server import CONCURRENT_RPCS_MAX
from scheduler.model.errors import Overloaded
from scheduler.model.ids import Principal
from scheduler.model.limits import SUBMISSIONS_PER_CALL_MAX
from tests.unit.api.conftest import Wire, a_submission
from tests.unit.api.test_attachment import Attached

USER, OTHER = Principal("user"), Principal("other")
SMALL = Limit(name="SMALL", calls_max=3, per_principal=2)


def test_a_place_is_taken_and_given_back() -> None:
    admission = Admission()
    for _ in range(2):
        admission.enter(SMALL, USER)

    with pytest.raises(Overloaded, match="user has 2 calls under way, no more may be"):
        admission.enter(SMALL, USER)
    admission.enter(SMALL, OTHER)
    with pytest.raises(Overloaded, match="3 calls are under way, no more may be") as caught:
        admission.enter(SMALL, OTHER)
    assert caught.value.limit == "SMALL"

    admission.leave(SMALL, USER)
    admission.enter(SMALL, OTHER)


def test_a_flood_of_one_kind_takes_no_place_of_another() -> None:
    admission = Admission()
    for _ in range(CALLS.calls_max):
        admission.enter(CALLS, USER)

    admission.enter(LAUNCHER_CALLS, USER)
    admission.enter(WATCHES, USER)
    admission.enter(BULK_CALLS, USER)


def test_our_own_limits_come_before_grpcs_which_says_nothing() -> None:
    assert sum(limit.calls_max for limit in LIMITS) < CONCURRENT_RPCS_MAX


def test_launchers_calls_have_limits_of_their_own() -> None:
    launchers = {rpc: limit for rpc, limit in BY_RPC.items() if rpc.startswith("LauncherService/")}
    users = [limit for rpc, limit in BY_RPC.items() if not rpc.startswith("LauncherService/")]

    assert len(launchers) == 4
    assert not set(launchers.values()) & {CALLS, *users}


async def test_a_refusal_says_its_limit_and_when_to_try_again(wire: Wire) -> None:
    request = job_service_pb2.WatchJobsRequest()
    watches = [wire.jobs.WatchJobs(request) for _ in range(WATCHES.per_principal)]
    for watch in watches:
        await watch.read()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.jobs.WatchJobs(request).read()

    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]  # has what is needed
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    info, quota, retry = (
        error_details_pb2.ErrorInfo(), error_details_pb2.QuotaFailure(), error_details_pb2.RetryInfo()
    )  # fmt: skip
    assert all(d.Unpack(m) for d, m in zip(status.details, (info, quota, retry), strict=True))
    assert (info.reason, info.metadata["limit"]) == ("OVERLOADED", "WATCHES_OPEN")
    assert quota.violations[0].subject == "WATCHES_OPEN"
    assert retry.retry_delay.ToMilliseconds() == 1_000
    refused = wire.cell.metrics.registry.get_sample_value(
        "placewright_rpc_refused_total", {"limit": "WATCHES_OPEN"}
    )
    assert refused == 1
    for watch in watches:
        watch.cancel()


async def test_a_flood_of_submits_holds_no_renewal_up(wire: Wire) -> None:
    await wire.cell.apply_pool()
    launcher = Attached(wire)
    await launcher.until("snapshot_end")
    launcher.synchronise("pool")
    lease_ms = 6_000
    flood = [asyncio.create_task(_flood(wire, number)) for number in range(BULK_CALLS.calls_max + 16)]
    loop, slowest_s = asyncio.get_running_loop(), 0.0

    renewal = wire_pb2.RenewRunsRequest(launcher_id="launcher", session=launcher.session)
    while not all(task.done() for task in flood):
        began_s = loop.time()
        await wire.launchers.RenewRuns(renewal)
        slowest_s = max(slowest_s, loop.time() - began_s)

    assert slowest_s * 1_000 < lease_ms / 4
    outcomes = [task.result() for task in flood]
    assert outcomes.count(grpc.StatusCode.OK) >= BULK_CALLS.calls_max
    assert set(outcomes) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    launcher.leave()


async def _flood(wire: Wire, number: int) -> grpc.StatusCode:
    submissions = [a_submission() for _ in range(SUBMISSIONS_PER_CALL_MAX // 10)]
    for index, submission in enumerate(submissions):
        submission.request_id = f"flood-{number}-{index}"
    try:
        answer = await wire.jobs.SubmitJobs(job_service_pb2.SubmitJobsRequest(submissions=submissions))
    except grpc.aio.AioRpcError as error:
        return error.code()
    assert all(result.HasField("job") for result in answer.results)
    return grpc.StatusCode.OK
