"""Queues, cohorts and quotas as drawn for a world, and drawn anew when its operator changes them."""

from dataclasses import replace
from random import Random

from scheduler.model.ids import QueueName
from scheduler.model.queue import COST, Cohort, CohortName, Queue, Quota, Resource

QUEUES = (QueueName("research"), QueueName("serving"), QueueName("evaluation"))
COHORTS = (CohortName("lab"), CohortName("team"))
ACCELERATORS = (Resource("h100"), Resource("a100"), Resource("tpu"))
UNITS_MAX = {COST: 60_000, **dict.fromkeys(ACCELERATORS, 24)}

Holder = Queue | Cohort


def holders_of(draw: Random) -> tuple[Holder, ...]:
    """A cohort in a cohort, and queues of which some have no record; or, as often, none at all."""
    if draw.random() < 0.5:
        return ()
    cohorts = (Cohort(name=COHORTS[0]), Cohort(name=COHORTS[1], parent=COHORTS[0]))
    queues = tuple(Queue(name=name) for name in QUEUES if draw.random() < 0.8)
    holders: list[Holder] = [*cohorts, *queues]
    return tuple(redrawn(holder, draw) for holder in holders)


def redrawn(holder: Holder, draw: Random) -> Holder:
    """The holder with other quotas, and perhaps elsewhere; lab stays above team."""
    quotas = tuple(_quota(resource, draw) for resource in sorted(UNITS_MAX) if draw.random() < 0.4)
    if isinstance(holder, Cohort):
        return replace(holder, quotas=quotas)
    cohort = draw.choice((None, *COHORTS))
    return replace(holder, cohort=cohort, weight_permille=draw.choice((1, 500, 1_000, 3_000)), quotas=quotas)


def _quota(resource: Resource, draw: Random) -> Quota:
    def units() -> int:
        return draw.randint(0, UNITS_MAX[resource])

    return Quota(
        resource=resource,
        nominal=units(),
        borrowing_limit=draw.choice((None, 0, units())),
        lending_limit=draw.choice((None, 0, units())),
    )
