"""A request that each RPC accepts, for the fuzz tests to alter."""

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from placewright.v1 import (
    explanation_pb2,
    fleet_service_pb2,
    job_pb2,
    job_service_pb2,
    launcher_service_pb2,
    planner_service_pb2,
    pool_pb2,
    queue_pb2,
    queue_service_pb2,
)
from scheduler.model.run import Run
from tests.unit.api.conftest import a_submission

PENDING_PRICE = 900_000_000  # of the pool "pool"
DAY = Duration(seconds=86_400)
SPEC = pool_pb2.PoolSpec(
    accelerator="h100",
    provider="aws",
    region="us-east-1",
    market=job_pb2.MARKET_SPOT,
    node_groups=[pool_pb2.NodeGroup(nodes=1, devices_per_node=8)],
    limit_accelerators=8,
    price_usd_micros_per_accelerator_hour=1_000_000,
    launcher_id="launcher",
    lease_duration=Duration(seconds=60),
)
QUOTA = queue_pb2.Quota(resource="h100", nominal=8, borrowing_limit=8, lending_limit=4)
SUBMISSION = a_submission(
    max_duration=DAY,
    grace_period=DAY,
    min_runtime=DAY,
    preemptible=False,
    training=job_pb2.Training(estimated_duration=DAY),
    constraints=job_pb2.Constraints(
        allowed_pools=["pool"], allowed_locations=[job_pb2.Location(provider="aws")]
    ),
)


def good_requests(run: Run, session: str) -> Mapping[str, Message]:
    """By the name of the RPC; the run is claimed in the session of the launcher."""
    by_id = {"pool_id": "pool", "request_id": "r4"}
    by_session = {"launcher_id": "launcher", "session": session}
    return {
        "SubmitJob": job_service_pb2.SubmitJobRequest(submission=SUBMISSION),
        "SubmitJobs": job_service_pb2.SubmitJobsRequest(submissions=[SUBMISSION]),
        "GetJob": job_service_pb2.GetJobRequest(job_id=run.job_id),
        "ListJobs": job_service_pb2.ListJobsRequest(filter=job_service_pb2.JobFilter(name="name")),
        "CancelJob": job_service_pb2.CancelJobRequest(job_id=run.job_id, request_id="r5"),
        "HoldJob": job_service_pb2.HoldJobRequest(job_id=run.job_id, reason="because", request_id="r8"),
        "ReleaseJob": job_service_pb2.ReleaseJobRequest(job_id=run.job_id, request_id="r9"),
        "WatchJobs": job_service_pb2.WatchJobsRequest(filter=job_service_pb2.JobFilter(name="name")),
        "ApplyPool": fleet_service_pb2.ApplyPoolRequest(**by_id, spec=SPEC, confirm_jumps=True),
        "ConfirmPool": fleet_service_pb2.ConfirmPoolRequest(
            **by_id, price_usd_micros_per_accelerator_hour=PENDING_PRICE
        ),
        "GetPool": fleet_service_pb2.GetPoolRequest(pool_id="pool"),
        "ListPools": fleet_service_pb2.ListPoolsRequest(),
        "CordonPool": fleet_service_pb2.CordonPoolRequest(**by_id, reason="because"),
        "UncordonPool": fleet_service_pb2.UncordonPoolRequest(**by_id),
        "PinReplica": fleet_service_pb2.PinReplicaRequest(
            replica_id=run.replica_id, pool_id="pool", reason="because", request_id="r14"
        ),
        "UnpinReplica": fleet_service_pb2.UnpinReplicaRequest(replica_id=run.replica_id, request_id="r15"),
        "CordonNodes": fleet_service_pb2.CordonNodesRequest(
            pool_id="pool", node_names=["0"], reason="because", request_id="r12"
        ),
        "UncordonNodes": fleet_service_pb2.UncordonNodesRequest(
            pool_id="pool", node_names=["0"], request_id="r13"
        ),
        "DeletePool": fleet_service_pb2.DeletePoolRequest(pool_id="another", request_id="r6"),
        "ForceEndRun": fleet_service_pb2.ForceEndRunRequest(
            run_id="a-0-1", reason="because", request_id="r7"
        ),
        "FreezePlanning": fleet_service_pb2.FreezePlanningRequest(
            scope=job_pb2.FreezeScope(queue="queue"), reason="because", request_id="r10"
        ),
        "UnfreezePlanning": fleet_service_pb2.UnfreezePlanningRequest(
            scope=job_pb2.FreezeScope(queue="queue"), request_id="r11"
        ),
        "ListFreezes": fleet_service_pb2.ListFreezesRequest(),
        "ApplyQueue": queue_service_pb2.ApplyQueueRequest(
            queue="queue", spec=queue_pb2.QueueSpec(weight_permille=500, quotas=[QUOTA]), request_id="r18"
        ),
        "GetQueue": queue_service_pb2.GetQueueRequest(queue="research"),
        "DeleteQueue": queue_service_pb2.DeleteQueueRequest(queue="queue", request_id="r19"),
        "ApplyCohort": queue_service_pb2.ApplyCohortRequest(
            cohort="cohort", spec=queue_pb2.CohortSpec(quotas=[QUOTA]), request_id="r20"
        ),
        "ListCohorts": queue_service_pb2.ListCohortsRequest(),
        "DeleteCohort": queue_service_pb2.DeleteCohortRequest(cohort="cohort", request_id="r21"),
        "ListQueues": queue_service_pb2.ListQueuesRequest(),
        "HoldQueue": queue_service_pb2.HoldQueueRequest(queue="queue", reason="because", request_id="r16"),
        "ReleaseQueue": queue_service_pb2.ReleaseQueueRequest(queue="queue", request_id="r17"),
        **_questions(run),
        "ClaimRun": launcher_service_pb2.ClaimRunRequest(**by_session, run_id=run.id),
        "RenewRuns": launcher_service_pb2.RenewRunsRequest(**by_session),
        "ReportRuns": launcher_service_pb2.ReportRunsRequest(**by_session, reports=[_report(run)]),
    }


