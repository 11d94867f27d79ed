"""The rule of quotas in plain words: by how much each queue and cohort uses more than it may.

A member of a cohort that uses more than it keeps to itself takes the rest from the cohort. What it takes may
not be more than what it lends plus what it may borrow, and what all members take together not more than the
cohort has: its own quota and what its members lend. Cohorts in cohorts are members alike.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scheduler.model.ids import QueueName
from scheduler.model.occupancy import occupancy_of
from scheduler.model.plan import Plan, Snapshot
from scheduler.model.queue import COST, Cohort, CohortName, Queue, Quota, Resource, cost_units
from scheduler.model.run import Placement

Used = Mapping[tuple[QueueName, Resource], int]


@dataclass(frozen=True, slots=True)
class Member:
    """A queue, or a cohort, with respect to one resource.

    Attributes:
        has: its own quota and what its members lend it.
        lends: of that, to its own cohort.
        borrows: at most, beyond what it lends; None: no limit.
    """

    name: str
    has: int
    lends: int
    borrows: int | None


def excesses(snapshot: Snapshot, used: Used) -> dict[str, int]:
    """How much more is used or taken than may be, where that is above 0.

    By "queue <name>/<resource>" or "cohort <name>/<resource>".
    """
    rule = _Rule(snapshot, used)
    for resource in sorted({quota.resource for holder in rule.holders() for quota in holder.quotas}):
        for root in rule.members_of(None):
            if rule.is_limited(root, resource):
                member, taken = rule.judge(root, resource)
                rule.note(member, resource, taken - member.has)
    return {subject: amount for subject, amount in rule.found.items() if amount > 0}


def used_now(snapshot: Snapshot) -> Counter[tuple[QueueName, Resource]]:
    """What live runs use, by queue and resource."""
    used = Counter[tuple[QueueName, Resource]]()
    for each in snapshot.usage:
        used[each.queue, Resource(each.accelerator)] += each.accelerators
        used[each.queue, COST] += cost_units(each.charged_usd_micros_per_hour)
    return used


def used_after(snapshot: Snapshot, plan: Plan) -> Counter[tuple[QueueName, Resource]]:
    """What counts once the plan is carried out: who waits for a run to end, and the run itself no more."""
    used = used_now(snapshot)
    queues = {each.replica.id: each.job.spec.queue for each in snapshot.waiting}
    known = [place for place in plan.places if place.replica_id in queues]
    used.update(used_by((queues[place.replica_id], place.placement) for place in known))
    awaited = {run_id for place in plan.places for run_id in place.after_runs}
    for planned in snapshot.pools:
        awaited.difference_update(run.id for run in occupancy_of(planned.live_runs).awaited)
    for each in snapshot.running:
        if each.run.id in awaited:
            used.subtract(given_back_by(each.job.spec.queue, each.run.placement))
    return used


def given_back_by(queue: QueueName, placement: Placement) -> dict[tuple[QueueName, Resource], int]:
    """What a run gives back when it ends. Costs are rounded up as a sum, so its own is rounded down."""
    return {
        (queue, Resource(placement.accelerator)): placement.accelerators,
        (queue, COST): placement.charged_usd_micros_per_hour // 1_000,
    }


def used_by(placements: Iterable[tuple[QueueName, Placement]]) -> Counter[tuple[QueueName, Resource]]:
    used = Counter[tuple[QueueName, Resource]]()
    for queue, placement in placements:
        used[queue, Resource(placement.accelerator)] += placement.accelerators
        used[queue, COST] += cost_units(placement.charged_usd_micros_per_hour)
    return used


class _Rule:
    def __init__(self, snapshot: Snapshot, used: Used) -> None:
        self._used = used
        self._queues = [planned.queue for planned in snapshot.queues]
        self._cohorts = {planned.cohort.name: planned.cohort for planned in snapshot.cohorts}
        self._members: dict[CohortName | None, list[Queue | Cohort]] = {}
        for holder in self.holders():
            self._members.setdefault(self._cohort_of(holder), []).append(holder)
        self.found = dict[str, int]()

    def holders(self) -> list[Queue | Cohort]:
        return [*self._queues, *self._cohorts.values()]

    def members_of(self, cohort: CohortName | None) -> list[Queue | Cohort]:
        """Of a cohort, or those that are in none."""
        return self._members.get(cohort, [])

    def _cohort_of(self, holder: Queue | Cohort) -> CohortName | None:
        cohort = holder.cohort if isinstance(holder, Queue) else holder.parent
        return cohort if cohort in self._cohorts else None

    def is_limited(self, holder: Queue | Cohort, resource: Resource) -> bool:
        """Whether it, or any below it, has a quota of the resource."""
        below = self.members_of(holder.name) if isinstance(holder, Cohort) else []
        return quota_of(holder, resource) is not None or any(self.is_limited(e, resource) for e in below)

    def judge(self, holder: Queue | Cohort, resource: Resource) -> tuple[Member, int]:
        """The holder as a member, and what it uses, or its members take; notes what those take too much."""
        quota = quota_of(holder, resource) or Quota(resource=resource, nominal=0)
        has, taken = quota.nominal, 0
        if isinstance(holder, Queue):
            taken = self._used.get((holder.name, resource), 0)
        else:
            for each in self.members_of(holder.name):
                member, used = self.judge(each, resource)
                takes = max(0, used - (member.has - member.lends))
                if member.borrows is not None:
                    self.note(member, resource, takes - member.lends - member.borrows)
                has, taken = has + member.lends, taken + takes
        lends = has if quota.lending_limit is None else min(has, quota.lending_limit)
        return Member(name_of(holder), has, lends, quota.borrowing_limit), taken

    def note(self, member: Member, resource: Resource, excess: int) -> None:
        self.found[f"{member.name}/{resource}"] = max(0, excess)


def name_of(holder: Queue | Cohort) -> str:
    return f"queue {holder.name}" if isinstance(holder, Queue) else f"cohort {holder.name}"


def quota_of(holder: Queue | Cohort, resource: Resource) -> Quota | None:
    return next((quota for quota in holder.quotas if quota.resource == resource), None)
