"""Quotas in numbers: trees of queues and cohorts, where what does not fit in a node flows over to its parent.

A node takes up to `local` itself and passes up to `overflow` on; docs/decisions/quotas.md has the rule. A
toll on what is passed on makes a share dearer step by step; docs/decisions/fair-share.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scheduler.model.ids import QueueName
from scheduler.model.plan import Usage
from scheduler.model.queue import COST, Cohort, CohortName, Queue, Quota, Resource, cost_units
from scheduler.model.run import Placement

Integers = npt.NDArray[np.int64]

NO_PARENT = -1
NO_END = 2**50
"""An overflow without a limit; larger than any use, and exact where such numbers are added up."""


class NodeName(NamedTuple):
    """A queue, or else a cohort, and the resource that the node is about."""

    resource: Resource
    cohort: CohortName | None
    queue: QueueName | None


class QuotaTrees(NamedTuple):
    """What may still be used; int64 arrays by node, parents before their children.

    Attributes:
        parents: (nodes,) NO_PARENT for roots.
        local: (nodes,) what the node still takes itself.
        overflow: (nodes,) what it may still pass on to its parent.
        tolls: (nodes,) micro-dollars per hour for each unit that it passes on; 0 for quotas.
    """

    parents: Integers
    local: Integers
    overflow: Integers
    tolls: Integers

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self.parents)

    def available(self) -> Integers:
        """(nodes,) how much more may be used at each node."""
        found = self.local.copy()
        for node, parent in enumerate(self.parents.tolist()):
            if parent != NO_PARENT:
                found[node] += min(self.overflow[node], found[parent])
        return found

    def after(self, used: Sequence[int] | Integers) -> "QuotaTrees":
        """What is left once so much more is used at each node; less than nothing is nothing."""
        return Ledger(self, used).trees()

    def toll_to(self, after: "QuotaTrees") -> int:
        """Micro-dollars per hour for all that was passed on from here to there."""
        tolled = np.flatnonzero(self.tolls)
        passed = (self.overflow - after.overflow)[tolled].tolist()
        return sum(t * units for t, units in zip(self.tolls[tolled].tolist(), passed, strict=True))

    def binding(self, node: int) -> int:
        """The node whose limit is met first when more is used at this one: itself or one above it."""
        available = self.available()
        parent = int(self.parents[node])
        while parent != NO_PARENT and available[parent] < self.overflow[node]:
            node, parent = parent, int(self.parents[parent])
        return node


NO_QUOTAS = QuotaTrees(*(np.empty(0, np.int64) for _ in QuotaTrees._fields))


def joined(trees: Sequence[QuotaTrees]) -> QuotaTrees:
    """All of them as one; the nodes of the first come first."""
    trees = [NO_QUOTAS, *trees]
    starts = np.cumsum([0, *(each.nodes for each in trees)])
    shifted = [
        np.where(each.parents == NO_PARENT, NO_PARENT, each.parents + start)
        for each, start in zip(trees, starts.tolist(), strict=False)
    ]
    return QuotaTrees(
        np.concatenate(shifted),
        np.concatenate([each.local for each in trees]),
        np.concatenate([each.overflow for each in trees]),
        np.concatenate([each.tolls for each in trees]),
    )


Uses = tuple[tuple[int, int], ...]
"""Nodes and amounts."""


class Quotas(NamedTuple):
    """The trees with what runs taken off, and which nodes a placement uses.

    Attributes:
        names: by node.
        limits: by node, the most that could be used there if nothing ran.
        whole: the trees as if nothing ran.
        used: by node, what runs uses there itself.
    """

    trees: QuotaTrees
    names: tuple[NodeName, ...]
    limits: tuple[int, ...]
    leaves: Mapping[tuple[QueueName, Resource], int]
    whole: QuotaTrees
    used: tuple[int, ...]

    def uses(self, queue: QueueName, accelerator: str, *, accelerators: int, charged: int) -> Uses:
        """Nodes and amounts that a placement uses; `charged` in micro-dollars per hour."""
        return self._at_leaves(queue, {Resource(accelerator): accelerators, COST: cost_units(charged)})

    def given_back(self, queue: QueueName, placement: Placement) -> Uses:
        """Nodes and amounts that a run of the queue gives back."""
        return self._at_leaves(queue, given_back_by(placement))

    def _at_leaves(self, queue: QueueName, amounts: Mapping[Resource, int]) -> Uses:
        if not self.leaves:
            return ()
        found = ((self.leaves.get((queue, resource)), amount) for resource, amount in amounts.items())
        return tuple((node, amount) for node, amount in found if node is not None and amount)


class Ledger:
    """Trees of which units are taken, and given back: exact also where more is used than may be."""

    def __init__(self, whole: QuotaTrees, used: Sequence[int] | Integers = ()) -> None:
        """`used`: by node, what is used there itself."""
        self._whole = whole
        self._parents: list[int] = whole.parents.tolist()
        self._local: list[int] = whole.local.tolist()
        self._overflow: list[int] = whole.overflow.tolist()
        self._tolls: list[int] = whole.tolls.tolist()
        self._flow = [0] * whole.nodes
        for node, amount in enumerate(used):
            self._change(node, int(amount))

    def take(self, uses: Uses) -> None:
        for node, amount in uses:
            self._change(node, amount)

    def give_back(self, uses: Uses) -> None:
        for node, amount in uses:
            self._change(node, -amount)

    def _change(self, node: int, amount: int) -> None:
        while amount and node != NO_PARENT:
            passed = self._passed(node)
            self._flow[node] += amount
            node, amount = self._parents[node], self._passed(node) - passed

    def _passed(self, node: int) -> int:
        """What does not fit in the node."""
        return max(0, self._flow[node] - self._local[node])

    def _left(self, node: int) -> int:
        """What the node still takes itself."""
        return max(0, self._local[node] - self._flow[node])

    def holds(self, uses: Uses) -> bool:
        """Whether so much may be used beside what is; of each tree at one node."""
        return all(amount <= self.available(node) for node, amount in uses)

    def available(self, node: int) -> int:
        """How much more may be used at the node."""
        left, parent = self._left(node), self._parents[node]
        if parent == NO_PARENT:
            return left
        return left + min(max(0, self._overflow[node] - self._passed(node)), self.available(parent))

    def is_tolled(self, node: int) -> bool:
        """Whether what the node passes on costs something."""
        return self._tolls[node] > 0

    def toll(self, uses: Uses) -> int:
        """Micro-dollars per hour for so much more."""
        toll = 0
        for leaf, amount in uses:
            node, units = leaf, amount
            while units > self._left(node) and self._parents[node] != NO_PARENT:
                units -= self._left(node)
                toll += units * self._tolls[node]
                node = self._parents[node]
        return toll

    def trees(self) -> QuotaTrees:
        """What is left."""
        nodes = range(self._whole.nodes)
        overflow = [max(0, self._overflow[node] - self._passed(node)) for node in nodes]
        overflow = [0 if self._parents[node] == NO_PARENT else overflow[node] for node in nodes]
        return self._whole._replace(
            local=np.array([self._left(node) for node in nodes], np.int64),
            overflow=np.array(overflow, np.int64),
        )


def quotas_of(queues: Iterable[Queue], cohorts: Iterable[Cohort], usage: Iterable[Usage]) -> Quotas:
    """What live runs leave of every quota."""
    forest = Forest({queue.name: queue for queue in queues}, {cohort.name: cohort for cohort in cohorts})
    names = tuple(name for resource in forest.resources() for name in forest.nodes(resource))
    index: dict[NodeName | None, int] = {name: number for number, name in enumerate(names)}
    trees = QuotaTrees(
        parents=np.array([index.get(forest.parent(name), NO_PARENT) for name in names], dtype=np.int64),
        local=np.array([forest.local(name) for name in names], dtype=np.int64),
        overflow=np.array([forest.overflow(name) for name in names], dtype=np.int64),
        tolls=np.zeros(len(names), dtype=np.int64),
    )
    leaves = {(name.queue, name.resource): index[name] for name in names if name.queue is not None}
    quotas = Quotas(trees, names, tuple(trees.available().tolist()), leaves, trees, ())
    used = [0] * len(names)
    for each in usage:
        for node, amount in uses_of(quotas, each):
            used[node] += amount
    return quotas._replace(trees=trees.after(used), used=tuple(used))


def given_back_by(placement: Placement) -> dict[Resource, int]:
    """What its run gives back. Costs are rounded up as a sum, so its own is rounded down."""
    return {
        Resource(placement.accelerator): placement.accelerators,
        COST: placement.charged_usd_micros_per_hour // 1_000,
    }


def uses_of(quotas: Quotas, usage: Usage) -> Uses:
    return quotas.uses(
        usage.queue,
        usage.accelerator,
        accelerators=usage.accelerators,
        charged=usage.charged_usd_micros_per_hour,
    )


class Forest:
    """Queues and cohorts with their quotas of each resource."""

    def __init__(self, queues: Mapping[QueueName, Queue], cohorts: Mapping[CohortName, Cohort]) -> None:
        self._queues, self._cohorts = queues, cohorts
        self._members: dict[CohortName | None, list[Queue | Cohort]] = {}
        self._subtrees: dict[NodeName, int] = {}
        for queue in queues.values():
            self._members.setdefault(self._known(queue.cohort), []).append(queue)
        for cohort in cohorts.values():
            self._members.setdefault(self._known(cohort.parent), []).append(cohort)

    def _known(self, cohort: CohortName | None) -> CohortName | None:
        """A cohort that nobody made joins nobody."""
        return cohort if cohort in self._cohorts else None

    def resources(self) -> list[Resource]:
        holders: list[Queue | Cohort] = [*self._queues.values(), *self._cohorts.values()]
        return sorted({quota.resource for holder in holders for quota in holder.quotas})

    def nodes(self, resource: Resource) -> list[NodeName]:
        """The trees that have a quota of the resource anywhere; parents first, then by name."""
        found: list[NodeName] = []
        roots = sorted(self._members.get(None, []), key=lambda each: (isinstance(each, Queue), each.name))
        for root in roots:
            tree = list(self._tree(root, resource))
            if any(self._quota(self._holder(name), resource) is not None for name in tree):
                found += tree
        return found

    def _tree(self, holder: Queue | Cohort, resource: Resource) -> Iterable[NodeName]:
        if isinstance(holder, Queue):
            yield NodeName(resource, None, holder.name)
            return
        yield NodeName(resource, holder.name, None)
        for member in sorted(self._members.get(holder.name, []), key=lambda each: each.name):
            yield from self._tree(member, resource)

    def _holder(self, name: NodeName) -> Queue | Cohort:
        if name.queue is not None:
            return self._queues[name.queue]
        assert name.cohort is not None, name
        return self._cohorts[name.cohort]

    @staticmethod
    def _quota(holder: Queue | Cohort, resource: Resource) -> Quota | None:
        return next((quota for quota in holder.quotas if quota.resource == resource), None)

    def parent(self, name: NodeName) -> NodeName | None:
        holder = self._holder(name)
        parent = self._known(holder.cohort if isinstance(holder, Queue) else holder.parent)
        return None if parent is None else NodeName(name.resource, parent, None)

    def nominal(self, name: NodeName) -> int:
        """The node's own quota."""
        quota = self._quota(self._holder(name), name.resource)
        return 0 if quota is None else quota.nominal

    def subtree(self, name: NodeName) -> int:
        """The nominal quota of the node and what its members lend it."""
        if name not in self._subtrees:  # each node asks for those below it several times
            self._subtrees[name] = self._subtree(name)
        return self._subtrees[name]

    def _subtree(self, name: NodeName) -> int:
        holder = self._holder(name)
        own = self.nominal(name)
        if isinstance(holder, Queue):
            return own
        members = (
            NodeName(name.resource, None, member.name)
            if isinstance(member, Queue)
            else NodeName(name.resource, member.name, None)
            for member in self._members.get(holder.name, [])
        )
        return own + sum(self.subtree(member) - self.local(member) for member in members)

    def local(self, name: NodeName) -> int:
        """What nobody else may use: all of a root; else what lies above the lending limit."""
        subtree = self.subtree(name)
        if self.parent(name) is None:
            return subtree
        quota = self._quota(self._holder(name), name.resource)
        lent = None if quota is None else quota.lending_limit
        return 0 if lent is None else max(0, subtree - lent)

    def overflow(self, name: NodeName) -> int:
        """What the node may take from its parent: what it lends itself, and what it borrows beyond."""
        if self.parent(name) is None:
            return 0
        quota = self._quota(self._holder(name), name.resource)
        if quota is None or quota.borrowing_limit is None:
            return NO_END
        return self.subtree(name) - self.local(name) + quota.borrowing_limit
