"""What b8 makes of what it saw."""

from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from placewright import Job, JobPhase
from placewright.views import JobSpec, JobView, Replica, ReplicaCounts, Run
from placewright.words import JobKind, ReplicaState, RunState
from scheduler.bench.failure_verdict import Outcome, Repetition, failure_rows, outcome_of, tasks_of
from scheduler.bench.failures import Fault
from scheduler.bench.ledger import Entry
from scheduler.bench.mixed_load import Acknowledged

BROKEN_AT_S = 1_000.0


def a_job(job_id: str, *, began_at_s: float, gang: str = "h100:1") -> Acknowledged:
    job = Job(name="job", accelerators=gang, command=["train"])
    return Acknowledged(job_id, job, began_at_s, began_at_s + 0.5)


def a_view(job_id: str, *, placed_at_s: float, phase: JobPhase = JobPhase.SUCCEEDED) -> JobView:
    run = Run(
        run_id=f"{job_id}-0-1", run_number=1, state=RunState.ENDED, end_reason=None, stop_reason=None,
        placement=None, value=None, placed_at=datetime.fromtimestamp(placed_at_s, UTC),
        running_at=datetime.fromtimestamp(placed_at_s + 1, UTC), ended_at=None, exit_code=0, message="",
    )  # fmt: skip
    spec = JobSpec(
        name="job", queue="default", priority_class="standard", kind=JobKind.TRAINING, alternatives=(),
        estimated_duration=None, max_duration=None, grace_period=None, user_error_retries=0,
    )  # fmt: skip
    replica = Replica(
        replica_id=f"{job_id}-0", index=0, state=ReplicaState.DONE, deferral=None, run=run, runs=1
    )
    return JobView(
        job_id=job_id, spec=spec, phase=phase, counts=ReplicaCounts(), desired_replicas=1, spec_generation=1,
        submitter="user", submitted_at=None, cancel_requested_at=None, cancel_reason="", finished_at=None,
        etag="", revision=1, replicas=(replica,), replicas_left_out=False,
    )  # fmt: skip


def a_repetition(*entries: Entry) -> Repetition:
    """One job before the fault, one after it; both succeeded."""
    return Repetition(
        fault=Fault.LEADER_KILLED,
        seed=3,
        seconds=20.0,
        broken_at_s=BROKEN_AT_S,
        acknowledged=[a_job("early", began_at_s=999.0), a_job("late", began_at_s=1_001.0, gang="h100:2x4")],
        jobs={
            "early": a_view("early", placed_at_s=999.5),
            "late": a_view("late", placed_at_s=1_009.0),
        },
        placed_at_s={"early-0-1": 999.5, "late-0-1": 1_009.0, "late-0-2": 1_012.0},
        entries=entries,
    )


def test_times_are_of_what_happened_after_the_fault() -> None:
    outcome = outcome_of(a_repetition())

    assert outcome.placing_again_s == 9.0
    assert outcome.acknowledged_again_s == 1.5
    assert outcome.longest_wait_s == 9.0
    assert (outcome.lost, outcome.not_done, outcome.partial) == ([], [], [])


def test_a_job_that_is_gone_and_one_that_did_not_succeed_are_told_apart() -> None:
    seen = a_repetition()
    jobs = {"late": a_view("late", placed_at_s=1_009.0, phase=JobPhase.FAILED)}

    outcome = outcome_of(replace(seen, jobs=MappingProxyType(jobs)))

    assert (outcome.lost, outcome.not_done) == (["early"], ["late"])


def test_half_a_gang_is_partial() -> None:
    outcome = outcome_of(a_repetition(Entry("start", "late-0-1", 0, 1), Entry("start", "early-0-1", 0, 1)))

    assert outcome.partial == ["late-0-1"]


@pytest.mark.parametrize(("accelerators", "tasks"), [("h100:8", 1), ("h100:2x4", 2), ("h100", 1)])
def test_a_gang_has_as_many_tasks_as_it_says(accelerators: str, tasks: int) -> None:
    assert tasks_of(accelerators) == tasks


def an_outcome(seed: int, *, placing_again_s: float = 9.0, lost: tuple[str, ...] = ()) -> Outcome:
    return replace(outcome_of(a_repetition()), seed=seed, placing_again_s=placing_again_s, lost=lost)


def test_the_worst_repetition_is_judged_and_every_loss_counts() -> None:
    good = failure_rows([an_outcome(1), an_outcome(2)])
    bad = failure_rows([an_outcome(1), an_outcome(2, placing_again_s=11.5, lost=("a", "b"))])

    assert {row.verdict for row in good} == {"met", ""}
    missed = {row.metric: row.value for row in bad if row.verdict == "MISSED"}
    assert missed == {"seconds until placing again, worst": 11.5, "acknowledged jobs lost": 2}


def test_only_the_killed_leader_has_a_bar_of_time() -> None:
    slow = replace(an_outcome(1, placing_again_s=60.0), fault=Fault.FAILOVER)

    assert all(row.verdict != "MISSED" for row in failure_rows([slow]))


def test_never_placing_again_misses_the_bar() -> None:
    never = outcome_of(replace(a_repetition(), jobs={}, placed_at_s={}))

    assert never.placing_again_s == float("inf")
    assert [row.metric for row in failure_rows([never]) if row.verdict == "MISSED"] == [
        "seconds until placing again, worst",
        "acknowledged jobs lost",
    ]


def test_a_repetition_that_could_not_be_carried_out_misses_the_bar() -> None:
    rows = failure_rows([an_outcome(1)], ["half-open TCP, seed 2: b leads"])

    assert [row.metric for row in rows if row.verdict == "MISSED"] == [
        "repetitions that could not be carried out"
    ]
