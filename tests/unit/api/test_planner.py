"""PlannerService over the wire: prices, and the plan of what is only supposed."""

import grpc
import pytest

from placewright.v1 import job_pb2, job_service_pb2, planner_service_pb2, planner_service_pb2_grpc
from placewright.v1 import planner_service_pb2 as wire_of
from scheduler.api.pools import encode_spec
from scheduler.model.limits import WHAT_IF_JOBS_MAX
from tests.builders import DOLLAR, a_pool
from tests.unit.api.conftest import Wire, a_submission
from tests.unit.api.test_bad_requests import reason


def planner(wire: Wire) -> planner_service_pb2_grpc.PlannerServiceStub:
    return planner_service_pb2_grpc.PlannerServiceStub(wire.channel)


async def test_prices_say_what_each_pool_costs(wire: Wire) -> None:
    await wire.cell.apply_pool(a_pool(nodes=2))

    answer = await planner(wire).GetPrices(wire_of.GetPricesRequest())

    assert not answer.HasField("guidance_revision")
    assert list(answer.pools) == [
        wire_of.PoolPrices(
            pool_id="pool",
            accelerator="h100",
            market=job_pb2.MARKET_RESERVED,
            charged_usd_micros_per_accelerator_hour=2 * DOLLAR,
            accelerators_free=16,
            state=wire_of.POOL_STATE_NO_LAUNCHER,
        )
    ]


async def test_what_if_tells_where_jobs_would_go_and_what_else_would_change(wire: Wire) -> None:
    await wire.cell.apply_pool(a_pool(nodes=1))
    await wire.cell.attach()
    submitted = await wire.jobs.SubmitJob(job_service_pb2.SubmitJobRequest(submission=a_submission()))
    hypothetical = a_submission(name="urgent", priority_class="frontier")
    large = a_submission(name="large", alternatives=[job_pb2.Alternative(accelerator="h100", count=64)])

    answer = await planner(wire).PlanJobs(wire_of.PlanJobsRequest(submissions=[hypothetical, large]))

    assert [job.name for job in answer.jobs] == ["urgent", "large"]
    (urgent,), (too_large,) = (job.replicas for job in answer.jobs)
    assert urgent.fate.placement.assignments[0].pool_id == "pool"
    assert urgent.fate.value.term_usd_micros_per_hour > 0
    assert too_large.fate.deferral.reason == job_pb2.DEFERRAL_REASON_FITS_NO_POOL
    assert too_large.fate.deferral.accelerators_needed == 64
    (change,) = answer.changes
    assert change.job_id == submitted.job.job_id
    assert change.before.placement.assignments[0].pool_id == "pool"
    assert change.after.deferral.reason == job_pb2.DEFERRAL_REASON_OUTBID
    assert (answer.before.placed, answer.after.placed, answer.after.waiting) == (1, 1, 2)
    assert answer.after.gap_permille == 0
    listed = await wire.jobs.ListJobs(job_service_pb2.ListJobsRequest())
    assert [job.job_id for job in listed.jobs] == [submitted.job.job_id]


async def test_what_if_with_pools_and_quotas(wire: Wire) -> None:
    await wire.jobs.SubmitJob(job_service_pb2.SubmitJobRequest(submission=a_submission(queue="research")))
    more = wire_of.SupposedPool(pool_id="more", spec=encode_spec(a_pool().spec))
    none = wire_of.SupposedQueue(queue="research", quotas=[wire_of.SupposedQuota(resource="h100", nominal=0)])

    placed = await planner(wire).PlanJobs(wire_of.PlanJobsRequest(pools=[more]))
    kept_out = await planner(wire).PlanJobs(wire_of.PlanJobsRequest(pools=[more], queues=[none]))

    assert placed.changes[0].after.placement.assignments[0].pool_id == "more"
    assert placed.after.paid_usd_micros_per_hour == 16 * DOLLAR
    assert (kept_out.after.placed, kept_out.after.waiting, len(kept_out.changes)) == (0, 1, 0)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (wire_of.PlanJobsRequest(submissions=[a_submission()] * (WHAT_IF_JOBS_MAX + 1)), "0 to 100 items"),
        (
            wire_of.PlanJobsRequest(
                submissions=[a_submission(training=None, inference=job_pb2.Inference(max_replicas=600))] * 2
            ),
            "at most 1000 replicas in all, got 1200",
        ),
        (wire_of.PlanJobsRequest(submissions=[a_submission(name="A b")]), r"submissions\[0\]\.spec\.name"),
        (
            wire_of.PlanJobsRequest(
                pools=[wire_of.SupposedPool(pool_id="pool", spec=encode_spec(a_pool().spec))],
                removed_pool_ids=["pool"],
            ),
            r"removed_pool_ids\[0\]: must be none of pools",
        ),
        (
            wire_of.PlanJobsRequest(
                queues=[wire_of.SupposedQueue(queue="a"), wire_of.SupposedQueue(queue="a")]
            ),
            r"queues\[0\]\.queue: must come only once",
        ),
        (
            wire_of.PlanJobsRequest(
                queues=[wire_of.SupposedQueue(queue="a", quotas=[wire_of.SupposedQuota(resource="x9")])]
            ),
            r"queues\[0\]\.quotas\[0\]\.resource: must be one of usd_millis_per_hour",
        ),
    ],
    ids=["many-jobs", "many-replicas", "job", "pool-twice", "queue-twice", "resource"],
)
async def test_a_question_that_cannot_be_asked(
    wire: Wire, request_: planner_service_pb2.PlanJobsRequest, told: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=told) as refused:
        await planner(wire).PlanJobs(request_)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(refused.value) == "INVALID_REQUEST"


async def test_what_is_not_there_is_not_found(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="pool 'none' does not exist"):
        await planner(wire).PlanJobs(wire_of.PlanJobsRequest(removed_pool_ids=["none"]))
