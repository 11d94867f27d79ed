"""The planner: a snapshot in, a plan out. Pure: the same snapshot and limits always give the same plan."""

from collections.abc import Iterator
from dataclasses import replace

from scheduler.model.guidance import Guidance
from scheduler.model.ids import PoolId
from scheduler.model.plan import Plan, PlanMethod, Snapshot, WorkLimits
from scheduler.planning.column_generation import lp_priced
from scheduler.planning.composition import plan_of
from scheduler.planning.greedy import floor_of, value_of
from scheduler.planning.improvement import improved
from scheduler.planning.prices import Priced, guidance_of, shadow_prices_of
from scheduler.planning.problem import Problem, problem_of
from scheduler.planning.quality import floor_quality, improved_quality
from scheduler.planning.shares import with_usage


def plans(snapshot: Snapshot, *, limits: WorkLimits) -> Iterator[Plan]:
    """The floor, then the improved plan: as the two functions below, with the problem built only once."""
    problem = problem_of(snapshot)
    yield floor_plan_of(problem)
    yield improved_plan(problem, limits=limits)


def floor_plan(snapshot: Snapshot) -> Plan:
    """The best greedy plan: always there, without a solver; its guidance is the snapshot's."""
    return floor_plan_of(problem_of(snapshot))


def floor_plan_of(problem: Problem) -> Plan:
    floor = floor_of(problem)
    return plan_of(
        problem,
        floor,
        method=PlanMethod.FLOOR,
        quality=floor_quality(problem, floor),
        shadow_prices=(),
        guidance=problem.snapshot.guidance,
    )


def improve(snapshot: Snapshot, floor: Plan, *, limits: WorkLimits) -> Plan:
    """A plan that is never worth less than the floor, with its bound and prices."""
    assert floor.revision == snapshot.revision, (floor.revision, snapshot.revision)
    return improved_plan(problem_of(snapshot), limits=limits)


def improved_plan(problem: Problem, *, limits: WorkLimits) -> Plan:
    columns, floor = problem.columns, floor_of(problem)
    at_prices = lp_prices(problem, limits=limits)
    found = improved(problem, floor, at_prices, limits=limits)
    value, at_least = (value_of(columns, each, left=problem.left) for each in (found.taken, floor))
    assert value >= at_least, (value, at_least)
    shadow_prices = shadow_prices_of(problem, at_prices)
    unguided = unguided_shadow_prices(problem.snapshot, shadow_prices, limits=limits)
    return plan_of(
        problem,
        found.taken,
        method=PlanMethod.IMPROVED,
        quality=improved_quality(problem, floor, found, limits=limits),
        shadow_prices=shadow_prices,
        guidance=with_usage(guidance_of(problem.snapshot, unguided), problem.snapshot),
    )


def lp_prices(problem: Problem, *, limits: WorkLimits) -> Priced:
    return lp_priced(problem.columns, left=problem.left, iterations_max=limits.lp_iterations_max)


def unguided_shadow_prices(
    snapshot: Snapshot, guided: tuple[tuple[PoolId, int], ...], *, limits: WorkLimits
) -> tuple[tuple[PoolId, int], ...]:
    """What the pools would be worth if the snapshot had no guidance (planning-guidance.md)."""
    if not snapshot.guidance.shadow_prices:
        return guided
    problem = problem_of(replace(snapshot, guidance=Guidance()))
    return shadow_prices_of(problem, lp_prices(problem, limits=limits))
