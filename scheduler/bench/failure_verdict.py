"""What b8 found: rows from what came of each repetition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from placewright import JobPhase, JobView
from scheduler.bench.failures import Fault
from scheduler.bench.ledger import Entry, alive_together, partly_started, started_twice
from scheduler.bench.mixed_load import Acknowledged
from scheduler.bench.report import Row
from scheduler.control.leader import LEADER_LEASE_MS

B8 = "b8"
FAILOVER_S_MAX = LEADER_LEASE_MS / 1000 + 1
PLACING_S_MAX = {Fault.LEADER_KILLED: FAILOVER_S_MAX}  # of the others it is told, not judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one repetition.

    Attributes:
        placing_again_s: from the fault to the first placement that was committed after it; its time is taken
            just before the commit.
        acknowledged_again_s: from the fault to the first acknowledgement of a job submitted after it.
        longest_wait_s: of jobs submitted after the fault, from submit to running.
        lost: acknowledged jobs that are not there, by id.
        not_done: acknowledged jobs that are there and have not succeeded.
        started_twice: runs; `two_live_runs`: replicas; `partial`: runs of gangs.
    """

    fault: Fault
    seed: int
    seconds: float
    jobs: int
    placing_again_s: float
    acknowledged_again_s: float
    longest_wait_s: float
    lost: Sequence[str]
    not_done: Sequence[str]
    started_twice: Sequence[str]
    two_live_runs: Sequence[str]
    partial: Sequence[str]


COUNTS: Mapping[str, str] = {
    "lost": "acknowledged jobs lost",
    "not_done": "acknowledged jobs that did not succeed",
    "started_twice": "runs started twice",
    "two_live_runs": "replicas with two live runs",
    "partial": "gangs left partial",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """What was seen of one repetition, once all was calm again; times are of the wall clock.

    Attributes:
        placed_at_s: of every run that anybody was told of, by its id.
    """

    fault: Fault
    seed: int
    seconds: float
    broken_at_s: float
    acknowledged: Sequence[Acknowledged]
    jobs: Mapping[str, JobView]
    placed_at_s: Mapping[str, float]
    entries: Sequence[Entry]


def outcome_of(seen: Repetition) -> Outcome:
    after = [each for each in seen.acknowledged if each.began_at_s >= seen.broken_at_s]
    runs = {job_id: job.replicas[0].run for job_id, job in seen.jobs.items()}
    waits_s = [
        run.running_at.timestamp() - each.began_at_s
        for each in after
        if (run := runs.get(each.job_id)) is not None and run.running_at is not None
    ]
    return Outcome(
        fault=seen.fault,
        seed=seen.seed,
        seconds=seen.seconds,
        jobs=len(seen.acknowledged),
        placing_again_s=_since(seen.broken_at_s, list(seen.placed_at_s.values())),
        acknowledged_again_s=_since(seen.broken_at_s, [each.acknowledged_at_s for each in after]),
        longest_wait_s=max(waits_s, default=float("inf")),
        lost=[each.job_id for each in seen.acknowledged if each.job_id not in seen.jobs],
        not_done=[
            each.job_id
            for each in seen.acknowledged
            if each.job_id in seen.jobs and seen.jobs[each.job_id].phase is not JobPhase.SUCCEEDED
        ],
        started_twice=started_twice(seen.entries),
        two_live_runs=alive_together(seen.entries),
        partial=partly_started(seen.entries, _tasks_of_replicas(seen.acknowledged)),
    )


def _since(broken_at_s: float, times_s: Sequence[float]) -> float:
    """Until the first of these that was not before; for ever if there is none."""
    return min((at_s for at_s in times_s if at_s >= broken_at_s), default=float("inf")) - broken_at_s


def _tasks_of_replicas(acknowledged: Sequence[Acknowledged]) -> dict[str, int]:
    """Of each replica, by its id; jobs here have one replica."""
    return {f"{each.job_id}-0": tasks_of(str(each.job.accelerators)) for each in acknowledged}


def tasks_of(accelerators: str) -> int:
    """Of a gang such as h100:2x4: 2, of 4 accelerators each; 1 where no count of tasks is given."""
    tasks, times, _ = accelerators.partition(":")[2].partition("x")
    return int(tasks) if times else 1


def failure_rows(outcomes: Sequence[Outcome], not_done: Sequence[str] = ()) -> list[Row]:
    """Rows by fault: the worst time, and how much went wrong in all repetitions together.

    `not_done`: repetitions that could not be carried out, and why; one is enough to miss the bar.
    """
    rows: list[Row] = []
    for fault in Fault:
        of_fault = [outcome for outcome in outcomes if outcome.fault is fault]
        if of_fault:
            rows += [*_time_rows(fault, of_fault), *_count_rows(fault, of_fault)]
    if not_done:
        rows.append(
            Row(
                benchmark=B8,
                instance="all faults",
                metric="repetitions that could not be carried out",
                value=len(not_done),
                bound=0,
                seconds=0.0,
                detail={"why": list(not_done)},
            )
        )
    return rows


def _time_rows(fault: Fault, outcomes: Sequence[Outcome]) -> list[Row]:
    times = {
        "seconds until placing again, worst": [each.placing_again_s for each in outcomes],
        "seconds until a submit is acknowledged, worst": [each.acknowledged_again_s for each in outcomes],
        "seconds from submit to running, worst": [each.longest_wait_s for each in outcomes],
    }
    bounds = (PLACING_S_MAX.get(fault), None, None)
    return [
        Row(
            benchmark=B8,
            instance=fault,
            metric=metric,
            value=max(values),
            bound=bound,
            seconds=sum(each.seconds for each in outcomes),
            seed=outcomes[0].seed,
            detail={
                "median": median(values),
                "by_seed": {str(each.seed): value for each, value in zip(outcomes, values, strict=True)},
            },
        )
        for (metric, values), bound in zip(times.items(), bounds, strict=True)
    ]


def _count_rows(fault: Fault, outcomes: Sequence[Outcome]) -> list[Row]:
    rows = []
    for name, metric in COUNTS.items():
        found = {str(each.seed): list(getattr(each, name)) for each in outcomes}
        rows.append(
            Row(
                benchmark=B8,
                instance=fault,
                metric=metric,
                value=sum(map(len, found.values())),
                bound=0,
                seconds=sum(each.seconds for each in outcomes),
                seed=outcomes[0].seed,
                detail={
                    "jobs": sum(each.jobs for each in outcomes),
                    "by_seed": {seed: ids for seed, ids in found.items() if ids},
                },
            )
        )
    return rows
