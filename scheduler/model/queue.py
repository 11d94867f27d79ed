"""Queues and cohorts: whose jobs share which quotas, and who lends to whom."""

from dataclasses import dataclass
from typing import NewType

from scheduler.model.ids import QueueName

CohortName = NewType("CohortName", str)
Resource = NewType("Resource", str)

COST = Resource("usd_millis_per_hour")
"""What placements cost at their pools' charged prices: the unit in which unlike accelerators compare."""

WEIGHT_PERMILLE_DEFAULT = 1_000


def cost_units(charged_usd_micros_per_hour: int) -> int:
    """A charge in units of `COST`, rounded up."""
    return -(-charged_usd_micros_per_hour // 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much of a resource its holder may use; docs/decisions/quotas.md.

    Attributes:
        resource: an accelerator model, in accelerators; or `COST`.
        nominal: its own.
        borrowing_limit: of what others in the cohort leave unused; None: all of it.
        lending_limit: of what it leaves unused itself; None: all of it.
    """

    resource: Resource
    nominal: int
    borrowing_limit: int | None = None
    lending_limit: int | None = None

    def __post_init__(self) -> None:
        assert self.nominal >= 0, self
        assert (self.borrowing_limit or 0) >= 0, self
        assert (self.lending_limit or 0) >= 0, self


def _are_of_different_resources(quotas: tuple[Quota, ...]) -> bool:
    return len({quota.resource for quota in quotas}) == len(quotas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A team's line of jobs. A queue without this record has no quotas and the default weight.

    Attributes:
        cohort: whose unused quotas it may borrow, and who may borrow its own.
        weight_permille: its part in a fair share, relative to the other queues'.
        quotas: by resource; of a resource that neither it nor its cohort names it may use any amount.
    """

    name: QueueName
    cohort: CohortName | None = None
    weight_permille: int = WEIGHT_PERMILLE_DEFAULT
    quotas: tuple[Quota, ...] = ()

    def __post_init__(self) -> None:
        assert self.weight_permille >= 1, self
        assert _are_of_different_resources(self.quotas), self


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Queues, and other cohorts, that lend each other unused quota.

    Attributes:
        parent: None for the root of a tree.
        quotas: of its own, for all its members; by resource.
    """

    name: CohortName
    parent: CohortName | None = None
    quotas: tuple[Quota, ...] = ()

    def __post_init__(self) -> None:
        assert self.parent != self.name, self
        assert _are_of_different_resources(self.quotas), self
