"""Whether brakes hold when a price or a capacity jumps: plain sums, none of the model's judgement."""

from collections.abc import Callable, Mapping

from scheduler.model.ids import PoolId
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.records import Key, Kind, Record, key_of
from scheduler.model.run import Run, RunState
from scheduler.model.transaction import Commit

FACTOR = 3

Before = Mapping[Key, Record | None]
"""What the records of a commit were before it."""


class JumpsAuditor:
    """Looks at each commit: prices in force, placements, marks, and stops."""

    def __init__(self, violated: Callable[[str], object], count: Callable[[str], None]) -> None:
        self._violated, self._count = violated, count
        self._meant: set[tuple[PoolId, int]] = set()

    def meant(self, pool_id: PoolId, price: int) -> None:
        """An operator is about to say that this price is meant."""
        self._meant.add((pool_id, price))

    def committed(self, commit: Commit, before: Before, records: Mapping[Key, Record]) -> None:
        """`records`: every record, the commit's included."""
        for record in commit.records:
            old = before[key_of(record.entity)]
            match record.entity, None if old is None else old.entity:
                case Pool() as pool, Pool() as earlier:
                    self._check_price(pool, earlier)
                    self._check_capacity(pool, earlier)
                case Run() as run, earlier_run:
                    pool_record = records.get(Key(Kind.POOL, run.pool_id))
                    if pool_record is None or not isinstance(pool_record.entity, Pool):
                        continue
                    if earlier_run is None and run.state is RunState.PLACED:
                        self._check_charge(run, pool_record.entity)
                    if isinstance(earlier_run, Run) and run.stop_reason and not earlier_run.stop_reason:
                        job = records[Key(Kind.JOB, run.job_id)].entity
                        assert isinstance(job, Job), job
                        self._check_stop(run, job, pool_record.entity)
                case _:
                    pass

    def _check_price(self, pool: Pool, earlier: Pool) -> None:
        old, new = (each.spec.price_usd_micros_per_accelerator_hour for each in (earlier, pool))
        if pool.pending_price is not None and pool.pending_price != earlier.pending_price:
            self._count("prices that wait")
        if FACTOR * min(old, new) >= max(old, new):
            return
        if (pool.id, new) not in self._meant:
            self._violated(f"the price of {pool.id} jumped from {old} to {new}, which nobody confirmed")
        self._meant.discard((pool.id, new))
        self._count("prices confirmed")

    def _check_charge(self, run: Run, pool: Pool) -> None:
        """A run is charged the price in force, which has not jumped unconfirmed."""
        placement, price = run.placement, pool.spec.price_usd_micros_per_accelerator_hour
        accelerators = placement.accelerators
        if placement.charged_usd_micros_per_hour != accelerators * price:
            self._violated(
                f"run {run.id} is charged {placement.charged_usd_micros_per_hour} for {accelerators} "
                f"accelerators of {pool.id} at {price}"
            )
        if pool.pending_price is not None:
            self._count("runs placed while a price waits")

    def _check_capacity(self, pool: Pool, earlier: Pool) -> None:
        """A report that takes most of what was there away is marked."""
        if pool.spec != earlier.spec or not earlier.status.ready or pool.status == earlier.status:
            return
        if usable(earlier) > FACTOR * usable(pool):
            self._count("capacities that fell")
            if pool.capacity_fall is None:
                self._violated(f"{pool.id} fell from {usable(earlier)} to {usable(pool)} and is not marked")

    def _check_stop(self, run: Run, job: Job, pool: Pool) -> None:
        """While something jumps, runs of its pool are stopped for their job's sake alone."""
        is_asked_for = job.cancel_requested_at_ms is not None or job.spec.max_duration_ms is not None
        if (pool.pending_price or pool.capacity_fall) and not is_asked_for:
            self._violated(f"run {run.id} is stopped as {run.stop_reason} while {pool.id} jumps")


def usable(pool: Pool) -> int:
    """Accelerators of the nodes or slices that the launcher has, at most the limit."""
    sizes = [g.devices_per_node for g in pool.spec.node_groups for _ in range(g.nodes)]
    sizes += [g.accelerators_per_slice for g in pool.spec.slice_groups for _ in range(g.slices)]
    there = sum(size for n, size in enumerate(sizes) if n not in pool.status.unavailable_nodes)
    limit = pool.spec.limit_accelerators
    if limit is None:
        return there
    return min(there, limit) if sizes else limit
