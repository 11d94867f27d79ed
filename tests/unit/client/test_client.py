"""The client against a real gRPC server, sync and asyncio alike."""

import threading
import time
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from placewright import (
    Client,
    CohortSpec,
    DeadlineExceeded,
    HealthStatus,
    InvalidRequest,
    Job,
    JobPhase,
    NodeGroup,
    NotFound,
    PlacewrightError,
    PoolJumpKind,
    PoolSpec,
    QueueSpec,
    Quota,
    QuotaUsage,
    RequestIdReused,
    ResourceExhausted,
    RunState,
    SupposedPool,
    SupposedQueue,
    SupposedQuota,
    Unavailable,
)
from placewright.patience import ATTEMPTS_MAX
from placewright.v1 import pool_pb2
from tests.unit.client.fake_service import FakeService, a_status, an_info


def a_job(name: str = "pretrain", **others: Any) -> Job:
    return Job(name=name, accelerators="h100:64", command=["train"], **others)


def test_submit_gives_a_handle_with_the_job(client: Any) -> None:
    handle = client.submit(a_job(queue="research"))

    assert (handle.job.name, handle.job.spec.queue, handle.job.phase) == ("pretrain", "research", "pending")
    assert str(handle.job.spec.alternatives[0]) == "h100:64"


def test_wait_returns_when_the_job_has_come_so_far(client: Any, service: FakeService) -> None:
    handle = client.submit(a_job())
    service.wait_for_requests("SubmitJob", 1)
    mover = threading.Thread(target=lambda: _live(service, handle.job_id))
    mover.start()

    placed = handle.wait("placed", timeout=10)
    seen: list[Any] = []
    finished = handle.wait(timeout="10s", on_change=seen.append)

    mover.join()
    assert placed.is_placed
    assert finished.phase is JobPhase.SUCCEEDED
    assert handle.job == seen[-1] == finished


def _live(service: FakeService, job_id: str) -> None:
    service.wait_for_requests("WatchJobs", 1)
    service.move(job_id, phase="active", placed=1)
    service.move(job_id, phase="active", running=1)
    service.move(job_id, phase="succeeded", done=1)


def test_wait_says_where_the_job_stands_when_the_time_is_over(client: Any) -> None:
    handle = client.submit(a_job())

    with pytest.raises(DeadlineExceeded, match=r"main-0000 is pending and not placed after 300ms"):
        handle.wait("placed", timeout=0.3)


def test_wait_refuses_a_goal_that_does_not_exist(client: Any) -> None:
    handle = client.submit(a_job())

    with pytest.raises(InvalidRequest, match="must be one of placed, running, finished, got 'done'"):
        handle.wait("done")


def test_wait_for_a_job_that_is_not_there_says_so(client: Any) -> None:
    with pytest.raises(NotFound, match="'main-9' does not exist") as caught:
        client.get_job("main-9")

    assert caught.value.reason == "NOT_FOUND"
    assert caught.value.metadata == {"resource": "job"}


def test_watch_of_a_handle_gives_each_state_once_until_it_has_finished(
    client: Any, service: FakeService
) -> None:
    handle = client.submit(a_job())
    phases = []

    for job in handle.watch():
        phases.append(job.phase)
        if len(phases) == 1:
            service.wait_for_requests("GetJob", 1)
            service.move(handle.job_id, phase="active", running=1)
        elif len(phases) == 2:
            service.cut_streams()
            service.move(handle.job_id, phase="failed", done=1)

    assert phases == ["pending", "active", "failed"]


def test_hold_and_release_carry_reason_and_holder(client: Any) -> None:
    job_id = client.submit(a_job()).job_id

    held = client.hold_job(job_id, "wrong data")
    assert (held.hold.reason, held.hold.principal) == ("wrong data", "alice")
    assert client.release_job(job_id).hold is None


def test_cancel_carries_the_reason(client: Any, service: FakeService) -> None:
    handle = client.submit(a_job())

    job = handle.cancel("wrong data")

    assert job.phase is JobPhase.CANCELLED
    assert service.requests["CancelJob"][0].reason == "wrong data"
    assert job.cancel_reason == "wrong data"
    assert job.cancel_requested_at is not None
    assert handle.refresh().is_finished


