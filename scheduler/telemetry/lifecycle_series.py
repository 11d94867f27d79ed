"""Lifecycle series: what happened to jobs and runs, counted commit by commit."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

from scheduler.model.ids import PoolId, PriorityClassName
from scheduler.model.job import Job, JobPhase
from scheduler.model.replica import Replica
from scheduler.model.run import EndReason, Run
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.telemetry.buckets import LAUNCH_SECONDS, TIME_TO_PLACE_SECONDS

FINISHED_PHASES = (JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED)


class LifecycleSeries:
    """Counts of moves; each process that follows the event stream counts all of them."""

    def __init__(self, registry: CollectorRegistry, classes: Sequence[PriorityClassName]) -> None:
        self._classes, self._pools = classes, set[PoolId]()
        self._declare_jobs(registry)
        self._declare_runs(registry)
        for phase in FINISHED_PHASES:
            self._finished.labels(phase)
        for reason in EndReason:
            self._outcomes.labels(reason)
        for name in classes:
            self._submitted.labels(name)
            self._time_to_place.labels(name)

    def _declare_jobs(self, registry: CollectorRegistry) -> None:
        self._submitted = Counter(
            "placewright_jobs_submitted", "Jobs accepted.", ["priority_class"], registry=registry
        )
        self._finished = Counter(
            "placewright_jobs_finished", "Jobs that have ended, by how.", ["phase"], registry=registry
        )

    def _declare_runs(self, registry: CollectorRegistry) -> None:
        self._placements = Counter(
            "placewright_placements",
            "Replicas placed, by pool; a retry is a new placement.",
            ["pool", "priority_class"],
            registry=registry,
        )
        self._outcomes = Counter(
            "placewright_run_outcomes", "Runs that have ended, by why.", ["end_reason"], registry=registry
        )
        self._preemptions = Counter(
            "placewright_preemptions",
            "Runs that were stopped for worthier ones, by where and of which class they were.",
            ["pool", "priority_class"],
            registry=registry,
        )
        self._preempted_seconds = Counter(
            "placewright_preempted_accelerator_seconds",
            "Accelerators of preempted runs times how long all their tasks had run: at most what was lost.",
            ["pool", "priority_class"],
            unit="seconds",
            registry=registry,
        )
        self._time_to_place = Histogram(
            "placewright_time_to_place_seconds",
            "Time from when a replica began to wait to its placement.",
            ["priority_class"],
            unit="seconds",
            buckets=TIME_TO_PLACE_SECONDS,
            registry=registry,
        )
        self._launch_seconds = Histogram(
            "placewright_launch_seconds",
            "Time from placement until all tasks of the run were running.",
            unit="seconds",
            buckets=LAUNCH_SECONDS,
            registry=registry,
        )

    def start_pools_at_zero(self, state: State) -> None:
        """Show each pool before its first placement, so that the first one shows as a rise."""
        for pool in state.pools():
            if pool.id not in self._pools:
                self._pools.add(pool.id)
                for name in self._classes:
                    self._placements.labels(pool.id, name)
                    self._preemptions.labels(pool.id, name)
                    self._preempted_seconds.labels(pool.id, name)

    def record_commit(self, before: State, commit: Commit) -> None:
        """Count what a commit changes; call it before the commit is applied to `before`."""
        if commit.revision <= before.revision:
            return
        for record in commit.records:
            match record.entity:
                case Job() as job:
                    self._record_job(before.job(job.id), job)
                case Run() as run:
                    self._record_run(before, commit, run)

    def _record_job(self, old: Job | None, new: Job) -> None:
        if old is None:
            self._submitted.labels(new.spec.priority_class).inc()
        if new.outcome is not None and (old is None or old.outcome is None):
            self._finished.labels(new.outcome).inc()

    def _record_run(self, before: State, commit: Commit, new: Run) -> None:
        old = before.run(new.id)
        if old is None:
            self._record_placement(before, commit, new)
        if new.running_at_ms is not None and (old is None or old.running_at_ms is None):
            self._launch_seconds.observe(max(0, new.running_at_ms - new.placed_at_ms) / 1_000)
        if new.end_reason is not None and (old is None or old.end_reason is None):
            self._outcomes.labels(new.end_reason).inc()
            if new.end_reason is EndReason.PREEMPTED:
                self._record_preemption(before, new)

    def _record_preemption(self, before: State, run: Run) -> None:
        job = before.job(run.job_id)
        if job is None or run.ended_at_ms is None:
            return
        labels = run.pool_id, job.spec.priority_class
        ran_ms = 0 if run.running_at_ms is None else max(0, run.ended_at_ms - run.running_at_ms)
        self._preemptions.labels(*labels).inc()
        self._preempted_seconds.labels(*labels).inc(run.placement.accelerators * ran_ms / 1_000)

    def _record_placement(self, before: State, commit: Commit, run: Run) -> None:
        job = before.job(run.job_id)
        if job is None:
            return
        self._placements.labels(run.pool_id, job.spec.priority_class).inc()
        for record in commit.records:
            if isinstance(record.entity, Replica) and record.entity.id == run.replica_id:
                seconds = max(0, run.placed_at_ms - record.entity.waiting_since_ms) / 1_000
                self._time_to_place.labels(job.spec.priority_class).observe(seconds)
