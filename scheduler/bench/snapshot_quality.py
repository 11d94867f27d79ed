"""Snapshot quality: how near to the bound one plan comes, whole and per priority class, against greedies."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scheduler.bench.instances import Instance, snapshot_for
from scheduler.model.ids import PriorityClassName
from scheduler.model.plan import ClassQuality, Plan, WorkLimits
from scheduler.planning.greedy import filled, floor_of, floor_orders, left_after, value_of
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.problem import Flags, Integers, Left, Problem, problem_of
from scheduler.planning.quality import classes_of
from scheduler.planning.solver.relaxation import relaxed
from scheduler.planning.verify import violations

SIZES = ((500, 12), (2000, 60))
CONTENTIONS = (1.3, 2.0, 3.0)
SEEDS = (1, 2, 3)
WHOLE = "whole"
JUDGED_SHARE = 0.01
"""A class whose bound is below this part of its demand is printed, not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one instance gave one priority class, or the whole; dollars per hour.

    Attributes:
        greedies: value by baseline; for a class, on what our plan's higher classes leave.
    """

    part: str
    value: float
    bound: float
    demand: float
    greedies: dict[str, float]

    @property
    def ratio(self) -> float:
        return self.value / self.bound if self.bound else 1.0

    @property
    def closed(self) -> float | None:
        """Part of the gap between the best greedy and the bound that we close; None if there is none."""
        best = max(self.greedies.values())
        return (self.value - best) / (self.bound - best) if self.bound - best > 1e-6 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Wall time; `improve` includes the LP, the class bounds and the model; `improve_cpu` is its CPU time."""

    problem: float
    greedy: float
    relaxation: float
    improve: float
    improve_cpu: float
    verify: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    instance: Instance
    plan: Plan
    rows: tuple[Row, ...]
    seconds: Seconds


def run(
    *,
    sizes: Iterable[tuple[int, int]] = SIZES,
    contentions: Iterable[float] = CONTENTIONS,
    seeds: Iterable[int] = SEEDS,
    limits: WorkLimits = WorkLimits(),  # noqa: B008  frozen
    console: Console | None = None,
) -> list[Result]:
    """Measure every size at every contention with every seed, merging and distinct jobs; print a table."""
    instances = [
        Instance(jobs=jobs, pools=pools, contention=contention, is_merging=is_merging, seed=seed)
        for jobs, pools in sizes
        for is_merging in (False, True)
        for contention in contentions
        for seed in seeds
    ]
    progress = Console(stderr=True)
    results = [measured(i, limits) for i in track(instances, "planning", console=progress, transient=True)]
    shown = console or Console(width=180)
    shown.print(quality_table(results))
    shown.print(seconds_table(results))
    return results


def measured(instance: Instance, limits: WorkLimits) -> Result:
    snapshot = snapshot_for(instance)
    started = time.perf_counter()
    problem = problem_of(snapshot)
    built = time.perf_counter()
    floor_of(problem)
    filled_up = time.perf_counter()
    relaxed(problem.columns, left=problem.left, iterations_max=limits.lp_iterations_max)
    solved = time.perf_counter()
    floor = floor_plan(snapshot)
    before, before_cpu = time.perf_counter(), time.process_time()
    plan = improve(snapshot, floor, limits=limits)
    improved, improved_cpu = time.perf_counter(), time.process_time()
    broken = violations(snapshot, plan)
    assert not broken, broken[:3]
    seconds = Seconds(
        problem=built - started,
        greedy=filled_up - built,
        relaxation=solved - filled_up,
        improve=improved - before,
        improve_cpu=improved_cpu - before_cpu,
        verify=time.perf_counter() - improved,
    )
    rows = tuple(rows_of(problem, plan))
    return Result(instance=instance, plan=plan, rows=rows, seconds=seconds)


def rows_of(problem: Problem, plan: Plan) -> Iterator[Row]:
    """The whole objective first, then each class with the classes above it fixed at the plan's."""
    quality = plan.quality
    orders = baselines(problem)
    everything = np.ones(len(problem.columns), dtype=np.bool_)
    whole = ClassQuality(
        value_usd_micros_per_hour=quality.objective_usd_micros_per_hour,
        bound_usd_micros_per_hour=quality.bound_usd_micros_per_hour,
        demand_usd_micros_per_hour=sum(
            each.demand_usd_micros_per_hour for each in quality.per_class.values()
        ),
    )
    yield row_of(WHOLE, whole, greedy_values(problem, orders, everything, problem.left))
    left, taken = problem.left, counts_of(problem, plan)
    for name, members in classes_of(problem).items():
        own = np.isin(problem.columns.bundle, members)
        yield row_of(name, quality.per_class[name], greedy_values(problem, orders, own, left))
        left = left_after(problem.columns, taken * own, left=left)


