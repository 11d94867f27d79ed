"""Plan to store: each step on its own, deferrals where the reason changed, guidance."""

from collections.abc import Iterator
from dataclasses import replace

from scheduler.model.deferral import Deferral
from scheduler.model.ids import ReplicaId
from scheduler.model.plan import Plan, Step
from scheduler.model.records import Key, Kind
from scheduler.model.replica import ReplicaState
from scheduler.model.state import State
from scheduler.model.transaction import Check, Fence, IsAbsent, IsAt, IsPlannedAt, Put, Transaction
from scheduler.model.transitions.runs import placed

DEFERRALS_PER_TRANSACTION = 32  # few enough that one replica that moved meanwhile spoils little


def steps_that_hold(state: State, plan: Plan) -> list[Step]:
    """Steps whose preconditions hold on the state at hand; the store checks them once more."""
    return [step for step in plan.steps if all(holds(state, check) for check in step.preconditions)]


def holds(state: State, check: Check) -> bool:
    match check:
        case IsAbsent(key):
            return state.record(key) is None
        case IsAt(key, version):
            record = state.record(key)
            return record is not None and record.version == version
        case IsPlannedAt(key, version):
            record = state.record(key)
            return record is not None and record.planning_version == version


def placements(state: State, steps: list[Step], *, now_ms: int, fence: Fence) -> list[Transaction]:
    return [placed(state, step, now_ms=now_ms, fence=fence) for step in steps]


def deferrals(state: State, plan: Plan, *, fence: Fence) -> Iterator[Transaction]:
    """Why replicas wait, written where it has changed."""
    changed = [(i, deferral) for i, deferral in plan.deferrals if _is_news(state, i, deferral)]
    for start in range(0, len(changed), DEFERRALS_PER_TRANSACTION):
        chunk = changed[start : start + DEFERRALS_PER_TRANSACTION]
        keys = [Key(Kind.REPLICA, replica_id) for replica_id, _ in chunk]
        yield Transaction(
            checks=tuple(IsAt(key, state.version(key)) for key in keys),
            puts=tuple(_deferred(state, replica_id, deferral) for replica_id, deferral in chunk),
            fence=fence,
        )


def _is_news(state: State, replica_id: ReplicaId, deferral: Deferral) -> bool:
    replica = state.replica(replica_id)
    waits = replica is not None and replica.state is ReplicaState.WAITING
    return waits and replica is not None and not deferral.is_same_reason(replica.deferral)


def _deferred(state: State, replica_id: ReplicaId, deferral: Deferral) -> Put:
    replica = state.replica(replica_id)
    assert replica is not None, replica_id
    return Put(entity=replace(replica, deferral=deferral))


def guidance(state: State, plan: Plan, *, fence: Fence) -> Iterator[Transaction]:
    """What the next cycle starts from, if it has changed."""
    if plan.guidance != state.guidance():
        yield Transaction(puts=(Put(entity=plan.guidance),), fence=fence)
