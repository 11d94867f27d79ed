"""Bad input: the right status, details that name field, value and what is allowed, nothing written."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from placewright.v1 import fleet_service_pb2, job_pb2, job_service_pb2, pool_pb2
from tests.unit.api.conftest import Wire, a_submission

Code = grpc.StatusCode


@dataclass(frozen=True)
class Case:
    """A submission that must be refused."""

    id: str
    submission: job_service_pb2.JobSubmission
    field: str
    says: str


def changed(change: Callable[[job_service_pb2.JobSubmission], object]) -> job_service_pb2.JobSubmission:
    submission = a_submission()
    change(submission)
    return submission


def one_way(**fields: object) -> job_service_pb2.JobSubmission:
    return a_submission(alternatives=[job_pb2.Alternative(**fields)])  # type: ignore[arg-type]  # as the test says


def a_gang(tasks: int, devices: int) -> job_pb2.Gang:
    return job_pb2.Gang(task_groups=[job_pb2.TaskGroup(tasks=tasks, devices_per_task=devices)])


CASES = [
    Case(
        "unknown_accelerator", one_way(accelerator="h1000", count=8), "alternatives[0].accelerator", "h1000"
    ),
    Case("zero_accelerators", one_way(accelerator="h100", count=0), "alternatives[0].count", "got 0"),
    Case("negative_accelerators", one_way(accelerator="h100", count=-8), "alternatives[0].count", "got -8"),
    Case(
        "part_of_a_node_too_many",
        one_way(accelerator="h100", count=12),
        "alternatives[0].count",
        "nodes of 8",
    ),
    Case(
        "a_tpu_by_count", one_way(accelerator="tpu-v5p", count=8), "alternatives[0].count", "sold in slices"
    ),
    Case("no_size", one_way(accelerator="h100"), "alternatives[0].size", "count, gang or slice"),
    Case("zero_tasks", one_way(accelerator="h100", gang=a_gang(0, 8)), "task_groups[0].tasks", "from 1"),
    Case(
        "negative_devices",
        one_way(accelerator="h100", gang=a_gang(1, -1)),
        "task_groups[0].devices_per_task",
        "got -1",
    ),
    Case(
        "a_shape_that_does_not_exist",
        one_way(accelerator="tpu-v5p", slice=job_pb2.Slice(topology="3x3x3")),
        "alternatives[0].slice.topology",
        "2x2x1",
    ),
    Case(
        "a_slice_of_gpus",
        one_way(accelerator="h100", slice=job_pb2.Slice(topology="4x4")),
        "alternatives[0].slice.topology",
        "not sold in slices",
    ),
    Case(
        "more_devices_than_a_node_has",
        one_way(accelerator="h100", gang=a_gang(1, 16)),
        "task_groups[0].devices_per_task",
        "from 1 to 8",
    ),
    Case(
        "a_field_of_a_newer_client",
        changed(lambda s: s.spec.constraints.MergeFromString(b"\xfa\x07\x01x")),
        "spec",
        "does not know",
    ),
    Case("an_unknown_launched_by", a_submission(launched_by=7), "spec.launched_by", "got 7"),
    Case("no_task_group", one_way(accelerator="h100", gang=job_pb2.Gang()), "gang.task_groups", "exactly 1"),
    Case("zero_speed", one_way(accelerator="h100", count=8, speed_permille=0), "speed_permille", "got 0"),
    Case("no_alternative", a_submission(alternatives=[]), "spec.alternatives", "1 to 16"),
    Case(
        "too_many_alternatives",
        a_submission(alternatives=[job_pb2.Alternative(accelerator="h100", count=8)] * 17),
        "spec.alternatives",
        "got 17",
    ),
    Case("long_name", a_submission(name="x" * 64), "spec.name", "{1,63}"),
    Case("upper_case_name", a_submission(name="Train"), "spec.name", "'Train'"),
    Case("no_name", a_submission(name=""), "spec.name", "{1,63}"),
    Case("long_queue", a_submission(queue="q" * 100), "spec.queue", "{1,63}"),
    Case("unknown_priority_class", a_submission(priority_class="vip"), "spec.priority_class", "frontier"),
    Case(
        "zero_replicas",
        a_submission(inference=job_pb2.Inference(max_replicas=0)),
        "inference.max_replicas",
        "got 0",
    ),
    Case(
        "too_many_replicas",
        a_submission(inference=job_pb2.Inference(max_replicas=10_001)),
        "inference.max_replicas",
        "10000",
    ),
    Case("no_kind", changed(lambda s: s.spec.ClearField("kind")), "spec.kind", "training or inference"),
    Case(
        "sub_millisecond_duration",
        a_submission(training=job_pb2.Training(estimated_duration=Duration(nanos=1_500_000))),
        "training.estimated_duration",
        "whole milliseconds",
    ),
    Case(
        "zero_duration",
        a_submission(training=job_pb2.Training(estimated_duration=Duration())),
        "training.estimated_duration",
        "from 0.001 s",
    ),
    Case(
        "negative_max_duration", a_submission(max_duration=Duration(seconds=-1)), "spec.max_duration", "-1 s"
    ),
    Case("a_century", a_submission(max_duration=Duration(seconds=4 * 10**9)), "spec.max_duration", "from"),
    Case(
        "negative_retries", a_submission(retry=job_pb2.Retry(user_errors=-1)), "retry.user_errors", "got -1"
    ),
    Case(
        "submitter_launch",
        a_submission(launched_by=job_pb2.LAUNCHED_BY_SUBMITTER),
        "launched_by",
        "must be POOL",
    ),
    Case(
        "pool_both_allowed_and_denied",
        a_submission(constraints=job_pb2.Constraints(allowed_pools=["a"], denied_pools=["a"])),
        "constraints.denied_pools",
        "both allowed and denied",
    ),
    Case(
        "every_place_denied",
        a_submission(constraints=job_pb2.Constraints(denied_locations=[job_pb2.Location()])),
        "constraints.denied_locations",
        "denies every place",
    ),
    Case(
        "allowed_place_denied",
        a_submission(
            constraints=job_pb2.Constraints(
                allowed_locations=[job_pb2.Location(provider="gcp")],
                denied_locations=[job_pb2.Location(provider="gcp")],
            )
        ),
        "constraints.allowed_locations",
        "nothing is left",
    ),
    Case(
        "unknown_market", a_submission(constraints=job_pb2.Constraints(markets=[9])), "markets[0]", "RESERVED"
    ),
    Case("no_command", changed(lambda s: s.ClearField("payload")), "payload.command", "at least 1"),
    Case(
        "big_payload",
        changed(lambda s: s.payload.env.update({"A": "x" * 70_000})),
        "payload",
        "at most 65536",
    ),
    Case("no_request_id", changed(lambda s: s.ClearField("request_id")), "request_id", "the caller makes it"),
    Case("bad_request_id", changed(lambda s: setattr(s, "request_id", "a b")), "request_id", "'a b'"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_bad_submission_is_refused_whole(wire: Wire, case: Case) -> None:
    revision = wire.cell.mirror.state.revision

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await wire.jobs.SubmitJob(job_service_pb2.SubmitJobRequest(submission=case.submission))

    assert refused.value.code() is Code.INVALID_ARGUMENT
    told = {v.field: v.description for v in violations(refused.value)}
    field = next((name for name in told if case.field in name), None)
    assert field is not None, told
    assert case.says in told[field]
    assert wire.cell.mirror.state.revision == revision


async def test_every_fault_is_told_at_once(wire: Wire) -> None:
    submission = a_submission(name="", retry=job_pb2.Retry(user_errors=-1), queue="Q")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await wire.jobs.SubmitJob(job_service_pb2.SubmitJobRequest(submission=submission))

    assert len(violations(refused.value)) == 3


async def test_one_bad_job_does_not_fail_the_others_of_its_call(wire: Wire) -> None:
    good, bad = a_submission(), a_submission(name="BAD")
    bad.request_id = "request-2"
    request = job_service_pb2.SubmitJobsRequest(submissions=[good, bad])

    response = await wire.jobs.SubmitJobs(request)

    kinds = [result.WhichOneof("result") for result in response.results]
    assert kinds == ["job", "error"]
    assert response.results[1].error.code == Code.INVALID_ARGUMENT.value[0]
    assert "submissions[1].spec.name" in response.results[1].error.message


async def test_100_000_jobs_in_one_call_are_refused_and_none_is_written(wire: Wire) -> None:
    request = job_service_pb2.SubmitJobsRequest()
    request.submissions.extend([job_service_pb2.JobSubmission()] * 100_000)

    with pytest.raises(grpc.aio.AioRpcError, match="1 to 1000 items, got 100000") as refused:
        await wire.jobs.SubmitJobs(request)

    assert refused.value.code() is Code.INVALID_ARGUMENT
    assert wire.cell.mirror.state.revision == 0


async def test_faults_without_number_are_told_in_part(wire: Wire) -> None:
    request = job_service_pb2.SubmitJobsRequest(submissions=[a_submission()] * 1_000)

    with pytest.raises(grpc.aio.AioRpcError, match="989 more faults are not told") as refused:
        await wire.jobs.SubmitJobs(request)

    assert refused.value.code() is Code.INVALID_ARGUMENT


async def test_a_request_id_twice_in_one_call_is_refused(wire: Wire) -> None:
    request = job_service_pb2.SubmitJobsRequest(submissions=[a_submission(), a_submission()])

    with pytest.raises(grpc.aio.AioRpcError, match="must differ"):
        await wire.jobs.SubmitJobs(request)


async def test_an_oversized_message_is_refused(wire: Wire) -> None:
    submission = a_submission()
    submission.payload.env["A"] = "x" * 5_000_000

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await wire.jobs.SubmitJob(job_service_pb2.SubmitJobRequest(submission=submission))

    assert refused.value.code() is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("token", ["x", "e30=", "W10=", "ünïcode", "WyJwMSJd", "a" * 2_000, "W1tbW1tb"])
async def test_a_malformed_page_token_is_refused(wire: Wire, token: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="page_token") as refused:
        await wire.jobs.ListJobs(job_service_pb2.ListJobsRequest(page_token=token))

    assert refused.value.code() is Code.INVALID_ARGUMENT


async def test_a_page_token_of_another_filter_is_refused(wire: Wire) -> None:
    for number in range(2):
        submission = a_submission()
        submission.request_id = f"request-{number}"
        await wire.jobs.SubmitJob(job_service_pb2.SubmitJobRequest(submission=submission))
    page = await wire.jobs.ListJobs(job_service_pb2.ListJobsRequest(page_size=1))
    other = job_service_pb2.ListJobsRequest(
        page_size=1,
        page_token=page.next_page_token,
        filter=job_service_pb2.JobFilter(name="other"),
    )

    with pytest.raises(grpc.aio.AioRpcError, match="another filter"):
        await wire.jobs.ListJobs(other)


async def test_a_cursor_of_another_filter_is_refused(wire: Wire) -> None:
    cursor = (await wire.jobs.ListJobs(job_service_pb2.ListJobsRequest())).watch_cursor
    other = job_service_pb2.WatchJobsRequest(cursor=cursor, filter=job_service_pb2.JobFilter(name="other"))

    with pytest.raises(grpc.aio.AioRpcError, match="another filter") as refused:
        await wire.jobs.WatchJobs(other).read()

    assert refused.value.code() is Code.INVALID_ARGUMENT


async def test_a_malformed_cursor_is_refused_and_one_of_another_history_is_out_of_range(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as malformed:
        await wire.jobs.WatchJobs(job_service_pb2.WatchJobsRequest(cursor="nonsense")).read()
    assert malformed.value.code() is Code.INVALID_ARGUMENT

    cursor = (await wire.jobs.ListJobs(job_service_pb2.ListJobsRequest())).watch_cursor
    wire.cell.memory.start_new_history()
    await wire.cell.memory.acquire("test", duration_ms=10**12)
    await wire.cell.submit()
    with pytest.raises(grpc.aio.AioRpcError) as foreign:
        await wire.jobs.WatchJobs(job_service_pb2.WatchJobsRequest(cursor=cursor)).read()
    assert foreign.value.code() is Code.OUT_OF_RANGE
    assert reason(foreign.value) == "CURSOR_TOO_OLD"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (pool_pb2.PoolSpec(), "spec.accelerator"),
        (pool_pb2.PoolSpec(accelerator="h100", market=job_pb2.MARKET_RESERVED), "spec.provider"),
        (
            pool_pb2.PoolSpec(
                accelerator="h100", market=job_pb2.MARKET_RESERVED, provider="gcp", launcher_id="l"
            ),
            "spec.node_groups",
        ),
        (
            pool_pb2.PoolSpec(
                accelerator="h100",
                market=job_pb2.MARKET_RESERVED,
                provider="gcp",
                launcher_id="l",
                node_groups=[pool_pb2.NodeGroup(nodes=-1, devices_per_node=8)],
            ),
            "node_groups[0].nodes",
        ),
        (
            pool_pb2.PoolSpec(
                accelerator="h100",
                market=job_pb2.MARKET_SPOT,
                provider="gcp",
                launcher_id="l",
                node_groups=[pool_pb2.NodeGroup(nodes=1, devices_per_node=8)],
                price_usd_micros_per_accelerator_hour=0,
            ),
            "spec.limit_accelerators",
        ),
        (
            pool_pb2.PoolSpec(
                accelerator="h100",
                market=job_pb2.MARKET_RESERVED,
                provider="gcp",
                launcher_id="l",
                node_groups=[pool_pb2.NodeGroup(nodes=1, devices_per_node=8)],
                price_usd_micros_per_accelerator_hour=-1,
            ),
            "price_usd_micros",
        ),
    ],
)
async def test_a_bad_pool_is_refused(wire: Wire, spec: pool_pb2.PoolSpec, field: str) -> None:
    request = fleet_service_pb2.ApplyPoolRequest(pool_id="pool", spec=spec, request_id="r")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await wire.fleet.ApplyPool(request)

    assert refused.value.code() is Code.INVALID_ARGUMENT
    assert any(field in violation.field for violation in violations(refused.value))
    assert wire.cell.mirror.state.revision == 0


async def test_reused_request_id_and_unknown_job_have_their_own_reasons(wire: Wire) -> None:
    await wire.jobs.SubmitJob(job_service_pb2.SubmitJobRequest(submission=a_submission()))
    with pytest.raises(grpc.aio.AioRpcError) as reused:
        await wire.jobs.SubmitJob(job_service_pb2.SubmitJobRequest(submission=a_submission(name="another")))
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await wire.jobs.GetJob(job_service_pb2.GetJobRequest(job_id="nobody"))

    assert (reused.value.code(), reason(reused.value)) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert (unknown.value.code(), reason(unknown.value)) == (Code.NOT_FOUND, "NOT_FOUND")


@pytest.mark.parametrize("method", ["JobService/GetJob", "JobService/WatchJobs", "LauncherService/Attach"])
async def test_bytes_that_are_no_message_are_the_callers_fault(wire: Wire, method: str) -> None:
    call = wire.channel.stream_stream(f"/placewright.v1.{method}")(iter([b"\xff"]))

    with pytest.raises(grpc.aio.AioRpcError, match="request type") as refused:
        await call.read()

    assert refused.value.code() is Code.INVALID_ARGUMENT
    assert [violation.field for violation in violations(refused.value)] == [""]


def violations(error: grpc.aio.AioRpcError) -> list[error_details_pb2.BadRequest.FieldViolation]:
    bad = error_details_pb2.BadRequest()
    assert unpack(error, bad)
    return list(bad.field_violations)


def reason(error: grpc.aio.AioRpcError) -> str:
    info = error_details_pb2.ErrorInfo()
    assert unpack(error, info)
    assert info.domain == "placewright"
    return info.reason


def unpack(
    error: grpc.aio.AioRpcError, into: error_details_pb2.BadRequest | error_details_pb2.ErrorInfo
) -> bool:
    """Take the detail of that type over from the status; whether there was one."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it has what is read
    assert status is not None
    return any(detail.Unpack(into) for detail in status.details)
