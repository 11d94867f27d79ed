"""Prices by generated columns: a valid bound, close to that of the whole LP, with quotas and shares too."""

from functools import cache

import pytest

from scheduler.bench.instances import Instance, snapshot_for
from scheduler.planning.column_generation import GAP, generated, sample_priced
from scheduler.planning.prices import priced
from scheduler.planning.problem import Problem, problem_of
from scheduler.planning.solver.relaxation import relaxed
from tests.builders import a_queue, a_quota, with_queues

ITERATIONS_MAX = 1_000_000


@cache
def problem(*, has_quotas: bool) -> Problem:
    snapshot = snapshot_for(Instance(jobs=300, pools=12, contention=2.0, is_merging=False, seed=1))
    if has_quotas:
        bench = a_queue("bench", a_quota(200), a_quota(900_000, "usd_millis_per_hour"))
        snapshot = with_queues(snapshot, bench, a_queue("other", a_quota(8)))
    return problem_of(snapshot)


@pytest.mark.parametrize("has_quotas", [False, True])
def test_the_bound_is_that_of_the_whole_lp_within_the_gap(has_quotas: bool) -> None:
    columns, left = problem(has_quotas=has_quotas).columns, problem(has_quotas=has_quotas).left
    whole = priced(columns, relaxed(columns, left=left, iterations_max=ITERATIONS_MAX).rows, left=left)

    found = generated(columns, left=left, iterations_max=ITERATIONS_MAX)

    assert whole.bound * (1 - 1e-6) <= found.bound <= whole.bound * (1 + 2 * GAP)
    assert generated(columns, left=left, iterations_max=ITERATIONS_MAX).bound == found.bound


@pytest.mark.parametrize("has_quotas", [False, True])
def test_prices_of_a_sample_prove_a_bound_too(has_quotas: bool) -> None:
    columns, left = problem(has_quotas=has_quotas).columns, problem(has_quotas=has_quotas).left
    whole = priced(columns, relaxed(columns, left=left, iterations_max=ITERATIONS_MAX).rows, left=left)

    found = sample_priced(columns, left=left, iterations_max=ITERATIONS_MAX)

    assert found.bound >= whole.bound * (1 - 1e-6)
