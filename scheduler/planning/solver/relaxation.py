"""The LP relaxation, solved by GLOP: prices of rows and fractions of columns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from ortools.linear_solver.python.model_builder_helper import (
    ModelBuilderHelper,
    ModelSolverHelper,
    SolveStatus,
)
from scipy.sparse import csr_matrix

from scheduler.planning.problem import Columns, Integers, Left
from scheduler.planning.quotas import NO_PARENT

MICROS = 1_000_000
"""GLOP is given dollars: micro-dollars fail numerically."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relaxation:
    """The optimum with fractional counts, or nothing but zeros if the limit ended it.

    Attributes:
        is_solved: whether the optimum was reached.
        fractions: (columns,) how often each column is taken.
        rows: (rows + 1,) price of one unit in micro-dollars per hour, not negative, rounded.
    """

    is_solved: bool
    fractions: npt.NDArray[np.float64]
    rows: Integers


def relaxed(columns: Columns, *, left: Left, iterations_max: int) -> Relaxation:
    """Maximise the sum of gains of what is taken of what is left."""
    nothing = Relaxation(
        is_solved=len(columns) == 0,
        fractions=np.zeros(len(columns)),
        rows=np.zeros(len(left.free), dtype=np.int64),
    )
    if not len(columns):
        return nothing
    solver = ModelSolverHelper("GLOP")
    solver.set_solver_specific_parameters(f"max_number_of_iterations: {iterations_max}")
    solver.solve(model_of(columns, left=left))
    if solver.status() != SolveStatus.OPTIMAL:
        assert solver.status() not in (SolveStatus.INFEASIBLE, SolveStatus.MODEL_INVALID), solver.status()
        return nothing
    duals = np.append(solver.dual_values()[: len(left.free) - 1], 0.0)
    return Relaxation(
        is_solved=True,
        fractions=np.asarray(solver.variable_values(), dtype=np.float64)[: len(columns)],
        rows=np.rint(np.maximum(duals, 0.0) * MICROS).astype(np.int64),
    )


def model_of(columns: Columns, *, left: Left) -> ModelBuilderHelper:
    """Rows of pools, of quotas, of bundles; columns, then what each quota passes on to its parent."""
    rows, bundles, flows = len(left.free) - 1, len(left.replicas), flows_of(left)
    uses = columns.amounts > 0
    numbers, flowing = np.arange(len(columns)), len(columns) + np.arange(len(flows.nodes))
    entries = [
        (columns.rows[uses], np.broadcast_to(numbers[:, None], uses.shape)[uses], columns.amounts[uses]),
        (rows + columns.bundle, numbers, np.ones(len(columns))),
        (left.pool_rows + flows.nodes, flowing, -np.ones(len(flows.nodes))),
        (left.pool_rows + flows.parents, flowing, np.ones(len(flows.nodes))),
    ]
    at_row, at_column, amounts = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    width = len(columns) + len(flows.nodes)
    matrix = csr_matrix((amounts.astype(np.float64), (at_row, at_column)), shape=(rows + bundles, width))
    model = ModelBuilderHelper()
    fill: Callable[..., None] = model.fill_model_from_sparse_data  # its stub swaps the array parameters
    fill(
        np.zeros(width),
        np.concatenate([np.full(len(columns), np.inf), flows.most]),
        np.concatenate([columns.gain / MICROS, -flows.tolls / MICROS]),
        np.full(rows + bundles, -np.inf),
        np.concatenate([capacities_of(left), left.replicas]).astype(np.float64),
        matrix,
    )
    model.set_maximize(True)
    return model


class Flows(NamedTuple):
    """What quotas and shares may pass on: int64 arrays by the nodes that have a parent."""

    nodes: Integers
    parents: Integers
    most: Integers
    tolls: Integers


def flows_of(left: Left) -> Flows:
    nodes = np.flatnonzero(left.quotas.parents != NO_PARENT)
    parents = left.quotas.parents[nodes]
    available = left.free[left.pool_rows : -1]
    most = np.minimum(left.quotas.overflow[nodes], available[parents])
    return Flows(nodes, parents, most, left.quotas.tolls[nodes])


def capacities_of(left: Left) -> Integers:
    """(rows,) what each row holds itself."""
    return np.concatenate([left.free[: left.pool_rows], left.quotas.local])
