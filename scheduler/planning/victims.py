"""Victims: what may make room for a worthier replica, and in which order it is asked to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from scheduler.model.brakes import FreezeScope, freeze_id
from scheduler.model.disruption import WINDOW_MS
from scheduler.model.ids import PoolId, RunId
from scheduler.model.jumps import unconfirmed_jumps
from scheduler.model.occupancy import ASKED_FOR, is_waiting
from scheduler.model.plan import RunningReplica, Snapshot
from scheduler.model.run import Run, RunState
from scheduler.planning.room import Demand

NOT_BEGUN_MS = 1 << 62
"""In place of the time when all tasks ran, of what has done no work that could be lost."""
HOUR_MS = 3_600_000
STOPPABLE = frozenset({RunState.PLACED, RunState.STARTING, RunState.RUNNING})

Uses = tuple[tuple[int, int], ...]
"""Devices by node; a slice is a node with one device."""


class Fate(IntEnum):
    """How a victim makes room."""

    ENDING = 0
    UNPLACED = 1
    STOPPED = 2


class Victim(NamedTuple):
    """Least worth first, then least time lost: an order that does not change as time goes by.

    The fields are in the order of comparison.

    Attributes:
        worth: V of its priority class; 0 for what is ending anyhow.
        idle_order: the negative time since when all its tasks run.
        size: useful accelerators, permille.
        run_id: empty for a placement of this plan, which `number` names.
    """

    worth: int
    idle_order: int
    size: int
    uses: Uses
    accelerators: int
    run_id: RunId
    number: int
    fate: Fate
    is_asked_for: bool

    @property
    def removed(self) -> int:
        """Useful size that it loses by making room, permille."""
        return 0 if self.fate is Fate.ENDING else self.size

    def loss(self, now_ms: int) -> int:
        """Micro-dollars: an hour of what it gives, and the work that it has done."""
        worked_ms = 0 if -self.idle_order == NOT_BEGUN_MS else max(0, now_ms + self.idle_order)
        return self.worth * self.removed * (HOUR_MS + worked_ms) // (1000 * HOUR_MS)


@dataclass(frozen=True, slots=True)
class Wish:
    """A gang that wants a place: what it takes of the pool, and V of its class."""

    demand: Demand
    accelerators: int
    worth: int


def victim_of(run: Run, uses: Uses, *, worth: int, size: int, fate: Fate) -> Victim:
    return Victim(
        worth=worth,
        idle_order=-(NOT_BEGUN_MS if run.running_at_ms is None else run.running_at_ms),
        size=size,
        uses=uses,
        accelerators=run.placement.accelerators,
        run_id=run.id,
        number=-1,
        fate=fate,
        is_asked_for=run.state in ASKED_FOR,
    )


def is_ending(run: Run, now_ms: int) -> bool:
    """Whether it is being stopped already, for whatever reason, and still within its grace period.

    One that does not end in time may never end: nobody is made to wait for it.
    """
    is_asked = run.state is RunState.STOPPING and run.stop_requested_at_ms is not None
    return is_asked and now_ms <= (run.stop_requested_at_ms or 0) + run.grace_period_ms


def stoppable(snapshot: Snapshot) -> dict[PoolId, list[RunningReplica]]:
    """Runs that may be stopped for a worthier one, by pool; none where a price or a capacity jumps."""
    frozen = {freeze.id for freeze in snapshot.freezes}
    jumping = {planned.pool.id for planned in snapshot.pools if unconfirmed_jumps(planned.pool)}
    found: dict[PoolId, list[RunningReplica]] = {}
    for each in snapshot.running:
        if each.run.pool_id not in jumping and may_be_stopped(each, snapshot, frozen):
            found.setdefault(each.run.pool_id, []).append(each)
    return found


def may_be_stopped(each: RunningReplica, snapshot: Snapshot, frozen: Iterable[str]) -> bool:
    """Whether people and time allow it: pins, holds, freezes, what its job says, the hourly limit."""
    run, spec = each.run, each.job.spec
    if run.state not in STOPPABLE or is_waiting(run) or each.job.hold is not None:
        return False
    if not spec.preemptible or not each.replica.may_be_displaced:
        return False
    protected_ms = 0 if run.running_at_ms is None else run.running_at_ms + spec.min_runtime_ms
    recent = sum(snapshot.now_ms - one.at_ms < WINDOW_MS for one in each.replica.preemptions)
    is_frozen = freeze_id(FreezeScope.QUEUE, spec.queue) in frozen
    return (
        protected_ms <= snapshot.now_ms
        and recent < snapshot.disruption.preemptions_per_hour_max
        and not is_frozen
    )


def size_of(each: RunningReplica) -> int:
    """Useful accelerators, permille."""
    return each.job.spec.alternatives[each.run.placement.alternative_index].gang_speed_permille


def worth_of(each: RunningReplica, snapshot: Snapshot) -> int:
    return snapshot.priority_classes[each.job.spec.priority_class].worth_usd_micros


@dataclass(slots=True)
class Allowance:
    """What the disruption budget still allows this plan.

    Attributes:
        left: stops by what they are counted for; see `counted_for`.
    """

    left: dict[str, int]

    def allows(self, stops: Iterable[RunningReplica]) -> bool:
        return all(many <= self.left.get(name, 0) for name, many in _counts(stops).items())

    def spend(self, stop: RunningReplica) -> None:
        for name in counted_for(stop.run.pool_id, stop.job.spec.queue):
            self.left[name] -= 1


def counted_for(pool_id: PoolId, queue: str) -> tuple[str, str, str]:
    return "fleet", f"pool/{pool_id}", f"queue/{queue}"


def _counts(stops: Iterable[RunningReplica]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for stop in stops:
        for name in counted_for(stop.run.pool_id, stop.job.spec.queue):
            counts[name] = counts.get(name, 0) + 1
    return counts


def allowance_of(snapshot: Snapshot) -> Allowance:
    """The lesser of what a cycle allows and what the last hour has left of its own."""
    budget, recent = snapshot.disruption, dict[str, int]()
    for stop in snapshot.recent_stops:
        for name in counted_for(stop.pool_id, stop.queue):
            recent[name] = recent.get(name, 0) + 1
    limits = {
        "fleet": (budget.fleet_stops_per_cycle_max, budget.fleet_stops_per_hour_max),
        "pool": (budget.pool_stops_per_cycle_max, budget.pool_stops_per_hour_max),
        "queue": (budget.queue_stops_per_cycle_max, budget.queue_stops_per_hour_max),
    }
    names = {name for each in snapshot.running for name in counted_for(each.run.pool_id, each.job.spec.queue)}
    return Allowance(
        {
            name: max(0, min(cycle, hour - recent.get(name, 0)))
            for name in names
            for cycle, hour in [limits[name.partition("/")[0]]]
        }
    )
