"""The solvers: numbers stay exact, each rule binds, and a limit of work ends with what there is."""

import numpy as np
import pytest

from scheduler.model.plan import Snapshot, WorkLimits
from scheduler.planning.greedy import floor_of, left_after, value_of
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.prices import priced, smoothed
from scheduler.planning.problem import Columns, Left, problem_of
from scheduler.planning.solver.integer import EXACT_MAX, SearchLimits, scale_of, searched
from scheduler.planning.solver.relaxation import relaxed
from scheduler.planning.verify import violations
from tests.builders import DOLLAR, a_job, a_pool, a_priority_class, a_rented_pool, a_snapshot, an_alternative


def columns_with(gains: list[int], amounts: list[int], bundles: list[int]) -> Columns:
    """Columns over one row."""
    size = len(gains)
    return Columns(
        bundle=np.array(bundles, dtype=np.int64),
        pool=np.zeros(size, dtype=np.int64),
        alternative=np.zeros(size, dtype=np.int64),
        gain=np.array(gains, dtype=np.int64),
        accelerators=np.array(amounts, dtype=np.int64),
        rows=np.zeros((size, 1), dtype=np.int64),
        amounts=np.array(amounts, dtype=np.int64)[:, None],
    )


def left_with(free: int, *replicas: int) -> Left:
    endless = np.iinfo(np.int64).max
    return Left(free=np.array([free, endless]), replicas=np.array(replicas, dtype=np.int64))


KNAPSACK = columns_with(gains=[60, 100, 120], amounts=[10, 20, 30], bundles=[0, 1, 2])
CASES = {
    "row_binds": (left_with(50, 1, 1, 1), [0, 1, 1]),
    "row_has_room_for_all": (left_with(60, 1, 1, 1), [1, 1, 1]),
    "bundle_binds": (left_with(50, 2, 1, 0), [2, 1, 0]),
    "bundle_has_more": (left_with(50, 5, 0, 0), [5, 0, 0]),
}


@pytest.mark.parametrize(("left", "best"), CASES.values(), ids=CASES)
def test_searched(left: Left, best: list[int]) -> None:
    found = searched(
        KNAPSACK,
        left=left,
        hint=np.zeros(3, dtype=np.int64),
        limits=SearchLimits(deterministic_time=1.0, random_seed=1),
    )

    assert found.taken.tolist() == best
    assert found.is_optimal


def test_a_search_without_work_keeps_the_hint_at_least() -> None:
    hint = np.array([1, 1, 0], dtype=np.int64)

    left = left_with(50, 1, 1, 1)

    found = searched(
        KNAPSACK,
        left=left,
        hint=hint,
        limits=SearchLimits(deterministic_time=0.0, random_seed=1),
    )

    assert value_of(KNAPSACK, found.taken, left=left) >= 160


def test_the_relaxation_prices_the_row() -> None:
    left = left_with(50, 1, 1, 1)
    columns = columns_with([60 * DOLLAR, 100 * DOLLAR, 120 * DOLLAR], [10, 20, 30], [0, 1, 2])

    relaxation = relaxed(columns, left=left, iterations_max=1000)
    at_prices = priced(columns, relaxation.rows, left=left)

    assert relaxation.is_solved
    assert relaxation.rows.tolist() == [4 * DOLLAR, 0]
    assert at_prices.bound == 240 * DOLLAR
    assert at_prices.losses.tolist() == [0, 0, 0]


def test_prices_of_nothing_still_bound() -> None:
    at_prices = priced(KNAPSACK, np.zeros(2, dtype=np.int64), left=left_with(50, 1, 1, 1))

    assert at_prices.bound == 280


@pytest.mark.parametrize("most", [10, EXACT_MAX - 1, EXACT_MAX, 3 * EXACT_MAX + 7])
def test_scaled_terms_stay_exact(most: int) -> None:
    scale = scale_of(np.array([most]), np.array([1]))

    assert most // scale < EXACT_MAX
    assert (scale == 1) == (most < EXACT_MAX)


def test_huge_worths_are_placed_without_losing_a_micro_dollar() -> None:
    classes = {each.name: each for each in (a_priority_class(worth=10**9),)}
    gangs = [an_alternative("h100:512", speed_permille=1000 + n) for n in range(4)]
    snapshot = a_snapshot(
        jobs=[a_job(f"job-{n}", gang, replicas=500) for n, gang in enumerate(gangs)],
        pools=[a_pool("a", nodes=64 * 900), a_rented_pool("b", limit_accelerators=512 * 301 + 8)],
        priority_classes=classes,
    )

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits())

    terms = [place.placement.term_usd_micros_per_hour for place in plan.places]
    assert len(terms) == 900 + 301
    assert plan.quality.objective_usd_micros_per_hour == sum(terms)


def crowd(jobs: int) -> Snapshot:
    """Distinct jobs for too few nodes: too many columns to search at once."""
    ways = (an_alternative("h100:8"), an_alternative("a100:8", speed_permille=600))
    return a_snapshot(
        jobs=[
            a_job(
                f"job-{n}",
                *(
                    an_alternative(f"{way.accelerator}:{1 << n % 5}", speed_permille=400 + 37 * n % 900 + i)
                    for i, way in enumerate(ways)
                ),
            )
            for n in range(jobs)
        ],
        pools=[a_pool(f"pool-{n}", ("h100", "a100")[n % 2], nodes=1 + n % 3) for n in range(14)],
    )


def test_a_crowd_is_improved_by_neighbourhoods_and_repeats() -> None:
    snapshot = crowd(240)
    limits = WorkLimits(deterministic_time=0.5)

    plan = improve(snapshot, floor_plan(snapshot), limits=limits)

    assert violations(snapshot, plan) == []
    assert plan.quality.columns > 1_500
    assert plan.quality.gap is not None
    assert plan.quality.gap < 0.01
    assert improve(snapshot, floor_plan(snapshot), limits=limits) == plan


def test_an_lp_that_may_not_iterate_still_gives_a_bound_and_the_floor() -> None:
    snapshot = crowd(60)

    plan = improve(
        snapshot, floor_plan(snapshot), limits=WorkLimits(deterministic_time=0.1, lp_iterations_max=1)
    )

    assert plan.quality.objective_usd_micros_per_hour >= plan.quality.floor_usd_micros_per_hour
    assert plan.quality.gap is not None


def test_what_is_taken_is_taken_off() -> None:
    problem = problem_of(crowd(60))

    left = left_after(problem.columns, floor_of(problem), left=problem.left)

    assert (left.free >= 0).all()
    assert (left.replicas >= 0).all()


@pytest.mark.parametrize("target", [0, 1, 7, 1_000_000])
@pytest.mark.parametrize("start", [0, 3, 2_000_000])
def test_smoothing_comes_to_rest_near_its_target(start: int, target: int) -> None:
    price = start
    for _ in range(200):
        price = smoothed(price, target)

    assert smoothed(price, target) == price
    assert abs(price - target) <= target // 32
