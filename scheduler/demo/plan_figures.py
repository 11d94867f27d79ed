"""The plan's numbers, read where an operator reads them: from /metrics."""

import math
import urllib.request
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFigures:
    """The newest plan, in dollars per hour of useful work less cost."""

    objective: float
    bound: float
    floor: float
    gap: float


def read_plan(metrics_url: str) -> PlanFigures | None:
    """The newest plan that the service made; None before the first."""
    request = urllib.request.Request(metrics_url, headers={"Accept": "text/plain"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        text = response.read().decode()
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }
    if math.isnan(found.get("placewright_plan_gap_ratio", math.nan)):
        return None
    return PlanFigures(
        objective=found["placewright_plan_objective_usd_per_hour"],
        bound=found["placewright_plan_bound_usd_per_hour"],
        floor=found["placewright_plan_floor_usd_per_hour"],
        gap=found["placewright_plan_gap_ratio"],
    )
