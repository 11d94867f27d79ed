"""What every commit must keep: moves, tokens, one live run, whole gangs, capacity, the fence, leases."""

from collections.abc import Callable, Mapping
from typing import Protocol

from scheduler.model.ids import History, JobId, LauncherId, ReplicaId, Revision, RunId
from scheduler.model.job import Job
from scheduler.model.pool import Pool
from scheduler.model.records import UNMIRRORED, Key, Kind, Record, key_of
from scheduler.model.replica import Replica
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Committed, Fence, Outcome, StaleFence, Transaction
from scheduler.simulation.auditor import brakes, capacity, quotas
from scheduler.simulation.auditor.jumps import JumpsAuditor
from scheduler.simulation.auditor.saying import said_of
from scheduler.simulation.auditor.steps import step_faults
from scheduler.simulation.auditor.stops import StopsAuditor
from scheduler.simulation.trace import Trace
from scheduler.simulation.world import World

# Written out once more, so that a wrong row of the model's table is found.
ALLOWED_MOVES: Mapping[RunState, str] = {
    RunState.PLACED: "starting ended",
    RunState.STARTING: "running stopping ended unreachable",
    RunState.RUNNING: "stopping ended unreachable",
    RunState.STOPPING: "ended unreachable",
    RunState.UNREACHABLE: "starting running stopping ended",
    RunState.ENDED: "",
}

OUTAGE_NOTICED_MS_MIN = 4_000
LOSS_WINDOW_MS = 3_600_000
MILLION = 1_000_000

Report = Callable[[str], object]


class TrueTime(Protocol):
    """Since the world began: without leaps, as leases count, and with them."""

    def awake_ms(self) -> int: ...
    def elapsed_ms(self) -> int: ...


class Leases:
    """When each launcher lease may run out at the earliest."""

    def __init__(self) -> None:
        self.leader_since_ms = 0
        self.store_back_since_ms = 0
        self._renewed: dict[LauncherId, tuple[int, int, int]] = {}
        self._renewed_at_ms: dict[LauncherId, int] = {}

    def seen(self, session: LauncherSession, now_ms: int) -> None:
        renewal = (session.number, session.renewal_number, session.lease_duration_ms)
        if self._renewed.get(session.launcher_id) != renewal:
            self._renewed[session.launcher_id] = renewal
            self._renewed_at_ms[session.launcher_id] = now_ms

    def earliest_end_ms(self, session: LauncherSession, *, drift_ppm: int) -> int:
        """In true time; a leader's clock may be fast by so much."""
        start = (self._renewed_at_ms[session.launcher_id], self.leader_since_ms, self.store_back_since_ms)
        return max(start) + session.lease_duration_ms * MILLION // (MILLION + drift_ppm) - (drift_ppm > 0)


