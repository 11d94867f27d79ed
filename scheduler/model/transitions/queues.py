"""Moves of queues and cohorts that operators ask for."""

from scheduler.model.errors import IllegalTransition
from scheduler.model.limits import COHORT_DEPTH_MAX, COHORTS_MAX, QUEUES_WITH_SPEC_MAX
from scheduler.model.queue import Cohort, CohortName, Queue
from scheduler.model.records import Key, Kind, Record, key_of
from scheduler.model.state import State
from scheduler.model.transaction import Check, IsAbsent, IsAt, IsPlannedAt, Put, Transaction

COUNT_MAX = {Kind.QUEUE: QUEUES_WITH_SPEC_MAX, Kind.COHORT: COHORTS_MAX}


def applied(state: State, holder: Queue | Cohort) -> Transaction | None:
    """The queue or cohort with these quotas, new or changed; None when it is so already.

    Raises:
        IllegalTransition: its cohort does not exist, is below it, or lies too deep; or there are too many.
    """
    key = key_of(holder)
    old = state.record(key)
    if old is not None and old.entity == holder:
        return None
    if old is None and state.count(key.kind) >= COUNT_MAX[key.kind]:
        raise IllegalTransition(f"there are {COUNT_MAX[key.kind]} {key.kind}s already: delete one first")
    check: Check = IsAbsent(key) if old is None else IsAt(key, old.version)
    above = _cohort_of(holder)
    checks = (check, *_cohorts_above(state, holder, above))
    puts = (Put(entity=holder, replans=True), *_joined(state, old, above))
    return Transaction(checks=checks, puts=puts)


def _cohort_of(holder: Queue | Cohort) -> CohortName | None:
    return holder.cohort if isinstance(holder, Queue) else holder.parent


def _joined(state: State, old: Record | None, above: CohortName | None) -> tuple[Put, ...]:
    """The cohort that gets a new member, as it is: so that it is not deleted at the same time."""
    before = old.entity if old is not None else None
    was_in = _cohort_of(before) if isinstance(before, Queue | Cohort) else None
    cohort = None if above is None or above == was_in else state.cohort(above)
    return () if cohort is None else (Put(entity=cohort),)


def _cohorts_above(state: State, holder: Queue | Cohort, above: CohortName | None) -> list[Check]:
    """That each cohort above stays where it is, so that two changes at once make no ring."""
    checks: list[Check] = []
    while above is not None:
        cohort = state.cohort(above)
        if cohort is None:
            raise IllegalTransition(f"cohort {above} does not exist: make it first")
        if isinstance(holder, Cohort) and above == holder.name:
            raise IllegalTransition(f"cohort {holder.name} would be above itself")
        key = Key(Kind.COHORT, above)
        checks.append(IsPlannedAt(key, state.planning_version(key)))
        if len(checks) > COHORT_DEPTH_MAX:
            raise IllegalTransition(f"{holder.name} would lie below more than {COHORT_DEPTH_MAX} cohorts")
        above = cohort.parent
    return checks


def deleted(state: State, key: Key) -> Transaction | None:
    """Without the queue's or cohort's record; None when there is none.

    Raises:
        IllegalTransition: the cohort has members.
    """
    record = state.record(key)
    if record is None:
        return None
    members = [name for name in _members(state, key) if key.kind is Kind.COHORT]
    if members:
        raise IllegalTransition(f"cohort {key.id} has members: {', '.join(members)}; move them first")
    return Transaction(checks=(IsAt(key, record.version),), deletes=(key,))


def _members(state: State, key: Key) -> list[str]:
    queues = [f"queue {queue.name}" for queue in state.queues() if queue.cohort == key.id]
    return [*queues, *(f"cohort {each.name}" for each in state.cohorts() if each.parent == key.id)]
