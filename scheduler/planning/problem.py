"""The problem in numbers: bundles, columns and capacity rows, ready for any search."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scheduler.model.plan import PlannedPool, Snapshot
from scheduler.planning.bundles import Bundle, bundles_of
from scheduler.planning.candidates import Candidate, Survey, survey_of
from scheduler.planning.room import Room, RowName, room_of

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Ways to place one replica of a bundle, one per (bundle, pool, alternative); int64 arrays by column.

    Attributes:
        term: micro-dollars per hour, above 0.
        accelerators: of the gang.
        rows: (columns, most rows of a column), row numbers; the padding names the row after the last.
        amounts: units of those rows that one replica takes; 0 in the padding.
    """

    bundle: Integers
    pool: Integers
    alternative: Integers
    term: Integers
    accelerators: Integers
    rows: Integers
    amounts: Integers

    def __len__(self) -> int:
        return len(self.term)

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
            term=self.term[chosen],
            accelerators=self.accelerators[chosen],
            rows=self.rows[chosen],
            amounts=self.amounts[chosen],
        )


class Left(NamedTuple):
    """What a search may still give out.

    Attributes:
        free: (rows + 1,) free units; the last is the padding's and has no end.
        replicas: (bundles,) replicas without a place.
    """

    free: Integers
    replicas: Integers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """What a search may choose from, and where from it came.

    Attributes:
        left: before anything is placed; replicas that may not be placed now are not counted.
        row_pools, row_accelerators: (rows,) the pool of a row and the accelerators in one unit of it.
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
    columns: Columns
    candidates: Columns

    @property
    def pools(self) -> tuple[PlannedPool, ...]:
        return self.snapshot.pools


def problem_of(snapshot: Snapshot) -> Problem:
    bundles = bundles_of(snapshot)
    rooms = tuple(
        room_of(planned.pool, planned.live_runs, now_ms=snapshot.now_ms) for planned in snapshot.pools
    )
    survey = survey_of(snapshot, bundles, rooms)
    numbers = row_numbers(survey.candidates)
    candidates = columns_of(survey.candidates, numbers)
    free = np.array([rooms[pool].free(row) for pool, row in numbers] + [np.iinfo(np.int64).max])
    counts = [len(bundle.replicas) if bundle.may_be_placed else 0 for bundle in bundles]
    return Problem(
        snapshot=snapshot,
        bundles=bundles,
        rooms=rooms,
        survey=survey,
        left=Left(free=free.astype(np.int64), replicas=np.array(counts, dtype=np.int64)),
        row_pools=np.array([pool for pool, _ in numbers], dtype=np.int64),
        row_accelerators=np.array([row.accelerators for _, row in numbers], dtype=np.int64),
        columns=candidates.only(candidates.that_fit(free)),
        candidates=candidates,
    )


def row_numbers(candidates: tuple[Candidate, ...]) -> dict[tuple[int, RowName], int]:
    """The rows that candidates use, numbered by pool, kind and size."""
    used = {(each.pool, each.demand) for each in candidates}
    rows = {(pool, row) for pool, demand in used for row, _ in demand}
    return {row: number for number, row in enumerate(sorted(rows))}


def columns_of(candidates: tuple[Candidate, ...], numbers: dict[tuple[int, RowName], int]) -> Columns:
    width = max((len(each.demand) for each in candidates), default=1)
    rows = np.full((len(candidates), width), len(numbers), dtype=np.int64)
    amounts = np.zeros((len(candidates), width), dtype=np.int64)
    padded: dict[tuple[int, object], tuple[list[int], list[int]]] = {}
    for column, each in enumerate(candidates):
        key = (each.pool, each.demand)
        if key not in padded:
            padded[key] = (
                [numbers[each.pool, row] for row, _ in each.demand],
                [amount for _, amount in each.demand],
            )
        rows[column, : len(each.demand)], amounts[column, : len(each.demand)] = padded[key]
    return Columns(
        bundle=np.array([each.bundle for each in candidates], dtype=np.int64),
        pool=np.array([each.pool for each in candidates], dtype=np.int64),
        alternative=np.array([each.alternative for each in candidates], dtype=np.int64),
        term=np.array([each.term for each in candidates], dtype=np.int64),
        accelerators=np.array([each.accelerators for each in candidates], dtype=np.int64),
        rows=rows,
        amounts=amounts,
    )
