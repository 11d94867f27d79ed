"""The problem in numbers: bundles, columns and capacity rows, ready for any search."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scheduler.model.job import Alternative
from scheduler.model.plan import PlannedPool, Snapshot
from scheduler.planning.age import age_bonus_usd_micros_per_hour
from scheduler.planning.bundles import Bundle, bundles_of
from scheduler.planning.candidates import Candidate, Survey, survey_of
from scheduler.planning.quotas import NO_QUOTAS, Ledger, Quotas, QuotaTrees, Uses, joined, quotas_of
from scheduler.planning.room import Room, RowName, room_of
from scheduler.planning.shares import Shares, shares_of

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Ways to place one replica of a bundle, one per (bundle, pool, alternative); int64 arrays by column.

    Attributes:
        gain: what it adds to the objective, micro-dollars per hour: its term, above 0, and its age bonus.
        accelerators: of the gang.
        rows: (columns, most rows of a column), row numbers: of pools, then of quotas; the padding names the
            row after the last.
        amounts: units of those rows that one replica takes; 0 in the padding.
    """

    bundle: Integers
    pool: Integers
    alternative: Integers
    gain: Integers
    accelerators: Integers
    rows: Integers
    amounts: Integers

    def __len__(self) -> int:
        return len(self.gain)

    def that_fit(self, free: Integers) -> Flags:
        """(columns,) whether one replica fits what is free, (rows + 1,)."""
        flags: Flags = np.all(self.amounts <= free[self.rows], axis=1)
        return flags

    def only(self, chosen: Integers | Flags) -> "Columns":
        """The chosen columns, in the order given."""
        return Columns(
            bundle=self.bundle[chosen],
            pool=self.pool[chosen],
            alternative=self.alternative[chosen],
            gain=self.gain[chosen],
            accelerators=self.accelerators[chosen],
            rows=self.rows[chosen],
            amounts=self.amounts[chosen],
        )


class Left(NamedTuple):
    """What a search may still give out.

    Attributes:
        free: (rows + 1,) free units: of the pools' rows, then what is available at the nodes of the quota
            trees and the steps of shares, then the padding's, which has no end.
        replicas: (bundles,) replicas without a place.
        quotas: the trees, of quotas and then of shares.
    """

    free: Integers
    replicas: Integers
    quotas: QuotaTrees = NO_QUOTAS

    @property
    def pool_rows(self) -> int:
        """How many of the rows are of pools."""
        return len(self.free) - 1 - self.quotas.nodes

    def toll(self, used: Integers) -> int:
        """Micro-dollars per hour that so much use, (rows + 1,), pays for its queues' shares."""
        if not self.quotas.tolls.any():
            return 0
        return self.quotas.toll_to(self.quotas.after(used[self.pool_rows : -1]))

    def after(self, used: Integers, placed: Integers) -> "Left":
        """What is left once so many units, (rows + 1,), and so many replicas are gone."""
        free, pool_rows = self.free - used, self.pool_rows
        quotas = self.quotas
        if quotas.nodes:
            quotas = quotas.after(used[pool_rows:-1])
            free[pool_rows:-1] = quotas.available()
        return Left(free, self.replicas - placed, quotas)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """What a search may choose from, and where from it came.

    Attributes:
        left: before anything is placed; replicas that may not be placed now are not counted.
        row_pools, row_accelerators: (pool rows,) the pool of a row and the accelerators in one unit of it.
        quotas: the rows after the pools'.
        shares: the rows after those.
        columns: those that fit what is free now.
        candidates: those and the ones that would fit if their pool were empty.
    """

    snapshot: Snapshot
    bundles: tuple[Bundle, ...]
    rooms: tuple[Room, ...]
    survey: Survey
    left: Left
    row_pools: Integers
    row_accelerators: Integers
    quotas: Quotas
    shares: QuotaTrees
    columns: Columns
    candidates: Columns

    @property
    def pools(self) -> tuple[PlannedPool, ...]:
        return self.snapshot.pools

    def ledger(self) -> Ledger:
        """Of quotas and shares, before anything is placed."""
        used = [*self.quotas.used, *([0] * self.shares.nodes)]
        return Ledger(joined([self.quotas.whole, self.shares]), used)

    def uses(self, candidate: int) -> Uses:
        """What a candidate uses of quotas and shares."""
        rows, amounts = self.candidates.rows[candidate], self.candidates.amounts[candidate]
        first, last = self.left.pool_rows, len(self.left.free) - 1
        return tuple(
            (row - first, amount)
            for row, amount in zip(rows.tolist(), amounts.tolist(), strict=True)
            if first <= row < last
        )

    def within_quotas(self) -> Flags:
        """(candidates,) whether the quotas have room for one."""
        free = self.left.free.copy()
        free[: self.left.pool_rows] = np.iinfo(np.int64).max
        return self.candidates.that_fit(free)


