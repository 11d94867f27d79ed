"""The integer search, by CP-SAT: one thread, a fixed seed and a limit of work, so that it repeats exactly."""

from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from scheduler.planning.greedy import left_after
from scheduler.planning.problem import Columns, Integers, Left
from scheduler.planning.solver.relaxation import capacities_of, flows_of

EXACT_MAX = 2**53
"""The sum of |coefficient x upper bound| must stay below it."""

WORK_DIGITS = 6  # CP-SAT adds its work up in an order that varies in the last bits


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchLimits:
    deterministic_time: float
    random_seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        taken: (columns,) counts, at least as good as the hint in the scaled objective.
        is_optimal: proven, in exact micro-dollars.
        bound: at least the value of any counts; None where the objective had to be scaled.
        work: deterministic time used.
    """

    taken: Integers
    is_optimal: bool
    bound: int | None
    work: float


def searched(columns: Columns, *, left: Left, hint: Integers, limits: SearchLimits) -> Found:
    """The best counts of the columns from what is left, starting from the hint."""
    upper = uppers_of(columns, left=left)
    assert (hint <= upper).all(), (hint, upper)
    flows = flows_of(left)
    gains = np.concatenate([columns.gain, -flows.tolls])
    scale = scale_of(np.abs(gains), np.concatenate([upper, np.where(flows.tolls > 0, flows.most, 0)]))
    model = cp_model.CpModel()
    counts = [model.new_int_var(0, most, "") for most in upper.tolist()]
    flowing = [model.new_int_var(0, most, "") for most in flows.most.tolist()]
    hint_flows(model, flowing, columns, left=left, hint=hint)
    add_rows_hold_what_is_free(model, counts, columns, left=left, flowing=by_row(flowing, left=left))
    add_bundles_have_so_many_replicas(model, counts, columns, replicas=left.replicas)
    scaled = np.where(gains < 0, -(-gains // scale), gains // scale)
    model.maximize(cp_model.LinearExpr.weighted_sum([*counts, *flowing], scaled.tolist()))
    for count, hinted in zip(counts, hint.tolist(), strict=True):
        model.add_hint(count, hinted)
    solver = solver_of(limits)
    status = solver.solve(model)
    assert status not in (cp_model.INFEASIBLE, cp_model.MODEL_INVALID), solver.response_stats()
    work = round(float(solver.response_proto.deterministic_time), WORK_DIGITS)
    if status == cp_model.UNKNOWN:
        return Found(taken=hint, is_optimal=False, bound=None, work=work)
    bound = int(solver.best_objective_bound) if scale == 1 else None
    taken = np.array([solver.value(count) for count in counts], dtype=np.int64)
    is_optimal = status == cp_model.OPTIMAL and scale == 1
    return Found(taken=taken, is_optimal=is_optimal, bound=bound, work=work)


def solver_of(limits: SearchLimits) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = limits.random_seed
    solver.parameters.max_deterministic_time = limits.deterministic_time
    solver.parameters.linearization_level = 2
    return solver


def uppers_of(columns: Columns, *, left: Left) -> Integers:
    """(columns,) how often each column fits alone."""
    fits = np.min(left.free[columns.rows] // np.maximum(columns.amounts, 1), axis=1)
    uppers: Integers = np.minimum(left.replicas[columns.bundle], fits)
    return uppers


def scale_of(gain: Integers, upper: Integers) -> int:
    """The divisor that keeps the objective exact inside the solver; 1 where nothing is lost."""
    most = sum(a * b for a, b in zip(gain.tolist(), upper.tolist(), strict=True))
    scale = 1 if most < EXACT_MAX else most // EXACT_MAX + 1
    assert most // scale < EXACT_MAX, (most, scale)
    return scale


def add_rows_hold_what_is_free(
    model: cp_model.CpModel,
    counts: list[cp_model.IntVar],
    columns: Columns,
    *,
    left: Left,
    flowing: "dict[int, Flowing]",
) -> None:
    at_column, at_item = np.nonzero(columns.amounts)
    rows, amounts = columns.rows[at_column, at_item], columns.amounts[at_column, at_item]
    order = np.argsort(rows, kind="stable")
    starts = np.flatnonzero(np.diff(rows[order], prepend=-1))
    capacities = capacities_of(left)
    for members in np.split(order, starts[1:]) if len(order) else []:
        row = int(rows[members[0]])
        flows, signs = flowing.pop(row, ([], []))
        used = [counts[column] for column in at_column[members].tolist()]
        total = cp_model.LinearExpr.weighted_sum([*used, *flows], [*amounts[members].tolist(), *signs])
        model.add(total <= int(capacities[row]))
    for row, (flows, signs) in flowing.items():
        model.add(cp_model.LinearExpr.weighted_sum(flows, signs) <= int(capacities[row]))


Flowing = tuple[list[cp_model.IntVar], list[int]]
"""Variables and their signs."""


def by_row(flowing: list[cp_model.IntVar], *, left: Left) -> dict[int, Flowing]:
    """What flows into each row of quotas and shares from its children, less what it passes on."""
    flows, found = flows_of(left), dict[int, Flowing]()
    for node, parent, flow in zip(flows.nodes.tolist(), flows.parents.tolist(), flowing, strict=True):
        for row, sign in ((left.pool_rows + node, -1), (left.pool_rows + parent, 1)):
            variables, signs = found.setdefault(row, ([], []))
            variables.append(flow)
            signs.append(sign)
    return found


def hint_flows(
    model: cp_model.CpModel, flowing: list[cp_model.IntVar], columns: Columns, *, left: Left, hint: Integers
) -> None:
    if not flowing:
        return
    after = left_after(columns, hint, left=left).quotas
    passed = (left.quotas.overflow - after.overflow)[flows_of(left).nodes]
    for flow, units in zip(flowing, passed.tolist(), strict=True):
        model.add_hint(flow, units)


def add_bundles_have_so_many_replicas(
    model: cp_model.CpModel, counts: list[cp_model.IntVar], columns: Columns, *, replicas: Integers
) -> None:
    order = np.argsort(columns.bundle, kind="stable")
    starts = np.flatnonzero(np.diff(columns.bundle[order], prepend=-1))
    for members in np.split(order, starts[1:]) if len(order) else []:
        total = cp_model.LinearExpr.sum([counts[column] for column in members.tolist()])
        model.add(total <= int(replicas[columns.bundle[members[0]]]))
