"""Worth: a placement's part of the objective, in exact micro-dollars per hour."""

from dataclasses import dataclass

from scheduler.model.guidance import Guidance
from scheduler.model.ids import PoolId
from scheduler.model.job import Alternative, JobSpec
from scheduler.model.pool import PoolSpec
from scheduler.model.priority import PriorityClass

WORTH_PER_STEP = 20_000
"""A step of age or of a fair share weighs a twentieth of V: units are thousandths of an accelerator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the work of one replica is worth.

    Attributes:
        worth, urgency: V and U of the priority class, micro-dollars.
        fastest_permille: useful accelerator-hours per hour on the fastest alternative; None for a service
            or an unknown duration, which take the same time everywhere.
    """

    worth: int
    urgency: int
    fastest_permille: int | None


def work_of(spec: JobSpec, priority_class: PriorityClass) -> Work:
    is_finite = spec.training is not None and spec.training.estimated_duration_ms is not None
    return Work(
        worth=priority_class.worth_usd_micros,
        urgency=priority_class.urgency_usd_micros,
        fastest_permille=max(way.gang_speed_permille for way in spec.alternatives) if is_finite else None,
    )


def term_usd_micros_per_hour(work: Work, way: Alternative, *, price: int, shadow_price: int) -> int:
    """What an hour on the fastest alternative is worth if the work is done this way, rounded down.

    For finite work the time on this way over the time on the fastest is a ratio of speeds, so that the
    duration itself drops out. `price` is marginal; both prices are micro-dollars per accelerator-hour.
    """
    speed = way.gang_speed_permille
    if work.fastest_permille is None:
        return (work.worth * speed - 1000 * price * way.accelerators) // 1000
    fastest, slower = work.fastest_permille, work.fastest_permille - speed
    scaled = work.worth * fastest * speed - work.urgency * fastest * slower
    scaled -= 1000 * way.accelerators * (price * fastest + shadow_price * slower)
    return scaled // (1000 * speed)


def charged_usd_micros_per_hour(way: Alternative, pool: PoolSpec) -> int:
    return way.accelerators * pool.price_usd_micros_per_accelerator_hour


def cost_usd_micros_per_useful_hour(way: Alternative, pool: PoolSpec) -> int:
    """The marginal price of an hour's work of one reference accelerator, rounded down."""
    return 1000 * pool.marginal_usd_micros_per_accelerator_hour // way.speed_permille


def shadow_prices_of(guidance: Guidance) -> dict[PoolId, int]:
    return dict(guidance.shadow_prices)
