"""Queues and cohorts over the wire: what is answered, and what is refused with which field."""

from dataclasses import dataclass
from typing import TypeAlias

import grpc
import pytest

from placewright.v1 import queue_pb2, queue_service_pb2, queue_service_pb2_grpc
from scheduler.model.limits import QUOTA_UNITS_MAX, QUOTAS_MAX
from tests.unit.api.conftest import Wire
from tests.unit.api.test_bad_requests import reason, violations

Code = grpc.StatusCode
Apply: TypeAlias = queue_service_pb2.ApplyQueueRequest | queue_service_pb2.ApplyCohortRequest
H100 = queue_pb2.Quota(resource="h100", nominal=64)


def a_queue(*quotas: queue_pb2.Quota, name: str = "research", **fields: object) -> Apply:
    spec = queue_pb2.QueueSpec(quotas=quotas, **fields)  # type: ignore[arg-type]  # as the test says
    return queue_service_pb2.ApplyQueueRequest(queue=name, spec=spec, request_id=f"apply-{name}")


def a_cohort(*quotas: queue_pb2.Quota, name: str = "lab", parent: str = "") -> Apply:
    spec = queue_pb2.CohortSpec(quotas=quotas, parent=parent)
    return queue_service_pb2.ApplyCohortRequest(cohort=name, spec=spec, request_id=f"apply-{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    id: str
    request: Apply
    field: str
    says: str


CASES = [
    Case(id="no_name", request=a_queue(name=""), field="queue", says="must match [a-z0-9-]{1,63}"),
    Case(id="capitals", request=a_cohort(name="Lab"), field="cohort", says="must match"),
    Case(id="cohorts_name", request=a_queue(cohort="a b"), field="spec.cohort", says="must match"),
    Case(id="own_parent", request=a_cohort(parent="lab"), field="spec.parent", says="another cohort"),
    Case(
        id="weight",
        request=a_queue(weight_permille=-1),
        field="spec.weight_permille",
        says="must be from 1 to 1000000, got -1",
    ),
    Case(
        id="unknown_accelerator",
        request=a_queue(H100, queue_pb2.Quota(resource="h1000")),
        field="spec.quotas[1].resource",
        says="must be one of usd_millis_per_hour, ",
    ),
    Case(
        id="twice",
        request=a_cohort(H100, H100),
        field="spec.quotas[1].resource",
        says="must be of one quota only, 'h100' has another",
    ),
    Case(
        id="negative",
        request=a_queue(queue_pb2.Quota(resource="h100", nominal=-1)),
        field="spec.quotas[0].nominal",
        says=f"must be from 0 to {QUOTA_UNITS_MAX}, got -1",
    ),
    Case(
        id="too_much_lent",
        request=a_queue(queue_pb2.Quota(resource="h100", lending_limit=QUOTA_UNITS_MAX + 1)),
        field="spec.quotas[0].lending_limit",
        says="must be from 0",
    ),
    Case(
        id="too_much_borrowed",
        request=a_queue(queue_pb2.Quota(resource="h100", borrowing_limit=2**62)),
        field="spec.quotas[0].borrowing_limit",
        says="must be from 0",
    ),
    Case(
        id="too_many",
        request=a_queue(*[H100] * (QUOTAS_MAX + 1)),
        field="spec.quotas",
        says=f"must have 0 to {QUOTAS_MAX} items",
    ),
]


def stub(wire: Wire) -> queue_service_pb2_grpc.QueueServiceStub:
    return queue_service_pb2_grpc.QueueServiceStub(wire.channel)


async def apply(wire: Wire, request: Apply) -> None:
    if isinstance(request, queue_service_pb2.ApplyQueueRequest):
        await stub(wire).ApplyQueue(request)
    else:
        await stub(wire).ApplyCohort(request)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_bad_spec_is_refused_whole(wire: Wire, case: Case) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await apply(wire, case.request)

    assert refused.value.code() is Code.INVALID_ARGUMENT
    told = {each.field: each.description for each in violations(refused.value)}
    assert case.says in told.get(case.field, ""), told
    assert not (await stub(wire).ListQueues(queue_service_pb2.ListQueuesRequest())).queues


async def test_what_is_applied_is_read_back_with_its_usage_and_etag(wire: Wire) -> None:
    await apply(wire, a_cohort(queue_pb2.Quota(resource="usd_millis_per_hour", nominal=2_000_000)))
    limited = queue_pb2.Quota(resource="h100", nominal=64, borrowing_limit=0, lending_limit=16)

    answer = await stub(wire).ApplyQueue(a_queue(limited, cohort="lab"))

    read = await stub(wire).GetQueue(
        queue_service_pb2.GetQueueRequest(queue="research", min_revision=answer.revision)
    )
    assert read.queue == answer.queue
    assert read.queue.spec == queue_pb2.QueueSpec(cohort="lab", weight_permille=1_000, quotas=[limited])
    assert [(each.resource, each.nominal, each.available) for each in read.queue.usage] == [
        ("h100", 64, 64),
        ("usd_millis_per_hour", 0, 2_000_000),
    ]
    (lab,) = (await stub(wire).ListCohorts(queue_service_pb2.ListCohortsRequest())).cohorts
    assert [(each.resource, each.nominal, each.available) for each in lab.usage] == [
        ("h100", 64, 16),
        ("usd_millis_per_hour", 2_000_000, 2_000_000),
    ]
    assert read.queue.etag
    assert lab.etag


async def test_a_stale_etag_is_refused_and_a_fresh_one_deletes(wire: Wire) -> None:
    first = (await stub(wire).ApplyQueue(a_queue(H100))).queue.etag
    second = (
        await stub(wire).ApplyQueue(
            queue_service_pb2.ApplyQueueRequest(
                queue="research", spec=queue_pb2.QueueSpec(), etag=first, request_id="change"
            )
        )
    ).queue.etag

    with pytest.raises(grpc.aio.AioRpcError, match="has changed since") as stale:
        await stub(wire).DeleteQueue(
            queue_service_pb2.DeleteQueueRequest(queue="research", etag=first, request_id="d1")
        )
    assert (stale.value.code(), reason(stale.value)) == (Code.ABORTED, "STALE_ETAG")
    await stub(wire).DeleteQueue(
        queue_service_pb2.DeleteQueueRequest(queue="research", etag=second, request_id="d2")
    )
    with pytest.raises(grpc.aio.AioRpcError, match="'research' does not exist") as gone:
        await stub(wire).GetQueue(queue_service_pb2.GetQueueRequest(queue="research"))
    assert gone.value.code() is Code.NOT_FOUND


async def test_a_cohort_that_does_not_exist_or_has_members_is_a_failed_precondition(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="cohort lab does not exist: make it first") as missing:
        await apply(wire, a_queue(cohort="lab"))
    assert (missing.value.code(), reason(missing.value)) == (Code.FAILED_PRECONDITION, "ILLEGAL_TRANSITION")

    await apply(wire, a_cohort())
    await apply(wire, a_queue(cohort="lab"))
    with pytest.raises(grpc.aio.AioRpcError, match="cohort lab has members: queue research") as used:
        await stub(wire).DeleteCohort(
            queue_service_pb2.DeleteCohortRequest(cohort="lab", request_id="delete")
        )
    assert used.value.code() is Code.FAILED_PRECONDITION
