"""Eligibility: whether a job's constraints allow a pool."""

from scheduler.model.job import Constraints
from scheduler.model.pool import Pool


def is_allowed(constraints: Constraints, pool: Pool) -> bool:
    """Whether every constraint allows the pool; an empty one allows all, a denial beats a permission."""
    spec = pool.spec
    place = (spec.provider, spec.region, spec.zone)
    return (
        (not constraints.allowed_pools or pool.id in constraints.allowed_pools)
        and pool.id not in constraints.denied_pools
        and (not constraints.markets or spec.market in constraints.markets)
        and (not constraints.residency or spec.jurisdiction in constraints.residency)
        and (
            not constraints.allowed_locations
            or any(location.contains(*place) for location in constraints.allowed_locations)
        )
        and not any(location.contains(*place) for location in constraints.denied_locations)
    )
