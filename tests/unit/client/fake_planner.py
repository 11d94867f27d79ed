"""What the fake service answers about plans."""

from abc import ABC, abstractmethod
from typing import Any

from placewright.v1 import explanation_pb2, job_pb2, planner_service_pb2, planner_service_pb2_grpc


class FakePlanner(planner_service_pb2_grpc.PlannerServiceServicer, ABC):
    """A part of `FakeService`."""

    @abstractmethod
    def _came(self, method: str, request: Any, context: Any) -> None:
        """Note the request, and fail it if that was asked for."""

    def GetPrices(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("GetPrices", request, context)
        prices = planner_service_pb2.PoolPrices(
            pool_id="gcp-h100",
            accelerator="h100",
            market=job_pb2.MARKET_RESERVED,
            charged_usd_micros_per_accelerator_hour=2_500_000,
            shadow_usd_micros_per_accelerator_hour=7_250_000,
            accelerators_free=24,
            state=planner_service_pb2.POOL_STATE_NO_LAUNCHER,
        )
        return planner_service_pb2.GetPricesResponse(pools=[prices], guidance_revision=7)

    def ExplainJob(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        """Replica 1 has a place, the others wait."""
        self._came("ExplainJob", request, context)
        answer = explanation_pb2.ExplainJobResponse(
            replica_id=f"{request.job_id}-{request.replica_index}", revision=7
        )
        if request.replica_index == 1:
            assignment = job_pb2.PoolAssignment(pool_id="gcp-h100", accelerator="h100", accelerators=8)
            answer.placed.placement.assignments.append(assignment)
            answer.placed.value.term_usd_micros_per_hour = 70_000_000
            answer.placed.work_usd_micros_per_hour = 80_000_000
            answer.placed.price_usd_micros_per_hour = -16_000_000
            return answer
        answer.waiting.deferral.reason = job_pb2.DEFERRAL_REASON_NO_CAPACITY
        answer.waiting.worth_usd_micros_per_useful_hour = 10_000_000
        answer.waiting.pools.add(
            pool_id="gcp-h100",
            verdict=job_pb2.POOL_VERDICT_NOT_WORTH_THE_PRICE,
            accelerators_needed=8,
            accelerators_free=4,
            cost_usd_micros_per_useful_hour=12_000_000,
        )
        answer.waiting.changes.add(
            kind=explanation_pb2.CHANGE_KIND_RAISE_QUOTA, cohort="all", resource="h100", amount=16
        )
        answer.waiting.changes.add(
            kind=explanation_pb2.CHANGE_KIND_LOWER_PRICE, pool_id="gcp-h100", amount=9_500_000
        )
        answer.waiting.changes_tried = 3
        return answer

    def PlanJobs(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        """The first pool supposed, or gcp-h100, takes every job; main-0000-0 no longer has a place."""
        self._came("PlanJobs", request, context)
        pool_id = request.pools[0].pool_id if request.pools else "gcp-h100"
        assignment = job_pb2.PoolAssignment(
            pool_id=pool_id,
            accelerator="h100",
            accelerators=8,
            market=job_pb2.MARKET_RESERVED,
            charged_usd_micros_per_hour=16_000_000,
        )
        placed = planner_service_pb2.Fate(
            placement=job_pb2.Placement(assignments=[assignment]),
            value=job_pb2.PlacementValue(term_usd_micros_per_hour=80_000_000),
        )
        waits = planner_service_pb2.Fate(
            deferral=job_pb2.Deferral(
                reason=job_pb2.DEFERRAL_REASON_OUTBID, accelerators_needed=8, accelerators_free_max=0
            )
        )
        replicas = [planner_service_pb2.PlannedReplica(index=0, fate=placed)]
        return planner_service_pb2.PlanJobsResponse(
            revision=7,
            before=planner_service_pb2.PlanFigures(objective_usd_micros_per_hour=5_000_000, placed=1),
            after=planner_service_pb2.PlanFigures(
                objective_usd_micros_per_hour=80_000_000,
                bound_usd_micros_per_hour=84_000_000,
                gap_permille=48,
                charged_usd_micros_per_hour=16_000_000,
                paid_usd_micros_per_hour=48_000_000,
                placed=1,
                waiting=1,
            ),
            jobs=[
                planner_service_pb2.PlannedJob(name=each.spec.name, replicas=replicas)
                for each in request.submissions
            ],
            changes=[
                planner_service_pb2.ChangedReplica(
                    replica_id="main-0000-0", job_id="main-0000", before=placed, after=waits
                )
            ],
            changes_left_out=2,
        )
