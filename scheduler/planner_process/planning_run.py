"""One run of the planner over a state: each plan is verified before anyone sees it."""

from collections.abc import Iterator, Mapping
from typing import TypedDict

from scheduler.codec.commits import commits_of
from scheduler.model.disruption import DisruptionBudget
from scheduler.model.errors import PlannerFailed
from scheduler.model.explanation import WhyWaiting
from scheduler.model.ids import PriorityClassName, ReplicaId
from scheduler.model.plan import Plan, Snapshot, WorkLimits
from scheduler.model.priority import PriorityClass
from scheduler.model.state import State
from scheduler.model.whatif import Hypotheses, WhatIf
from scheduler.planning import explanation, whatif
from scheduler.planning.planner import plans
from scheduler.planning.snapshot import snapshot_of
from scheduler.planning.verify import violations

VIOLATIONS_SHOWN_MAX = 5

PriorityClasses = Mapping[PriorityClassName, PriorityClass]


class Terms(TypedDict):
    """When and with which work to plan."""

    now_ms: int
    limits: WorkLimits
    priority_classes: PriorityClasses
    disruption: DisruptionBudget


def plans_of(
    state: State,
    *,
    now_ms: int,
    limits: WorkLimits,
    priority_classes: PriorityClasses,
    disruption: DisruptionBudget,
) -> Iterator[Plan]:
    """The floor, then the improved plan.

    Raises:
        PlannerFailed: a plan breaks a rule.
    """
    snapshot = snapshot_of(state, now_ms=now_ms, priority_classes=priority_classes, disruption=disruption)
    for plan in plans(snapshot, limits=limits):
        yield verified(snapshot, plan)


def what_if(
    state: State,
    hypotheses: Hypotheses,
    *,
    now_ms: int,
    limits: WorkLimits,
    priority_classes: PriorityClasses,
    disruption: DisruptionBudget,
) -> WhatIf:
    """How the improved plan of the state would differ.

    Raises:
        PlannerFailed: a plan breaks a rule.
    """
    snapshot = snapshot_of(state, now_ms=now_ms, priority_classes=priority_classes, disruption=disruption)
    live = whatif.touched(state, hypotheses)
    there = whatif.supposed_with_runs(state, snapshot, hypotheses, live)
    before, after = (
        whatif.Planned(snapshot=each, plan=best_plan(each, limits=limits)) for each in (snapshot, there)
    )
    return whatif.difference(before, after, hypotheses, live)


def why_waiting(
    state: State,
    replica_id: ReplicaId,
    *,
    now_ms: int,
    limits: WorkLimits,
    priority_classes: PriorityClasses,
    disruption: DisruptionBudget,
) -> WhyWaiting | None:
    """Why the replica waits and what would admit it; None when it does not wait.

    Raises:
        PlannerFailed: a plan breaks a rule.
    """
    snapshot = snapshot_of(state, now_ms=now_ms, priority_classes=priority_classes, disruption=disruption)
    if all(each.replica.id != replica_id for each in snapshot.waiting):
        return None
    return explanation.why_waiting(snapshot, replica_id, lambda each: best_plan(each, limits=limits))


def best_plan(snapshot: Snapshot, *, limits: WorkLimits) -> Plan:
    """The improved plan.

    Raises:
        PlannerFailed: it breaks a rule.
    """
    *_, best = plans(snapshot, limits=limits)
    return verified(snapshot, best)


def verified(snapshot: Snapshot, plan: Plan) -> Plan:
    """The plan, if it breaks no rule."""
    broken = violations(snapshot, plan)
    if broken:
        shown = "; ".join(str(violation) for violation in broken[:VIOLATIONS_SHOWN_MAX])
        raise PlannerFailed(f"the {plan.method} plan breaks {len(broken)} rules: {shown}")
    return plan


def copy_of(state: State) -> State:
    """A state of its own with the same records."""
    copy = State(state.history)
    for commit in commits_of(state):
        copy.apply(commit)
    return copy
