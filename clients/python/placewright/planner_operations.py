"""What is asked about plans, as generators of effects like `operations`."""

from __future__ import annotations

from collections.abc import Sequence

from placewright.decode import word
from placewright.effects import Operation
from placewright.explanation_messages import explanation_view
from placewright.explanations import Explanation
from placewright.job import Job
from placewright.operations import JOB_SERVICE
from placewright.operator_operations import OperatorOperations
from placewright.patience import call_with_patience
from placewright.plan_messages import pool_message, queue_message, submission_messages, what_if_view
from placewright.plans import SupposedPool, SupposedQueue, WhatIf
from placewright.prices import PoolPrices
from placewright.v1 import explanation_pb2, job_pb2
from placewright.v1 import planner_service_pb2 as planner
from placewright.words import Market, PoolState

PLANNER_SERVICE = "/placewright.v1.PlannerService/"
PLAN_TIMEOUT_S_DEFAULT = 60.0


class PlannerOperations(OperatorOperations):
    """All operations."""

    def prices(self) -> Operation[list[PoolPrices]]:
        with self._reading() as min_revision:
            request = planner.GetPricesRequest(min_revision=min_revision)
            answer = yield from self._call(f"{PLANNER_SERVICE}GetPrices", request, planner.GetPricesResponse)
        return [prices_view(each) for each in answer.pools]

    def plan_jobs(self, supposed: planner.PlanJobsRequest, *, timeout_s: float | None) -> Operation[WhatIf]:
        with self._reading() as min_revision:
            supposed.min_revision = min_revision
            answer = yield from call_with_patience(
                f"{PLANNER_SERVICE}PlanJobs",
                supposed,
                planner.PlanJobsResponse,
                timeout_s=timeout_s or PLAN_TIMEOUT_S_DEFAULT,
            )
        return what_if_view(answer)

    def explain_job(
        self, job_id: str, *, replica: int | None, timeout_s: float | None
    ) -> Operation[Explanation]:
        with self._reading() as min_revision:
            answer = yield from call_with_patience(
                f"{JOB_SERVICE}ExplainJob",
                explanation_pb2.ExplainJobRequest(
                    job_id=job_id, replica_index=replica, min_revision=min_revision
                ),
                explanation_pb2.ExplainJobResponse,
                timeout_s=timeout_s or PLAN_TIMEOUT_S_DEFAULT,
            )
        return explanation_view(answer)


def plan_request(
    jobs: Sequence[Job],
    *,
    pools: Sequence[SupposedPool],
    removed_pools: Sequence[str],
    queues: Sequence[SupposedQueue],
    left_out_jobs: Sequence[str],
) -> planner.PlanJobsRequest:
    """The question as it is sent.

    Raises:
        InvalidRequest: every fault of a pool.
    """
    return planner.PlanJobsRequest(
        submissions=submission_messages(jobs),
        pools=[pool_message(pool) for pool in pools],
        removed_pool_ids=removed_pools,
        queues=[queue_message(queue) for queue in queues],
        left_out_job_ids=left_out_jobs,
    )


def prices_view(prices: planner.PoolPrices) -> PoolPrices:
    return PoolPrices(
        pool_id=prices.pool_id,
        accelerator=prices.accelerator,
        market=word(job_pb2.Market, prices.market, Market),
        charged_usd_micros_per_accelerator_hour=prices.charged_usd_micros_per_accelerator_hour,
        marginal_usd_micros_per_accelerator_hour=prices.marginal_usd_micros_per_accelerator_hour,
        shadow_usd_micros_per_accelerator_hour=prices.shadow_usd_micros_per_accelerator_hour,
        accelerators_free=prices.accelerators_free,
        state=word(planner.PoolState, prices.state, PoolState),
    )
