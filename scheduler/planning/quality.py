"""Quality: what a plan is worth, and at least how good the best could be, per priority class."""

import numpy as np

from scheduler.model.ids import PriorityClassName
from scheduler.model.plan import ClassQuality, PlanQuality, SolverStatus, WorkLimits
from scheduler.planning.column_generation import lp_priced
from scheduler.planning.greedy import left_after, value_of
from scheduler.planning.improvement import Improved
from scheduler.planning.prices import dot
from scheduler.planning.problem import Flags, Integers, Left, Problem


def floor_quality(problem: Problem, floor: Integers) -> PlanQuality:
    """Of a floor: values without bounds."""
    value = value_of(problem.columns, floor, left=problem.left)
    return PlanQuality(
        objective_usd_micros_per_hour=value,
        bound_usd_micros_per_hour=None,
        floor_usd_micros_per_hour=value,
        per_class={
            name: class_quality(problem, members, taken=floor, bound=None)
            for name, members in classes_of(problem).items()
        },
        status=SolverStatus.NOT_RUN,
        bundles=len(problem.bundles),
        columns=len(problem.columns),
        rows=len(problem.row_pools),
        work=0.0,
    )


def improved_quality(
    problem: Problem, floor: Integers, found: Improved, *, limits: WorkLimits
) -> PlanQuality:
    """Of an improved plan: values with bounds, whole and per class."""
    return PlanQuality(
        objective_usd_micros_per_hour=value_of(problem.columns, found.taken, left=problem.left),
        bound_usd_micros_per_hour=found.bound,
        floor_usd_micros_per_hour=value_of(problem.columns, floor, left=problem.left),
        per_class=class_qualities(problem, found.taken, limits=limits),
        status=found.status,
        bundles=len(problem.bundles),
        columns=len(problem.columns),
        rows=len(problem.row_pools),
        work=found.work,
    )


def classes_of(problem: Problem) -> dict[PriorityClassName, Integers]:
    """The bundles of each priority class that has any, worthiest class first, then by name."""
    members: dict[PriorityClassName, list[int]] = {}
    for number, bundle in enumerate(problem.bundles):
        members.setdefault(bundle.spec.priority_class, []).append(number)
    classes = problem.snapshot.priority_classes
    order = sorted(members, key=lambda name: (-classes[name].worth_usd_micros, name))
    return {name: np.array(members[name], dtype=np.int64) for name in order}


def class_qualities(
    problem: Problem, taken: Integers, *, limits: WorkLimits
) -> dict[PriorityClassName, ClassQuality]:
    """Per class, with the placements of the classes above it fixed as they are."""
    columns, above = problem.columns, np.zeros_like(taken)
    qualities: dict[PriorityClassName, ClassQuality] = {}
    for name, members in classes_of(problem).items():
        own = np.isin(columns.bundle, members)
        left = left_after(columns, above, left=problem.left)
        quality = class_quality(problem, members, taken=taken, bound=None)
        bound = quality.demand_usd_micros_per_hour
        if quality.value_usd_micros_per_hour < bound:
            bound = min(bound, class_bound(problem, own, left, limits=limits))
        qualities[name] = class_quality(problem, members, taken=taken, bound=bound)
        above[own] = taken[own]
    return qualities


def class_bound(problem: Problem, own: Flags, left: Left, *, limits: WorkLimits) -> int:
    """At least what the class's columns can give on what is free."""
    columns = problem.columns.only(own)
    columns = columns.only(columns.that_fit(left.free))
    return lp_priced(columns, left=left, iterations_max=limits.lp_iterations_max).bound


def class_quality(problem: Problem, members: Integers, *, taken: Integers, bound: int | None) -> ClassQuality:
    columns = problem.columns
    own = taken * np.isin(columns.bundle, members)
    best = np.zeros(len(problem.left.replicas), dtype=np.int64)
    np.maximum.at(best, problem.candidates.bundle, problem.candidates.gain)
    return ClassQuality(
        value_usd_micros_per_hour=value_of(columns, own, left=problem.left),
        bound_usd_micros_per_hour=bound,
        demand_usd_micros_per_hour=dot(problem.left.replicas[members], best[members]),
    )