def problem_of(snapshot: Snapshot) -> Problem:
    bundles = bundles_of(snapshot)
    rooms = tuple(
        room_of(planned.pool, planned.live_runs, now_ms=snapshot.now_ms) for planned in snapshot.pools
    )
    quotas = quotas_of(
        (planned.queue for planned in snapshot.queues),
        (planned.cohort for planned in snapshot.cohorts),
        snapshot.usage,
    )
    survey = survey_of(snapshot, bundles, rooms, quotas)
    numbers = row_numbers(survey.candidates)
    shares = shares_of(snapshot, bundles, rooms)
    trees = joined([quotas.trees, shares.trees])
    uses = [uses_of(each, snapshot, bundles, (quotas, shares)) for each in survey.candidates]
    gains = [each.term + bonus_of(each, bundles[each.bundle]) for each in survey.candidates]
    candidates = columns_of(survey.candidates, numbers, uses, gains=gains, rows=len(numbers) + trees.nodes)
    free = [rooms[pool].free(row) for pool, row in numbers]
    counts = [len(bundle.replicas) if bundle.may_be_placed else 0 for bundle in bundles]
    left = Left(
        free=np.array([*free, *trees.available().tolist(), np.iinfo(np.int64).max], dtype=np.int64),
        replicas=np.array(counts, dtype=np.int64),
        quotas=trees,
    )
    return Problem(
        snapshot=snapshot,
        bundles=bundles,
        rooms=rooms,
        survey=survey,
        left=left,
        row_pools=np.array([pool for pool, _ in numbers], dtype=np.int64),
        row_accelerators=np.array([row.accelerators for _, row in numbers], dtype=np.int64),
        quotas=quotas,
        shares=shares.trees,
        columns=candidates.only(candidates.that_fit(left.free)),
        candidates=candidates,
    )


def uses_of(
    candidate: Candidate, snapshot: Snapshot, bundles: tuple[Bundle, ...], limits: tuple[Quotas, Shares]
) -> Uses:
    """What a candidate uses of its queue's quotas, and the useful work that counts as its queue's share."""
    quotas, shares = limits
    if not quotas.leaves and not shares.feet:
        return ()
    bundle, pool = bundles[candidate.bundle], snapshot.pools[candidate.pool].pool.spec
    uses = quotas.uses(
        bundle.spec.queue,
        pool.accelerator,
        accelerators=candidate.accelerators,
        charged=candidate.accelerators * pool.price_usd_micros_per_accelerator_hour,
    )
    foot = shares.feet.get((bundle.spec.queue, bundle.spec.priority_class))
    if foot is None:
        return uses
    return (*uses, (quotas.trees.nodes + foot, useful_permille(candidate, bundle)))


def useful_permille(candidate: Candidate, bundle: Bundle) -> int:
    """The useful work of an hour: of finite work, all that the fastest way would do."""
    speed = bundle.spec.alternatives[candidate.alternative].gang_speed_permille
    return bundle.work.fastest_permille or speed


def bonus_of(candidate: Candidate, bundle: Bundle) -> int:
    if not bundle.age_step:
        return 0
    useful = useful_permille(candidate, bundle)
    return age_bonus_usd_micros_per_hour(bundle.age_step, worth=bundle.work.worth, useful_permille=useful)


def row_numbers(candidates: tuple[Candidate, ...]) -> dict[tuple[int, RowName], int]:
    """The rows that candidates use, numbered by pool, kind and size."""
    used = {(each.pool, each.demand) for each in candidates}
    rows = {(pool, row) for pool, demand in used for row, _ in demand}
    return {row: number for number, row in enumerate(sorted(rows))}


def columns_of(
    candidates: tuple[Candidate, ...],
    numbers: dict[tuple[int, RowName], int],
    uses: Sequence[Uses],
    *,
    gains: Sequence[int],
    rows: int,
) -> Columns:
    """The candidates as arrays; `uses` of quotas and `gains` by candidate, `rows` in all."""
    width = max((len(each.demand) + len(use) for each, use in zip(candidates, uses, strict=True)), default=1)
    at_rows = np.full((len(candidates), width), rows, dtype=np.int64)
    amounts = np.zeros((len(candidates), width), dtype=np.int64)
    known: dict[Hashable, tuple[list[int], list[int]]] = {}
    for column, (each, use) in enumerate(zip(candidates, uses, strict=True)):
        key = (each.pool, each.demand, use)
        if key not in known:
            units = [(numbers[each.pool, row], amount) for row, amount in each.demand]
            units += [(len(numbers) + node, amount) for node, amount in use]
            known[key] = ([row for row, _ in units], [amount for _, amount in units])
        filled = len(known[key][0])
        at_rows[column, :filled], amounts[column, :filled] = known[key]
    return Columns(
        bundle=np.array([each.bundle for each in candidates], dtype=np.int64),
        pool=np.array([each.pool for each in candidates], dtype=np.int64),
        alternative=np.array([each.alternative for each in candidates], dtype=np.int64),
        gain=np.array(gains, dtype=np.int64),
        accelerators=np.array([each.accelerators for each in candidates], dtype=np.int64),
        rows=at_rows,
        amounts=amounts,
    )


def way_of(problem: Problem, index: int) -> Alternative:
    candidate = problem.survey.candidates[index]
    return problem.bundles[candidate.bundle].spec.alternatives[candidate.alternative]


def candidates_by_pool(problem: Problem, taken: Integers) -> list[tuple[int, list[int]]]:
    """Numbers of candidates, each as often as its column is taken; of a bundle, the best first."""
    columns, placed = problem.columns, np.flatnonzero(taken)
    of_columns = np.flatnonzero(problem.candidates.that_fit(problem.left.free))
    order = placed[np.lexsort((placed, -columns.gain[placed], columns.bundle[placed]))]
    by_pool: dict[int, list[int]] = {}
    for column in order.tolist():
        indices = [int(of_columns[column])] * int(taken[column])
        by_pool.setdefault(int(columns.pool[column]), []).extend(indices)
    return sorted(by_pool.items())