class RecordsAuditor:
    """Its own copy of every record, from the commits alone."""

    def __init__(self, violated: Report, true_time: TrueTime, trace: Trace, *, world: World) -> None:
        self._mass_loss_guard_runs = world.mass_loss_guard_runs
        self._drift_ppm = world.faults.clock_drift_ppm
        self._lost_at_ms: list[int] = []
        self._violated, self._elapsed_ms, self._trace = violated, true_time.awake_ms, trace
        self.stops = StopsAuditor(self, violated, true_time.elapsed_ms, world=world)
        self.records: dict[Key, Record] = {}
        self.revision = Revision(0)
        self.commits: dict[Revision, Commit] = {}
        self.leases = Leases()
        self.live: dict[ReplicaId, RunId] = {}
        self.claimed: dict[RunId, None] = {}
        self.force_ended: dict[RunId, None] = {}
        self.alive_tasks: dict[RunId, Run] = {}
        self._started: dict[tuple[RunId, int], None] = {}
        self._tokens: dict[ReplicaId, int] = {}
        self._since_fleet_changed = 0
        self._lost_history_runs: set[RunId] = set()
        self._history: History | None = None
        self.lost_jobs: set[JobId] = set()
        self.lost_cancels: set[JobId] = set()
        self._fence: Fence | None = None
        self._fences: dict[int, tuple[str, str]] = {}
        self.counts: dict[str, int] = {}
        self.jumps = JumpsAuditor(violated, self.count)

    # --- the leader ---

    def led(self, holder: str, fence: Fence | None) -> None:
        if fence is None:
            return
        known = self._fences.get(fence.number)
        if known is None:
            if fence.number <= max(self._fences, default=0):
                self._violated(f"fence {fence} is new and not the highest")
            self._fences[fence.number] = (fence.nonce, holder)
            self._fence, self.leases.leader_since_ms = fence, self._elapsed_ms()
            self._lost_at_ms.clear()
            self.count("leaders")
        elif known != (fence.nonce, holder) or fence != self._fence:
            self._violated(f"fence {fence} of {known} was given to {holder}")

    def store_was_away(self, duration_ms: int) -> None:
        """The store can be reached again; a short absence a leader may rightly not notice."""
        self.count("outages")
        if duration_ms >= OUTAGE_NOTICED_MS_MIN:
            self.leases.store_back_since_ms = self._elapsed_ms()

    def released(self, fence: Fence) -> None:
        if fence == self._fence:
            self._fence = None

    def transacted(self, transaction: Transaction, outcome: Outcome) -> None:
        if transaction.fence is not None and transaction.fence != self._fence:
            self.count("writes of deposed leaders")
            if not isinstance(outcome, StaleFence):
                self._violated(f"a write of deposed leader {transaction.fence} was not refused: {outcome}")
        elif isinstance(outcome, StaleFence):
            self._violated(f"a write of the leader {transaction.fence} was refused")
        if transaction.fence is None and isinstance(outcome, Committed):
            for put in transaction.puts:
                if isinstance(put.entity, Run) and put.entity.end_reason is EndReason.LOST:
                    self.force_ended[put.entity.id] = None

    # --- histories ---

    def history_began(self, revision: Revision) -> None:
        if revision <= self.revision:
            self._violated(f"a new history begins at revision {revision}, not above {self.revision}")
        self.revision = revision
        self.leases.store_back_since_ms = self._elapsed_ms()
        self.count("histories")

    def commits_to_lose(self, wanted: int) -> int:
        """So many of the newest commits that no pool spec is lost: nobody would know whose its runs are."""
        return min(wanted, self._since_fleet_changed)

    def tail_lost(self, left: State) -> None:
        """The store is as it was some commits ago."""
        self.count("lost tails")
        self.stops.tail_lost()
        before = self.records
        self.records = {
            key_of(r.entity): r for kind in Kind if kind not in UNMIRRORED for r in left.records(kind)
        }
        self._note_lost_intents(before)
        self.live = {run.replica_id: run.id for run in left.all_live_runs()}
        self._lost_history_runs |= self.alive_tasks.keys() - set(self.live.values())
        self._since_fleet_changed = 0

    def _note_lost_intents(self, before: Mapping[Key, Record]) -> None:
        """Jobs and cancels that were written and are gone: an acknowledgement may still be under way."""
        for key, record in before.items():
            if isinstance(job := record.entity, Job):
                left = self.records.get(key)
                if left is None:
                    self.lost_jobs.add(job.id)
                elif isinstance(left.entity, Job) and is_ending(job) and not is_ending(left.entity):
                    self.lost_cancels.add(job.id)

    # --- commits ---

    def carried_out(self, transaction: Transaction, commit: Commit) -> None:
        """Just before the commit is taken over."""
        for fault in step_faults(transaction, commit, self.records):
            self._violated(fault)

    def committed(self, history: History, commit: Commit) -> None:
        self._history = self.stops.history = history
        if commit.revision != self.revision + 1:
            self._violated(f"revision {commit.revision} follows {self.revision}")
        self.revision = commit.revision
        changes_fleet = any(
            isinstance(r.entity, Pool) and not self._is_same_spec(r.entity) for r in commit.records
        )
        self._since_fleet_changed = 0 if changes_fleet or commit.removed else self._since_fleet_changed + 1
        self.commits[commit.revision] = commit
        self._trace.add(f"commit {commit.revision} {said_of(commit)}")
        before = {key: self.records.get(key) for key in (key_of(r.entity) for r in commit.records)}
        for record in commit.records:
            self.records[key_of(record.entity)] = record
        for key in commit.removed:
            self._removed(key)
        for record in commit.records:
            self._check(record, before[key_of(record.entity)])
        for record in commit.records:
            if isinstance(record.entity, Replica):
                self._check_live_run(record.entity)
        self.jumps.committed(commit, before, self.records)
        self.stops.commit_is_known()

    def _is_same_spec(self, pool: Pool) -> bool:
        held = self.records.get(key_of(pool))
        return held is not None and isinstance(held.entity, Pool) and held.entity.spec == pool.spec

    def _removed(self, key: Key) -> None:
        held = self.records.pop(key, None)
        if key.kind is Kind.POOL and held is not None:
            for run_id in self.live.values():
                if self.run(run_id).pool_id == key.id:
                    self._violated(f"pool {key.id} was removed under live run {run_id}")

    def _check(self, record: Record, old: Record | None) -> None:
        if old is not None and record.version <= old.version:
            self._violated(f"version of {key_of(record.entity)} went from {old.version} to {record.version}")
        before = None if old is None else old.entity
        match record.entity:
            case Run() as run:
                assert before is None or isinstance(before, Run)
                self._check_run(run, before)
            case Replica() as replica:
                assert before is None or isinstance(before, Replica)
                self._check_replica(replica, before)
            case Job() as job:
                assert before is None or isinstance(before, Job)
                self._check_job(job, before)
            case LauncherSession() as session:
                assert before is None or isinstance(before, LauncherSession)
                self._check_session(session, before)

    def _check_run(self, run: Run, old: Run | None) -> None:
        if old is None:
            self._check_new_run(run)
            return
        if run.state is not old.state and run.state not in ALLOWED_MOVES[old.state].split():
            self._violated(f"run {run.id} moved from {old.state} to {run.state}")
        if run.state is old.state is RunState.ENDED:
            self._violated(f"run {run.id} was written after its end")
        if (run.run_token, run.placement, run.replica_id) != (old.run_token, old.placement, old.replica_id):
            self._violated(f"run {run.id} changed its token, placement or replica")
        if run.generation < old.generation:
            self._violated(f"run {run.id}: generation fell from {old.generation} to {run.generation}")
        self.stops.changed(run, old)
        if old.state is RunState.PLACED and run.state is RunState.STARTING:
            self.claimed[run.id] = None
        if run.state is RunState.ENDED and old.state is not RunState.ENDED:
            self._check_ended(run, old)

    def _check_new_run(self, run: Run) -> None:
        self.count("runs")
        is_adopted = run.id in self._lost_history_runs or run.id in self.claimed
        if run.state is not RunState.PLACED and not (run.state is RunState.STARTING and is_adopted):
            self._violated(f"run {run.id} began as {run.state}")
        if is_adopted:
            self.count("runs adopted")
        if run.replica_id in self.live:
            self._violated(f"{run.replica_id} got run {run.id} while {self.live[run.replica_id]} lives")
        self.live[run.replica_id] = run.id
        self.stops.placed(run)
        job, pool = self.job_of(run), self.records.get(Key(Kind.POOL, run.pool_id))
        if pool is None or not isinstance(pool.entity, Pool):
            self._violated(f"run {run.id} was placed on pool {run.pool_id}, which does not exist")
            return
        if job.cancel_requested_at_ms is not None or job.outcome is not None:
            self._violated(f"run {run.id} was placed although its job ends")
        if run.state is not RunState.PLACED:
            return  # it runs there already
        faults = (*capacity.faults_of(run, job, pool.entity), *brakes.faults_of(run, job, self.records))
        for fault in (*faults, *quotas.faults_of(run, self.records, map(self.run, self.live.values()))):
            self._violated(f"run {run.id} on {run.pool_id}: {fault}")

    def _check_ended(self, run: Run, old: Run) -> None:
        self.count(f"runs ended {run.end_reason}")
        if self.live.get(run.replica_id) == run.id:
            del self.live[run.replica_id]
        if run.id in self.alive_tasks:
            self._violated(f"run {run.id} was ended as {run.end_reason} while its tasks live")
        if run.end_reason is EndReason.LOST and run.id not in self.force_ended:
            pool = self.records.get(Key(Kind.POOL, run.pool_id))
            if pool is None or not isinstance(pool.entity, Pool) or not pool.entity.spec.self_fencing:
                self._violated(f"run {run.id} was lost on {run.pool_id}, which does not fence itself")
            self._check_guard()
            session = self.records[Key(Kind.SESSION, run.launcher_id)].entity
            assert isinstance(session, LauncherSession)
            if not session.is_expired or old.state is not RunState.UNREACHABLE:
                self._violated(f"run {run.id} was lost while its launcher's session counts")

    def _check_guard(self) -> None:
        """At each loss that no operator declared: few within an hour of one leader."""
        now_ms = self._elapsed_ms()
        window_ms = LOSS_WINDOW_MS * MILLION // (MILLION + self._drift_ppm)
        self._lost_at_ms = [at_ms for at_ms in self._lost_at_ms if at_ms > now_ms - window_ms] + [now_ms]
        if len(self._lost_at_ms) > self._mass_loss_guard_runs:
            self._violated(
                f"{len(self._lost_at_ms)} runs were lost within {LOSS_WINDOW_MS} ms, "
                f"the guard allows {self._mass_loss_guard_runs}"
            )

    def _check_replica(self, replica: Replica, old: Replica | None) -> None:
        if old is None:
            if replica.run_number or replica.run_token:
                self._violated(f"replica {replica.id} began with run {replica.run_number}")
            return
        if replica.run_number < old.run_number or replica.run_token < old.run_token:
            self._violated(f"replica {replica.id}: run number or token fell")
        if replica.run_number > old.run_number and replica.run_token <= old.run_token:
            self._violated(f"replica {replica.id}: a new run without a higher token")
        if old.outcome is not None and replica.outcome is not old.outcome:
            self._violated(f"replica {replica.id} was done as {old.outcome} and is now {replica.outcome}")

    def _check_live_run(self, replica: Replica) -> None:
        if replica.live_run != self.live.get(replica.id):
            self._violated(
                f"replica {replica.id} says live run {replica.live_run}; it is {self.live.get(replica.id)}"
            )

    def _check_job(self, job: Job, old: Job | None) -> None:
        if old is None:
            self.count("jobs")
            return
        if job.outcome is not None and old.outcome is None:
            self.count("jobs finished")
        if old.outcome is not None and job.outcome is not old.outcome:
            self._violated(f"job {job.id} was {old.outcome} and is now {job.outcome}")
        if old.cancel_requested_at_ms is not None and job.cancel_requested_at_ms is None:
            self._violated(f"job {job.id}: its cancel was forgotten")
        if job.outcome is not None and any(self.run(r).job_id == job.id for r in self.live.values()):
            self._violated(f"job {job.id} finished while a run of it lives")

    def _check_session(self, session: LauncherSession, old: LauncherSession | None) -> None:
        if old is not None and session.number < old.number:
            self._violated(f"session of {session.launcher_id} fell from {old.number} to {session.number}")
        counts = session.history == self._history  # else what was judged just before may still come
        if counts and session.is_expired and old is not None and not old.is_expired:
            self.count("leases expired")
            earliest_ms = self.leases.earliest_end_ms(old, drift_ppm=self._drift_ppm)
            if self._elapsed_ms() < earliest_ms:
                self._violated(
                    f"the lease of {session.launcher_id} expired at {self._elapsed_ms()} ms, "
                    f"before {earliest_ms} ms"
                )
        self.leases.seen(session, self._elapsed_ms())

    # --- tasks ---

    def tasks_started(self, run: Run) -> None:
        """At the instant at which the first task of a run lives."""
        if run.id not in self.claimed:
            self._violated(f"tasks of run {run.id} were started without a claim")
        if (run.id, run.run_token) in self._started:
            self._violated(f"tasks of run {run.id} were started twice")
        self._started[run.id, run.run_token] = None
        if run.run_token <= self._tokens.get(run.replica_id, 0):
            self._violated(f"tasks of {run.id} have token {run.run_token}, an earlier run had as high a one")
        self._tokens[run.replica_id] = run.run_token
        self.count("tasks started")
        for other in self.alive_tasks.values():
            if other.replica_id == run.replica_id:
                self._violated(f"tasks of {other.id} and {run.id} live at once, both of {run.replica_id}")
        if Key(Kind.RUN, run.id) in self.records and not self.run(run.id).is_live:
            self._violated(f"tasks of run {run.id} were started after its end")
        self.alive_tasks[run.id] = run

    def tasks_ended(self, run_id: RunId) -> None:
        self.alive_tasks.pop(run_id, None)

    # --- help ---

    def run(self, run_id: RunId) -> Run:
        run = self.records[Key(Kind.RUN, run_id)].entity
        assert isinstance(run, Run)
        return run

    def job_of(self, run: Run) -> Job:
        job = self.records[Key(Kind.JOB, run.job_id)].entity
        assert isinstance(job, Job)
        return job

    def entities(self, kind: Kind) -> list[Record]:
        """Records of a kind, by id."""
        return [self.records[key] for key in sorted(self.records, key=lambda k: k.id) if key.kind is kind]

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def is_ending(job: Job) -> bool:
    return job.outcome is not None or job.cancel_requested_at_ms is not None