def row_of(part: PriorityClassName | str, quality: ClassQuality, greedies: dict[str, float]) -> Row:
    bound = quality.bound_usd_micros_per_hour
    assert bound is not None, quality
    return Row(
        part=part,
        value=quality.value_usd_micros_per_hour / 1e6,
        bound=bound / 1e6,
        demand=quality.demand_usd_micros_per_hour / 1e6,
        greedies=greedies,
    )


def baselines(problem: Problem) -> dict[str, Integers]:
    """Orders of columns by baseline; merged jobs go together, at the place of the longest waiting."""
    columns = problem.columns
    ways = [bundle.spec.alternatives for bundle in problem.bundles]
    choices = zip(columns.bundle.tolist(), columns.alternative.tolist(), strict=True)
    speed = np.array([ways[bundle][way].gang_speed_permille for bundle, way in choices], dtype=np.int64)
    since = [bundle.replicas[0].replica.waiting_since_ms for bundle in problem.bundles]
    age = np.array(since, dtype=np.int64)[columns.bundle]
    worth = np.array([-bundle.work.worth for bundle in problem.bundles], dtype=np.int64)[columns.bundle]
    density, class_density, class_best = floor_orders(problem)
    return {
        "fifo first fit": np.lexsort((columns.alternative, columns.pool, columns.bundle, age)),
        "priority + fastest": np.lexsort((columns.pool, -speed, columns.bundle, age, worth)),
        "density": density,
        "priority + density": class_density,
        "priority + best term": class_best,
    }


def greedy_values(problem: Problem, orders: dict[str, Integers], own: Flags, left: Left) -> dict[str, float]:
    columns = problem.columns
    return {
        name: value_of(columns, filled(columns, order[own[order]], left=left), left=left) / 1e6
        for name, order in orders.items()
    }


def counts_of(problem: Problem, plan: Plan) -> Integers:
    """How often the plan takes each column."""
    bundles = {
        each.replica.id: number for number, bundle in enumerate(problem.bundles) for each in bundle.replicas
    }
    pools = {planned.pool.id: number for number, planned in enumerate(problem.pools)}
    columns = problem.columns
    keys = zip(columns.bundle.tolist(), columns.pool.tolist(), columns.alternative.tolist(), strict=True)
    numbers = {key: number for number, key in enumerate(keys)}
    taken = np.zeros(len(columns), dtype=np.int64)
    for place in plan.places:
        where = place.placement
        taken[numbers[bundles[place.replica_id], pools[where.pool_id], where.alternative_index]] += 1
    return taken


def quality_table(results: list[Result]) -> Table:
    names = list(results[0].rows[0].greedies)
    table = Table(title="value / bound; classes with the higher classes fixed at ours; not judged: (…)")
    for column in ("instance", "seed", "part", "placewright", *names, "gap closed"):
        table.add_column(column, justify="left" if column in ("instance", "part") else "right", no_wrap=True)
    for result in results:
        for row in result.rows:
            is_judged = row.bound >= JUDGED_SHARE * row.demand
            ratio = f"{row.ratio:.4f}" if is_judged else f"({row.ratio:.4f})"
            greedies = [f"{value / row.bound:.3f}" if row.bound else "-" for value in row.greedies.values()]
            closed = "-" if row.closed is None else f"{row.closed:.2f}"
            table.add_row(result.instance.name, str(result.instance.seed), row.part, ratio, *greedies, closed)
    return table


def seconds_table(results: list[Result]) -> Table:
    table = Table(title="wall seconds")
    titles = ("instance", "seed", "columns", "bundles", "problem", "greedy", "LP", "improve", "CPU", "verify")
    for column in (*titles, "status"):
        table.add_column(column, justify="left" if column == "instance" else "right")
    for result in results:
        quality, seconds = result.plan.quality, result.seconds
        parts = (
            seconds.problem,
            seconds.greedy,
            seconds.relaxation,
            seconds.improve,
            seconds.improve_cpu,
            seconds.verify,
        )
        table.add_row(
            result.instance.name,
            str(result.instance.seed),
            str(quality.columns),
            str(quality.bundles),
            *(f"{part:.2f}" for part in parts),
            quality.status,
        )
    return table
