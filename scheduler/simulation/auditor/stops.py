"""Whether runs are stopped for others only as they may be, and what waits for them starts only then."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from scheduler.model.ids import History, ReplicaId, RunId
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.records import Key, Kind, Record
from scheduler.model.replica import Replica
from scheduler.model.run import EndReason, Run, RunState
from scheduler.simulation.world import World

HOUR_MS = 3_600_000
WORTH = {"frontier": 3, "standard": 2, "batch": 1}
CLOCK_ERROR_MS = 60_000  # of a leader, in worlds where clocks are not set wrong


class Records(Protocol):
    """What the auditor of all records knows."""

    records: dict[Key, Record]
    live: dict[ReplicaId, RunId]

    def run(self, run_id: RunId) -> Run: ...
    def job_of(self, run: Run) -> Job: ...
    def count(self, what: str) -> None: ...


class StopsAuditor:
    """Follows every preemption.

    Attributes:
        history: the newest; a claim of an earlier one may have been recovered.
    """

    def __init__(
        self,
        records: Records,
        violated: Callable[[str], object],
        elapsed_ms: Callable[[], int],
        *,
        world: World,
    ) -> None:
        self._records, self._violated, self._elapsed_ms = records, violated, elapsed_ms
        self._has_right_clocks = world.faults.mishaps_every_ms is None
        self._budget = world.disruption
        self._at_ms: list[tuple[int, ReplicaId]] = []
        self._preempted_now: list[tuple[Run, Run]] = []
        self.history: History | None = None

    def placed(self, run: Run) -> None:
        """A new run: what it waits for is being stopped, and is on its pool."""
        for run_id in run.after_runs:
            awaited = self._known(run_id)
            if awaited is None:
                self._violated(f"run {run.id} waits for {run_id}, which is not known")
            elif awaited.pool_id != run.pool_id:
                self._violated(f"run {run.id} waits for {run_id}, which is on {awaited.pool_id}")
            elif awaited.is_live and awaited.stop_reason is None:
                self._violated(f"run {run.id} waits for {run_id}, which nobody stops")
        if run.after_runs:
            self._records.count("runs that wait for others")

    def changed(self, run: Run, old: Run) -> None:
        """A run that has moved, or been stopped."""
        is_claimed = old.state is RunState.PLACED and run.state is RunState.STARTING
        if is_claimed and run.history == self.history:
            for run_id in run.after_runs:
                awaited = self._known(run_id)
                if awaited is not None and awaited.is_live:
                    self._violated(f"run {run.id} was claimed while {run_id}, which it waits for, lives")
        if EndReason.PREEMPTED in (_why(run), _why(old)) and _why(run) is not _why(old):
            self._preempted_now.append((run, old))

    def tail_lost(self) -> None:
        """The store may have forgotten preemptions: nobody can count them any more."""
        self._at_ms.clear()

    def commit_is_known(self) -> None:
        """All of a commit has been taken over: also what stands in for the runs that it stops."""
        for run, old in self._preempted_now:
            self._preempted(run, old)
        self._preempted_now.clear()

    def _preempted(self, run: Run, old: Run) -> None:
        self._records.count("runs preempted")
        for fault in (*self._faults_of(run, old), *self._too_often(run)):
            self._violated(f"run {run.id} was preempted although {fault}")

    def _faults_of(self, run: Run, old: Run) -> Iterator[str]:
        job = self._records.job_of(run)
        if old.state not in (RunState.PLACED, RunState.STARTING, RunState.RUNNING):
            yield f"it was {old.state}"
        if not job.spec.preemptible:
            yield "its job is not preemptible"
        if job.hold is not None:
            yield "its job is held"
        replica = self._records.records[Key(Kind.REPLICA, run.replica_id)].entity
        if isinstance(replica, Replica) and replica.pin is not None:
            yield "it is pinned"
        pool = self._records.records[Key(Kind.POOL, run.pool_id)].entity
        if isinstance(pool, Pool) and (pool.pending_price or pool.capacity_fall):
            yield "a price or a capacity of its pool jumps"
        for freeze in ("cell", f"pool/{run.pool_id}", f"queue/{job.spec.queue}"):
            if Key(Kind.FREEZE, freeze) in self._records.records:
                yield f"{freeze} is frozen"
        stopped_ms = run.stop_requested_at_ms
        if self._has_right_clocks and stopped_ms is not None and run.running_at_ms is not None:
            ran_ms = stopped_ms - run.running_at_ms
            if ran_ms < job.spec.min_runtime_ms - CLOCK_ERROR_MS:
                yield f"it had run for {ran_ms} of {job.spec.min_runtime_ms} ms"
        if not any(self._is_worthier(other, job) for other in self._waiting_for(run)):
            yield "nothing worthier waits for it"

    def _waiting_for(self, run: Run) -> list[Run]:
        others = map(self._records.run, self._records.live.values())
        return [other for other in others if run.id in other.after_runs]

    def _is_worthier(self, run: Run, than: Job) -> bool:
        name = self._records.job_of(run).spec.priority_class
        return WORTH[name] > WORTH[than.spec.priority_class]

    def _too_often(self, run: Run) -> Iterator[str]:
        now_ms = self._elapsed_ms()
        self._at_ms.append((now_ms, run.replica_id))
        if not self._has_right_clocks:
            return
        recent = [each for at_ms, each in self._at_ms if at_ms > now_ms - HOUR_MS + CLOCK_ERROR_MS]
        if recent.count(run.replica_id) > self._budget.preemptions_per_hour_max:
            yield f"its replica was preempted {recent.count(run.replica_id)} times within an hour"
        if len(recent) > self._budget.fleet_stops_per_hour_max:
            yield f"{len(recent)} runs were within an hour"

    def _known(self, run_id: RunId) -> Run | None:
        record = self._records.records.get(Key(Kind.RUN, run_id))
        return record.entity if record is not None and isinstance(record.entity, Run) else None


def _why(run: Run) -> EndReason | None:
    """Why it is being stopped, or was withdrawn before anybody had it."""
    return run.stop_reason or (run.end_reason if run.claimed_by is None else None)


def stages(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Who is there at once, whatever of that which is waited for has ended by then.

    Each set that something waits for is a stage: it has ended, and all that waited for no more is there;
    so is that nothing of it has ended, and all.
    """
    live = {each.id for each in runs}
    waits: Mapping[RunId, frozenset[RunId]] = {
        each.id: frozenset(live.intersection(each.after_runs))
        if each.state is RunState.PLACED
        else frozenset()
        for each in runs
    }
    every = frozenset(run_id for wait in waits.values() for run_id in wait)
    for ended in {frozenset(), every, *waits.values()}:
        yield [each for each in runs if each.id not in ended and waits[each.id] <= ended]
