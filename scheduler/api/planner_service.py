"""PlannerService: decode, call, encode."""

from placewright.v1 import planner_service_pb2 as wire
from placewright.v1 import planner_service_pb2_grpc
from scheduler.api import enums
from scheduler.api.checks import checking
from scheduler.api.decode_job import Vocabulary
from scheduler.api.decode_whatif import Questions
from scheduler.api.encode_whatif import encode_what_if
from scheduler.api.interceptor import Context, within_ms
from scheduler.api.submissions import Submissions
from scheduler.service.parts import Parts
from scheduler.service.prices import PoolPrices, PoolState, prices
from scheduler.service.whatif import WhatIfs

POOL_STATES = enums.Names(PoolState, wire.PoolState, "POOL_STATE")


class PlannerServicer(planner_service_pb2_grpc.PlannerServiceServicer):
    """The wire's side of `service.prices` and `service.whatif`."""

    def __init__(self, parts: Parts, what_ifs: WhatIfs, vocabulary: Vocabulary) -> None:
        self._parts, self._what_ifs = parts, what_ifs
        self._questions = Questions(Submissions(vocabulary), vocabulary.catalogue)

    async def GetPrices(self, request: wire.GetPricesRequest, context: Context) -> wire.GetPricesResponse:
        with checking() as checks:
            min_revision = checks.revision(request.min_revision)
        found = await prices(self._parts, min_revision=min_revision)
        return wire.GetPricesResponse(
            pools=[encode_prices(each) for each in found.pools], guidance_revision=found.guidance_revision
        )

    async def PlanJobs(self, request: wire.PlanJobsRequest, context: Context) -> wire.PlanJobsResponse:
        with checking() as checks:
            min_revision = checks.revision(request.min_revision)
            hypotheses = self._questions.decode(request, checks)
        answer = await self._what_ifs.ask(
            hypotheses,
            min_revision=min_revision,
            within_ms=within_ms(context),
        )
        return encode_what_if(answer, hypotheses.jobs)


def encode_prices(found: PoolPrices) -> wire.PoolPrices:
    return wire.PoolPrices(
        pool_id=found.pool_id,
        accelerator=found.accelerator,
        market=enums.MARKETS.to_wire(found.market),  # type: ignore[arg-type]  # an int is an enum value
        charged_usd_micros_per_accelerator_hour=found.charged_usd_micros,
        marginal_usd_micros_per_accelerator_hour=found.marginal_usd_micros,
        shadow_usd_micros_per_accelerator_hour=found.shadow_usd_micros,
        accelerators_free=found.free,
        state=POOL_STATES.to_wire(found.state),  # type: ignore[arg-type]  # an int is an enum value
    )