def test_submit_many_gives_a_handle_or_an_error_for_each(client: Any, service: FakeService) -> None:
    results = client.submit_many([a_job("one"), a_job("bad"), a_job("two")])

    assert [isinstance(result, PlacewrightError) for result in results] == [False, True, False]
    assert results[0].job.name == "one"
    assert isinstance(results[1], InvalidRequest)
    assert results[1].request_id == service.requests["SubmitJobs"][0].submissions[1].request_id != ""


def test_jobs_of_submit_many_come_without_replicas_until_they_are_read(client: Any) -> None:
    (handle,) = client.submit_many([a_job()])

    assert (handle.job.replicas_left_out, handle.job.replicas) == (True, ())

    job = handle.refresh()

    assert not job.replicas_left_out
    assert [str(deferral) for deferral in job.deferrals] == ["not planned yet"]


def test_wait_gives_the_replicas_that_its_watch_leaves_out(client: Any, service: FakeService) -> None:
    service.replicas_listed_max = 0
    handle = client.submit(a_job())
    mover = threading.Thread(target=lambda: _live(service, handle.job_id))
    mover.start()

    finished = handle.wait(timeout=10)

    mover.join()
    assert finished.is_finished
    assert len(finished.replicas) == 1
    assert [job.replicas_left_out for job in client.list_jobs()] == [True]


def test_submit_many_splits_what_is_too_much_for_one_call(client: Any, service: FakeService) -> None:
    results = client.submit_many([a_job(f"job-{number}") for number in range(1_001)])

    assert [len(request.submissions) for request in service.requests["SubmitJobs"]] == [1_000, 1]
    assert [result.job.name for result in results][-1] == "job-1000"


def test_list_jobs_fetches_every_page_of_what_the_filter_chooses(client: Any, service: FakeService) -> None:
    client.submit_many([a_job(f"job-{number}", queue="a" if number % 2 else "b") for number in range(10)])

    jobs = list(client.list_jobs(queue="a", phase=["pending"], page_size=2))

    assert [job.name for job in jobs] == ["job-1", "job-3", "job-5", "job-7", "job-9"]
    assert [request.page_token for request in service.requests["ListJobs"]] == ["", "2", "4"]


def test_reads_ask_for_the_newest_revision_that_was_written(client: Any, service: FakeService) -> None:
    handle = client.submit(a_job())
    handle.refresh()
    list(client.list_jobs())
    client.pools()

    asked = [service.requests[method][0].min_revision for method in ("GetJob", "ListJobs", "ListPools")]
    assert asked == [1, 1, 1]


def test_a_revision_that_the_service_cannot_reach_is_asked_for_once(
    client: Any, service: FakeService
) -> None:
    handle = client.submit(a_job())
    service.faults["GetJob"] = [
        a_status(grpc.StatusCode.UNAVAILABLE, "not caught up", an_info("NOT_CAUGHT_UP")) for _ in range(5)
    ]

    with pytest.raises(Unavailable, match="not caught up"):
        handle.refresh()
    handle.refresh()

    assert [request.min_revision for request in service.requests["GetJob"]] == [1, 1, 1, 1, 1, 0]


def test_a_revision_is_forgotten_after_two_reads_that_timed_out(client: Any, service: FakeService) -> None:
    handle = client.submit(a_job())
    service.faults["GetJob"] = [a_status(grpc.StatusCode.DEADLINE_EXCEEDED, "late") for _ in range(2)]

    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            handle.refresh()
    handle.refresh()

    assert [request.min_revision for request in service.requests["GetJob"]] == [1, 1, 0]


def test_a_retried_write_keeps_its_request_id(client: Any, service: FakeService) -> None:
    service.faults["SubmitJob"] = [a_status(grpc.StatusCode.UNAVAILABLE, "starting") for _ in range(2)]

    client.submit(a_job())

    ids = [request.submission.request_id for request in service.requests["SubmitJob"]]
    assert len(ids) == 3
    assert len(set(ids)) == 1 != len(ids[0])


