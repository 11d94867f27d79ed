"""What is asked about plans, as generators of effects like `operations`."""

from __future__ import annotations

from placewright.decode import word
from placewright.effects import Operation
from placewright.operator_operations import OperatorOperations
from placewright.prices import PoolPrices
from placewright.v1 import job_pb2
from placewright.v1 import planner_service_pb2 as planner
from placewright.words import Market, PoolState

PLANNER_SERVICE = "/placewright.v1.PlannerService/"


class PlannerOperations(OperatorOperations):
    """All operations."""

    def prices(self) -> Operation[list[PoolPrices]]:
        with self._reading() as min_revision:
            request = planner.GetPricesRequest(min_revision=min_revision)
            answer = yield from self._call(f"{PLANNER_SERVICE}GetPrices", request, planner.GetPricesResponse)
        return [prices_view(each) for each in answer.pools]


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
