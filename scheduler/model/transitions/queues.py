"""Moves of queues and cohorts that operators ask for.

What one member has, uses or lends counts for all in its tree of cohorts. Every planned step compares the
cohorts above its queue, up to the root: so each move raises the root's planning version, as if it changed.
"""

from collections.abc import Iterable

from scheduler.model.errors import IllegalTransition
from scheduler.model.limits import COHORT_DEPTH_MAX, COHORTS_MAX, QUEUES_WITH_SPEC_MAX
from scheduler.model.queue import Cohort, CohortName, Queue
from scheduler.model.records import Entity, Key, Kind, key_of
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
    above = _tree_above(state, holder)
    left = [] if old is None else _cohorts_above(state, old.entity)
    checks = (check, *_stay(state, [*above, *left]))
    # The cohort that gets it is written as it is, so that nobody deletes it at the same time as empty.
    joined = [Put(entity=cohort) for cohort in above[:1] if cohort not in (*above[-1:], *left[:1])]
    puts = (Put(entity=holder, replans=True), *joined, *_roots(above, left))
    return Transaction(checks=checks, puts=puts)


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
    above = _cohorts_above(state, record.entity)
    checks = (IsAt(key, record.version), *_stay(state, above))
    return Transaction(checks=checks, puts=_roots(above), deletes=(key,))


def _members(state: State, key: Key) -> list[str]:
    queues = [f"queue {queue.name}" for queue in state.queues() if queue.cohort == key.id]
    return [*queues, *(f"cohort {each.name}" for each in state.cohorts() if each.parent == key.id)]


def _tree_above(state: State, holder: Queue | Cohort) -> list[Cohort]:
    """The cohorts above, nearest first, if the holder may be below them.

    Raises:
        IllegalTransition: one does not exist, is the holder, or lies too deep.
    """
    above = _cohorts_above(state, holder)
    name = above[-1].parent if above else _cohort_of(holder)
    if isinstance(holder, Cohort) and any(cohort.name == holder.name for cohort in above):
        raise IllegalTransition(f"cohort {holder.name} would be above itself")
    if len(above) > COHORT_DEPTH_MAX:
        raise IllegalTransition(f"{holder.name} would lie below more than {COHORT_DEPTH_MAX} cohorts")
    if name is not None:
        raise IllegalTransition(f"cohort {name} does not exist: make it first")
    return above


def _cohorts_above(state: State, holder: Entity) -> list[Cohort]:
    """Those that are there, nearest first; one more than may be, at most."""
    found: list[Cohort] = []
    name = _cohort_of(holder)
    while name is not None and len(found) <= COHORT_DEPTH_MAX:
        cohort = state.cohort(name)
        if cohort is None:
            break
        found.append(cohort)
        name = cohort.parent
    return found


def _cohort_of(holder: Entity) -> CohortName | None:
    assert isinstance(holder, Queue | Cohort), holder
    return holder.cohort if isinstance(holder, Queue) else holder.parent


def _stay(state: State, cohorts: Iterable[Cohort]) -> tuple[Check, ...]:
    """That each stays where and as it is, so that two moves at once make no ring."""
    keys = dict.fromkeys(key_of(cohort) for cohort in cohorts)
    return tuple(IsPlannedAt(key, state.planning_version(key)) for key in keys)


def _roots(*trees: list[Cohort]) -> tuple[Put, ...]:
    roots = dict.fromkeys(tree[-1] for tree in trees if tree)
    return tuple(Put(entity=root, replans=True) for root in roots)