def test_only_unavailable_is_retried(client: Any, service: FakeService) -> None:
    service.faults["SubmitJob"] = [a_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full")]

    with pytest.raises(ResourceExhausted):
        client.submit(a_job())

    assert len(service.requests["SubmitJob"]) == 1


def test_a_given_request_id_is_used_and_named_by_the_error(client: Any, service: FakeService) -> None:
    service.faults["SubmitJob"] = [
        a_status(grpc.StatusCode.ALREADY_EXISTS, "other content", an_info("REQUEST_ID_REUSED"))
    ]

    with pytest.raises(RequestIdReused) as caught:
        client.submit(a_job(), request_id="mine-1")

    assert service.requests["SubmitJob"][0].submission.request_id == caught.value.request_id == "mine-1"


def test_errors_carry_the_details_of_the_service(client: Any, service: FakeService) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(
        field="submission.spec.name", description="too long"
    )
    service.faults["SubmitJob"] = [
        a_status(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "slow down",
            an_info("QUEUE_FULL", queue="research"),
            error_details_pb2.BadRequest(field_violations=[violation]),
            error_details_pb2.RetryInfo(retry_delay=Duration(seconds=20)),
        )
    ]

    with pytest.raises(ResourceExhausted, match="slow down") as caught:
        client.submit(a_job())

    assert caught.value.reason == "QUEUE_FULL"
    assert caught.value.metadata == {"queue": "research"}
    assert [str(field) for field in caught.value.fields] == ["submission.spec.name: too long"]
    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == 20


def refused_for(delay: Duration) -> status_pb2.Status:
    return a_status(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "too much is under way",
        an_info("OVERLOADED", limit="CALLS_IN_FLIGHT"),
        error_details_pb2.RetryInfo(retry_delay=delay),
    )


def test_what_is_refused_for_want_of_room_is_asked_again_after_the_told_delay(
    client: Any, service: FakeService
) -> None:
    service.faults["SubmitJob"] = [refused_for(Duration(nanos=200_000_000))] * 2
    began_s = time.monotonic()

    handle = client.submit(a_job())

    assert handle.job_id
    assert time.monotonic() - began_s >= 0.4
    assert len({request.submission.request_id for request in service.requests["SubmitJob"]}) == 1
    assert len(service.requests["SubmitJob"]) == 3


def test_patience_has_an_end(client: Any, service: FakeService) -> None:
    service.faults["GetJob"] = [refused_for(Duration(nanos=1_000_000))] * 20

    with pytest.raises(ResourceExhausted) as caught:
        client.get_job("job")

    assert caught.value.metadata == {"limit": "CALLS_IN_FLIGHT"}
    assert len(service.requests["GetJob"]) == ATTEMPTS_MAX


def test_operators_calls_reach_the_fleet(client: Any, service: FakeService) -> None:
    spec = PoolSpec(
        accelerator="h100",
        provider="gcp",
        region="us-east5",
        zone="us-east5-a",
        market="reserved",
        price_usd_micros_per_accelerator_hour=2_500_000,
        launcher_id="local",
        node_groups=[NodeGroup(nodes=8, devices_per_node=8)],
    )

    applied = client.apply_pool("gcp-h100", spec)
    cordoned = client.cordon_pool("gcp-h100", "broken switch")
    uncordoned = client.uncordon_pool("gcp-h100")

    assert applied.spec.node_groups == (NodeGroup(nodes=8, devices_per_node=8),)
    assert applied.location == "gcp/us-east5/us-east5-a"
    assert cordoned.cordon is not None
    assert cordoned.cordon.reason == "broken switch"
    assert uncordoned.cordon is None
    assert client.get_pool("gcp-h100") == uncordoned
    cordons = client.cordon_nodes("gcp-h100", ["3", "5"], "a fan is loud").node_cordons
    assert [(each.node, each.cordon.reason) for each in cordons] == [
        ("3", "a fan is loud"),
        ("5", "a fan is loud"),
    ]
    assert [each.node for each in client.uncordon_nodes("gcp-h100", ["3"]).node_cordons] == ["5"]
    assert client.delete_pool("gcp-h100").deleting
    client.submit(Job(name="pinned", accelerators="h100:8", command=["train"]))
    pin = client.pin_replica("main-0000-0", "close to its data", pool="gcp-h100").pin
    assert pin is not None
    assert (pin.pool_id, pin.reason) == ("gcp-h100", "close to its data")
    assert client.unpin_replica("main-0000-0").pin is None
    hold = client.hold_queue("team", "over budget")
    assert hold is not None
    assert {each.queue: each.hold for each in client.queues()} == {
        "research": None,
        "serving": None,
        "team": hold,
    }
    client.release_queue("team")
    assert not any(each.hold for each in client.queues())
    limited = Quota(resource="h100", nominal=64, borrowing_limit=0)
    spec = QueueSpec(cohort="lab", weight_permille=500, quotas=(limited,))
    applied = client.apply_queue("team", spec)
    assert (applied.spec, applied.etag) == (spec, "etag-team")
    assert applied.usage == (QuotaUsage(resource="h100", nominal=64, used=96, borrowed=32, available=6),)
    assert client.get_queue("team") == applied
    client.delete_queue("team", etag=applied.etag)
    assert client.get_queue("team").spec is None
    cohort = client.apply_cohort("lab", CohortSpec(parent="all", quotas=(limited,)))
    assert (cohort.spec.parent, cohort.spec.quotas) == ("all", (limited,))
    assert client.cohorts() == [cohort]
    client.delete_cohort("lab")
    assert client.cohorts() == []
    assert client.force_end_run("main-0000-0-1", "machine is gone").state is RunState.ENDED
    assert all(service.requests[method][0].request_id for method in ("ApplyPool", "CordonPool", "DeletePool"))


def test_a_price_that_waits_is_seen_and_confirmed(client: Any, service: FakeService) -> None:
    pool = pool_pb2.Pool(pool_id="a")
    pool.unconfirmed_jumps.add(
        what=pool_pb2.POOL_JUMP_KIND_PRICE, confirmed=900_000, unconfirmed=0, principal="olga"
    )
    service.pools["a"] = pool

    (jump,) = client.get_pool("a").unconfirmed_jumps
    assert (jump.what, jump.confirmed, jump.unconfirmed) == (PoolJumpKind.PRICE, 900_000, 0)
    assert (str(jump), jump.principal) == ("price $0.90 -> $0.00", "olga")
    assert client.confirm_pool("a", price_usd_micros=0, etag="e").unconfirmed_jumps == ()
    (sent,) = service.requests["ConfirmPool"]
    assert sent.HasField("price_usd_micros_per_accelerator_hour")
    assert not sent.HasField("accelerators")
    assert (sent.etag, bool(sent.request_id)) == ("e", True)


@pytest.mark.parametrize("limit", [None, 0, 64])
def test_a_limit_of_zero_is_not_the_same_as_none(
    client: Any, service: FakeService, limit: int | None
) -> None:
    spec = PoolSpec(
        accelerator="h100", provider="gcp", region="", zone="", market="spot", launcher_id="local",
        price_usd_micros_per_accelerator_hour=0, limit_accelerators=limit,
    )  # fmt: skip

    applied = client.apply_pool("gcp-spot", spec)

    sent = service.requests["ApplyPool"][0].spec
    assert sent.HasField("limit_accelerators") == (limit is not None)
    assert sent.HasField("price_usd_micros_per_accelerator_hour")
    assert applied.spec.limit_accelerators == limit


def test_nodes_that_cannot_be_used_have_names(client: Any, service: FakeService) -> None:
    service.pools["a"] = pool_pb2.Pool(status=pool_pb2.PoolStatus(unavailable_nodes=["3", "rack-7"]))

    assert client.get_pool("a").status.unavailable_nodes == ("3", "rack-7")


def test_pools_gives_every_page(client: Any, service: FakeService) -> None:
    for number in range(5):
        service.pools[f"pool-{number}"] = pool_pb2.Pool(pool_id=f"pool-{number}")

    assert [pool.pool_id for pool in client.pools()] == [f"pool-{number}" for number in range(5)]


def test_health_says_serving(client: Any) -> None:
    assert client.health() is HealthStatus.SERVING


def test_the_token_goes_with_every_call(service: FakeService) -> None:
    with Client(service.address, token="secret") as client:
        client.submit(a_job())

    assert service.metadata["SubmitJob"][0]["authorization"] == "Bearer secret"


def test_nobody_there_is_unavailable() -> None:
    with Client("127.0.0.1:1", timeout_s=5) as client, pytest.raises(Unavailable) as caught:
        client.submit(a_job(), request_id="mine-2")

    assert caught.value.request_id == "mine-2"


def test_a_closed_client_says_so(service: FakeService) -> None:
    client = Client(service.address)
    client.close()

    with pytest.raises(PlacewrightError, match="closed"):
        client.health()


def test_what_if_is_asked_and_told_whole(client: Any, service: FakeService) -> None:
    spec = PoolSpec(
        accelerator="h100",
        provider="gcp",
        region="us-east5",
        zone="",
        market="reserved",
        price_usd_micros_per_accelerator_hour=2_000_000,
        launcher_id="gcp",
        node_groups=[NodeGroup(nodes=1, devices_per_node=8)],
    )
    quota = SupposedQuota(resource="h100", nominal=8, lending_limit=0)

    answer = client.plan_jobs(
        [Job(name="wanted", accelerators="h100:8", command=["train"])],
        pools=[SupposedPool(pool_id="more", spec=spec)],
        removed_pools=["lost"],
        queues=[SupposedQueue(queue="research", quotas=[quota])],
        left_out_jobs=["main-0007"],
        timeout="5s",
    )

    (asked,) = service.requests["PlanJobs"]
    assert [each.spec.name for each in asked.submissions] == ["wanted"]
    assert (asked.pools[0].pool_id, asked.pools[0].spec.accelerator) == ("more", "h100")
    assert (list(asked.removed_pool_ids), list(asked.left_out_job_ids)) == (["lost"], ["main-0007"])
    sent = asked.queues[0].quotas[0]
    assert (asked.queues[0].queue, sent.resource, sent.nominal, sent.lending_limit) == (
        "research",
        "h100",
        8,
        0,
    )
    assert not sent.HasField("borrowing_limit")
    assert (answer.revision, answer.changes_left_out) == (7, 2)
    assert (answer.before.bound_usd_micros_per_hour, answer.before.gap_permille) == (None, None)
    assert (answer.after.bound_usd_micros_per_hour, answer.after.gap_permille) == (84_000_000, 48)
    (job,) = answer.jobs
    assert (job.name, job.replicas[0].index) == ("wanted", 0)
    assert str(job.replicas[0].fate) == "8 h100 in more (reserved) at $16.00/h; no other pool was possible"
    (change,) = answer.changes
    assert change.before.placement.pool_id == "more"
    assert str(change.after) == "waits: needs 8; jobs of more worth took the room (0 left in one pool)"


def test_a_replica_is_explained_by_what_would_let_it_in_or_its_term(
    client: Any, service: FakeService
) -> None:
    waits = client.explain_job("main-0000", timeout=5)
    placed = client.explain_job("main-0000", replica=1).placed

    assert not service.requests["ExplainJob"][0].HasField("replica_index")
    assert (waits.replica_id, waits.revision, waits.placed) == ("main-0000-0", 7, None)
    (pool,) = waits.waiting.pools
    assert (pool.verdict, pool.accelerators_needed, pool.accelerators_free) == ("not_worth_the_price", 8, 4)
    assert pool.cost_usd_micros_per_useful_hour == 12_000_000
    assert [str(change) for change in waits.waiting.changes] == [
        "the quota of cohort all raised by 16 h100",
        "$9.50 per accelerator-hour on pool gcp-h100",
    ]
    assert placed.term_usd_micros_per_hour == 64_000_000
    assert placed.value.term_usd_micros_per_hour == 70_000_000


def test_prices_are_told_whole(client: Any) -> None:
    (prices,) = client.prices()
    assert (prices.pool_id, prices.market, prices.state) == ("gcp-h100", "reserved", "no_launcher")
    assert prices.charged_usd_micros_per_accelerator_hour == 2_500_000
    assert prices.marginal_usd_micros_per_accelerator_hour == 0
    assert prices.shadow_usd_micros_per_accelerator_hour == 7_250_000
    assert prices.accelerators_free == 24
