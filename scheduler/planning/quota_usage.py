"""How far quotas are used: what people see of each queue and cohort."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from scheduler.model.ids import QueueName
from scheduler.model.plan import Usage
from scheduler.model.queue import Cohort, CohortName, Queue, Resource
from scheduler.planning.quotas import NO_PARENT, Forest, Quotas, quotas_of, uses_of


class QuotaUse(NamedTuple):
    """How far a holder's quota of a resource is used; in units of the resource.

    Attributes:
        nominal: of a cohort, with those of all its members.
        used: by live runs; of a cohort, of all its queues.
        borrowed: what it has from its cohort beyond its own.
        available: how much more may be used now; of a cohort, what a member may have of it.
    """

    resource: Resource
    nominal: int
    used: int
    borrowed: int
    available: int


class QuotaUses(NamedTuple):
    """By resource, of all holders in whose tree the resource has a quota."""

    queues: Mapping[QueueName, tuple[QuotaUse, ...]]
    cohorts: Mapping[CohortName, tuple[QuotaUse, ...]]


def quota_uses_of(queues: Sequence[Queue], cohorts: Sequence[Cohort], usage: Iterable[Usage]) -> QuotaUses:
    forest = Forest({queue.name: queue for queue in queues}, {cohort.name: cohort for cohort in cohorts})
    usage = tuple(usage)
    quotas = quotas_of(queues, cohorts, usage)
    by_queue: dict[QueueName, tuple[QuotaUse, ...]] = {}
    by_cohort: dict[CohortName, tuple[QuotaUse, ...]] = {}
    for name, use in zip(quotas.names, _uses(forest, quotas, usage), strict=True):
        if name.queue is not None:
            by_queue[name.queue] = (*by_queue.get(name.queue, ()), use)
        elif name.cohort is not None:
            by_cohort[name.cohort] = (*by_cohort.get(name.cohort, ()), use)
    return QuotaUses(by_queue, by_cohort)


def _uses(forest: Forest, quotas: Quotas, usage: Iterable[Usage]) -> list[QuotaUse]:
    """By node. What flows into a node is what its members use beyond what they keep to themselves."""
    parents, available = quotas.trees.parents.tolist(), quotas.trees.available().tolist()
    nominal = [forest.nominal(name) for name in quotas.names]
    used = _used(quotas, usage)
    flowing, borrowed = list(used), [0] * len(parents)
    for node in reversed(range(len(parents))):
        name, parent = quotas.names[node], parents[node]
        if parent != NO_PARENT:
            borrowed[node] = max(0, flowing[node] - forest.subtree(name))
            flowing[parent] += max(0, flowing[node] - forest.local(name))
            nominal[parent] += nominal[node]
            used[parent] += used[node]
    return [
        QuotaUse(name.resource, nominal[node], used[node], borrowed[node], available[node])
        for node, name in enumerate(quotas.names)
    ]


def _used(quotas: Quotas, usage: Iterable[Usage]) -> list[int]:
    used = [0] * len(quotas.names)
    for each in usage:
        for node, amount in uses_of(quotas, each):
            used[node] += amount
    return used
