"""The disruption budget: how many runs plans may stop for others."""

from dataclasses import dataclass

WINDOW_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DisruptionBudget:
    """How many runs may be preempted by one plan, and within an hour.

    Attributes:
        preemptions_per_hour_max: of one replica; at most `replica.PREEMPTIONS_KEPT`.
    """

    fleet_stops_per_cycle_max: int = 200
    pool_stops_per_cycle_max: int = 100
    queue_stops_per_cycle_max: int = 100
    fleet_stops_per_hour_max: int = 1_000
    pool_stops_per_hour_max: int = 500
    queue_stops_per_hour_max: int = 500
    preemptions_per_hour_max: int = 3


DISRUPTION_DEFAULT = DisruptionBudget()
