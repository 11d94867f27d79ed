"""The planner's rules as amounts, per rule and subject, before and after each commit: none may have grown.

A sum of its own over what lives, whatever the planner said; nothing of `planning.verify` is used.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scheduler.model.ids import PoolId, RunId
from scheduler.model.pool import Pool
from scheduler.model.records import Key, Kind
from scheduler.model.run import Run, RunState
from scheduler.model.transaction import Commit
from scheduler.simulation.auditor.capacity import devices_on
from scheduler.simulation.auditor.records import RecordsAuditor
from scheduler.simulation.auditor.stops import stages

Amounts = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a pool was like after the last commit that touched it."""

    pool: Pool
    amounts: Amounts


class RulesAuditor:
    """Told of each commit after the records have taken it over, and of tasks that begin."""

    def __init__(self, records: RecordsAuditor, violated: Callable[[str], object]) -> None:
        self._records, self._violated = records, violated
        self._measured: dict[PoolId, Measured] = {}

    def committed(self, commit: Commit) -> None:
        """Measure each pool of which the commit says something."""
        runs = [record.entity for record in commit.records if isinstance(record.entity, Run)]
        adopting = {run.pool_id for run in runs if run.state is RunState.STARTING}
        pools = {record.entity.id for record in commit.records if isinstance(record.entity, Pool)}
        for pool_id in sorted({*pools, *(run.pool_id for run in runs)}):
            self._measure(pool_id, is_adopting=pool_id in adopting, revision=commit.revision)

    def tail_lost(self) -> None:
        """What was measured may be gone."""
        self._measured.clear()
        for record in self._records.entities(Kind.POOL):
            assert isinstance(record.entity, Pool), record
            self._measured[record.entity.id] = self._now(record.entity)

    def _measure(self, pool_id: PoolId, *, is_adopting: bool, revision: int) -> None:
        record = self._records.records.get(Key(Kind.POOL, pool_id))
        if record is None or not isinstance(record.entity, Pool):
            self._measured.pop(pool_id, None)
            return
        before, now = self._measured.get(pool_id), self._now(record.entity)
        self._measured[pool_id] = now
        is_another = before is None or not is_same(before.pool, now.pool)
        if is_another or is_adopting:
            return  # what runs already may break a rule of what a pool has become
        for (rule, subject), amount in now.amounts.items():
            earlier = 0 if before is None else before.amounts.get((rule, subject), 0)
            if amount > earlier:
                self._violated(f"commit {revision}: {rule} of {subject} grew from {earlier} to {amount}")

    def _now(self, pool: Pool) -> Measured:
        live = [self._records.run(run_id) for run_id in self._records.live.values()]
        runs = [run for run in live if run.pool_id == pool.id]
        amounts: dict[tuple[str, str], int] = {}
        for present in stages(runs):
            for what, amount in amounts_of(pool, present):
                amounts[what] = max(amount, amounts.get(what, 0))
        return Measured(pool=pool, amounts=amounts)

    # --- what is really there ---

    def tasks_started(self, run: Run) -> None:
        """However runs came to be where they are: what lives on a node fits it."""
        record = self._records.records.get(Key(Kind.POOL, run.pool_id))
        if record is None or not isinstance(record.entity, Pool):
            return
        alive = [other for other in self._records.alive_tasks.values() if other.pool_id == run.pool_id]
        mine = {f"{run.pool_id}/{share.node}" for share in run.placement.nodes}
        for (rule, subject), amount in excess_of_units(record.entity, alive):
            if subject in mine:
                self._violated(f"tasks of run {run.id}: {rule} of {subject} is {amount} in what really lives")

    def tasks_ended(self, run_id: RunId) -> None:
        """Less lives than before."""


def is_same(before: Pool, now: Pool) -> bool:
    """Whether a pool can hold as much as before."""
    return (before.spec, before.status, before.cordon, before.deleting) == (
        now.spec,
        now.status,
        now.cordon,
        now.deleting,
    )


def amounts_of(pool: Pool, runs: Sequence[Run]) -> Iterator[tuple[tuple[str, str], int]]:
    """By how much each rule is violated; what is kept is left out."""
    yield from excess_of_units(pool, runs)
    units = [*pool.spec.node_devices(), *pool.spec.slices()]
    tasks = Counter[int]()
    for run in runs:
        tasks.update({share.node: share.tasks for share in run.placement.nodes})
    for node in sorted(tasks):
        if node >= len(units) or node in pool.status.unavailable_nodes:
            yield ("tasks without a node", f"{pool.id}/{node}"), tasks[node]
    accelerators = sum(run.placement.accelerators for run in runs)
    limit = pool.spec.limit_accelerators
    if limit is not None and accelerators > limit:
        yield ("accelerators beyond the limit", pool.id), accelerators - limit
    if runs and (pool.cordon is not None or pool.deleting or not pool.status.ready):
        yield ("runs while it is shut", pool.id), len(runs)


def excess_of_units(pool: Pool, runs: Sequence[Run]) -> Iterator[tuple[tuple[str, str], int]]:
    """Devices beyond a node's, runs beyond the one that a slice takes."""
    for node, devices in enumerate(pool.spec.node_devices()):
        used = sum(devices_on(run.placement, node) for run in runs)
        if used > devices:
            yield ("devices beyond the node", f"{pool.id}/{node}"), used - devices
    for number, group in enumerate(pool.spec.slices()):
        users = [run for run in runs if any(share.node == number for share in run.placement.nodes)]
        others = sum(run.placement.slice_topology != group.topology for run in users)
        if len(users) > 1:
            yield ("runs beyond the one of a slice", f"{pool.id}/{number}"), len(users) - 1
        if others:
            yield ("runs on a slice of another topology", f"{pool.id}/{number}"), others
