"""Moves of queues and cohorts that operators ask for."""

from scheduler.model.errors import IllegalTransition
from scheduler.model.queue import Cohort, CohortName, Queue
from scheduler.model.records import Key, Kind, key_of
from scheduler.model.state import State
from scheduler.model.transaction import Check, IsAbsent, IsAt, IsPlannedAt, Put, Transaction

COHORT_DEPTH_MAX = 8


def applied(state: State, holder: Queue | Cohort) -> Transaction | None:
    """The queue or cohort with these quotas, new or changed; None when it is so already.

    Raises:
        IllegalTransition: its cohort does not exist, is below it, or lies too deep.
    """
    key = key_of(holder)
    old = state.record(key)
    if old is not None and old.entity == holder:
        return None
    check: Check = IsAbsent(key) if old is None else IsAt(key, old.version)
    above = holder.cohort if isinstance(holder, Queue) else holder.parent
    checks = (check, *_cohorts_above(state, holder, above))
    return Transaction(checks=checks, puts=(Put(entity=holder, replans=True),))


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