def _questions(run: Run) -> Mapping[str, Message]:
    return {
        "ExplainJob": explanation_pb2.ExplainJobRequest(job_id=run.job_id),
        "GetPrices": planner_service_pb2.GetPricesRequest(),
        "PlanJobs": _hypotheses(run),
    }


def _hypotheses(run: Run) -> planner_service_pb2.PlanJobsRequest:
    """One hypothesis of each sort."""
    return planner_service_pb2.PlanJobsRequest(
        submissions=[SUBMISSION],
        pools=[planner_service_pb2.SupposedPool(pool_id="more", spec=SPEC)],
        removed_pool_ids=["pool"],
        queues=[
            planner_service_pb2.SupposedQueue(
                queue="queue", quotas=[planner_service_pb2.SupposedQuota(resource="h100", nominal=8)]
            )
        ],
        left_out_job_ids=[run.job_id],
    )


def _report(run: Run) -> launcher_service_pb2.RunReport:
    """That the run runs, with the facts from which it could be adopted."""
    group = job_pb2.TaskGroupPlacement(
        tasks=1, devices_per_task=8, nodes=[job_pb2.NodeShare(node="0", tasks=1)]
    )
    assignment = job_pb2.PoolAssignment(pool_id="pool", accelerator="h100", task_groups=[group])
    facts = launcher_service_pb2.RunFacts(
        job_id=run.job_id,
        run_number=1,
        placement=job_pb2.Placement(assignments=[assignment]),
        grace_period=DAY,
        claimed_at=Timestamp(seconds=1),
    )
    return launcher_service_pb2.RunReport(
        run_id=run.id, run_token=run.run_token, state=job_pb2.RUN_STATE_RUNNING, facts=facts
    )
