"""Ends: what becomes of a replica, and how long it waits before it is placed again."""

from dataclasses import replace
from itertools import pairwise

import pytest

from scheduler.model.deferral import DeferralReason
from scheduler.model.job import Job
from scheduler.model.replica import BACK_OFF_MS_MAX, Replica, ReplicaState
from scheduler.model.run import EndReason, RunState
from scheduler.model.transitions.ending import BACK_OFFS, NO_BACK_OFF, STEADY_RUN_MS, after_end, ended
from tests.builders import NOW_MS, a_job, a_live_replica, a_pool, a_replica, a_run

TRAINING = a_job()
SERVICE = a_job(replicas=1)
ALWAYS_FINAL = {
    EndReason.CANCELLED: EndReason.CANCELLED,
    EndReason.TIMEOUT: EndReason.TIMEOUT,
    EndReason.SCALED_DOWN: EndReason.SCALED_DOWN,
    EndReason.USER_ERROR: EndReason.USER_ERROR,  # without retries
}
BACKS_OFF = [reason for reason, back_off in BACK_OFFS.items() if back_off is not NO_BACK_OFF]
STARTS_AGAIN_AT_ONCE = [reason for reason, back_off in BACK_OFFS.items() if back_off is NO_BACK_OFF]


def cancelling(job: Job) -> Job:
    return replace(job, cancel_requested_at_ms=NOW_MS)


def after(job: Job, reason: EndReason, *, running_at_ms: int | None = None, **fields: int) -> Replica:
    """The job's replica, once its run has ended NOW_MS; `fields` are what it had counted before."""
    run = a_run(job, a_pool(), running_at_ms=running_at_ms)
    replica = replace(a_live_replica(job, run), **fields)  # type: ignore[arg-type]  # counts of a replica
    return after_end(job, replica, ended(run, reason, now_ms=NOW_MS))


def wait_ms(replica: Replica) -> int:
    return replica.not_before_ms - NOW_MS


@pytest.mark.parametrize("reason", EndReason)
def test_a_trainings_replica_is_done_when_it_succeeded_or_must_not_go_on(reason: EndReason) -> None:
    outcome = {**ALWAYS_FINAL, EndReason.SUCCEEDED: EndReason.SUCCEEDED}.get(reason)

    replica = after(TRAINING, reason)

    assert replica.outcome == outcome
    assert replica.state is (ReplicaState.WAITING if outcome is None else ReplicaState.DONE)
    assert replica.live_run is None


@pytest.mark.parametrize("reason", EndReason)
def test_a_services_replica_waits_again_even_when_it_succeeded(reason: EndReason) -> None:
    replica = after(SERVICE, reason)

    assert replica.outcome == ALWAYS_FINAL.get(reason)
    assert replica.state is (ReplicaState.DONE if reason in ALWAYS_FINAL else ReplicaState.WAITING)


@pytest.mark.parametrize("job", [TRAINING, SERVICE], ids=["training", "service"])
@pytest.mark.parametrize("reason", EndReason)
def test_a_cancelled_jobs_replica_never_waits_again(job: Job, reason: EndReason) -> None:
    has_succeeded = reason is EndReason.SUCCEEDED and job is TRAINING  # the real exit wins

    replica = after(cancelling(job), reason)

    assert replica.state is ReplicaState.DONE
    assert replica.outcome is (EndReason.SUCCEEDED if has_succeeded else EndReason.CANCELLED)


@pytest.mark.parametrize("reason", EndReason)
def test_every_end_that_lets_a_replica_wait_again_has_its_back_off(reason: EndReason) -> None:
    is_final = reason in (EndReason.CANCELLED, EndReason.TIMEOUT, EndReason.SCALED_DOWN)

    assert (reason in BACK_OFFS) != is_final


@pytest.mark.parametrize(
    ("reason", "first_s", "max_s"),
    [
        (EndReason.SUCCEEDED, 10, 300),
        (EndReason.STOCKOUT, 30, 600),
        (EndReason.INFRASTRUCTURE, 5, 300),
        (EndReason.USER_ERROR, 10, 300),
    ],
)
def test_the_back_off_doubles_with_each_failure_in_a_row_up_to_its_maximum(
    reason: EndReason, first_s: int, max_s: int
) -> None:
    job = a_job(replicas=1, user_error_retries=1_000)
    waits_ms = [wait_ms(after(job, reason, failures=failures)) for failures in range(12)]

    assert waits_ms[0] == first_s * 1_000
    assert waits_ms[-1] == max_s * 1_000
    assert all(b == min(2 * a, max_s * 1_000) for a, b in pairwise(waits_ms))


@pytest.mark.parametrize("reason", BACKS_OFF)
def test_a_row_of_failures_without_end_stays_at_the_maximum(reason: EndReason) -> None:
    assert BACK_OFFS[reason].after(10**6) == BACK_OFFS[reason].max_ms


@pytest.mark.parametrize("reason", BACKS_OFF)
def test_a_replica_that_backs_off_says_until_when(reason: EndReason) -> None:
    replica = after(a_job(replicas=1, user_error_retries=1), reason)

    assert replica.deferral is not None
    assert replica.deferral.reason is DeferralReason.BACKING_OFF
    assert replica.deferral.not_before_ms == replica.not_before_ms > NOW_MS
    assert replica.waiting_since_ms == NOW_MS


@pytest.mark.parametrize("reason", STARTS_AGAIN_AT_ONCE)
def test_what_the_job_has_no_part_in_costs_it_no_time(reason: EndReason) -> None:
    replica = after(TRAINING, reason, failures=7)

    assert wait_ms(replica) == 0
    assert replica.deferral is None


@pytest.mark.parametrize(
    ("ran_ms", "failures"), [(None, 6), (0, 6), (STEADY_RUN_MS - 1, 6), (STEADY_RUN_MS, 1)]
)
def test_a_steady_run_ends_the_row_of_failures(ran_ms: int | None, failures: int) -> None:
    running_at_ms = None if ran_ms is None else NOW_MS - ran_ms

    replica = after(TRAINING, EndReason.INFRASTRUCTURE, failures=5, running_at_ms=running_at_ms)

    assert replica.failures == failures
    assert wait_ms(replica) == BACK_OFFS[EndReason.INFRASTRUCTURE].after(failures)


def test_a_row_of_failures_grows_one_by_one() -> None:
    job, replica = SERVICE, after(SERVICE, EndReason.INFRASTRUCTURE)
    waits_ms = [wait_ms(replica)]
    for _ in range(3):
        replica = after(job, EndReason.INFRASTRUCTURE, failures=replica.failures)
        waits_ms.append(wait_ms(replica))

    assert waits_ms == [5_000, 10_000, 20_000, 40_000]


@pytest.mark.parametrize(
    ("retries", "errors_before", "state"),
    [
        (0, 0, ReplicaState.DONE),
        (2, 0, ReplicaState.WAITING),
        (2, 1, ReplicaState.WAITING),
        (2, 2, ReplicaState.DONE),
    ],
)
def test_a_replica_may_fail_as_often_as_it_has_retries(
    retries: int, errors_before: int, state: ReplicaState
) -> None:
    replica = after(a_job(user_error_retries=retries), EndReason.USER_ERROR, user_errors=errors_before)

    assert replica.state is state


def test_a_back_off_longer_than_any_was_written_by_a_wrong_clock_and_does_not_count() -> None:
    replica = a_replica(TRAINING, not_before_ms=NOW_MS + BACK_OFF_MS_MAX)

    assert max(back_off.max_ms for back_off in BACK_OFFS.values()) == BACK_OFF_MS_MAX
    assert replica.backs_off_until(NOW_MS) == NOW_MS + BACK_OFF_MS_MAX
    assert replica.backs_off_until(NOW_MS + BACK_OFF_MS_MAX) is None
    assert replica.backs_off_until(NOW_MS - 1) is None


@pytest.mark.parametrize("reason", [reason for reason in BACK_OFFS if reason is not EndReason.USER_ERROR])
def test_only_user_errors_count_against_the_retries(reason: EndReason) -> None:
    assert after(SERVICE, reason, user_errors=1).user_errors == 1


def test_a_run_that_ended_while_unreachable_is_over_and_says_how() -> None:
    run = a_run(
        TRAINING, a_pool(), state=RunState.UNREACHABLE, before_unreachable=RunState.RUNNING, claimed_by=1
    )

    over = ended(run, EndReason.USER_ERROR, now_ms=NOW_MS, exit_code=3, message="out of memory")

    assert (over.state, over.before_unreachable) == (RunState.ENDED, None)
    assert (over.end_reason, over.ended_at_ms) == (EndReason.USER_ERROR, NOW_MS)
    assert (over.exit_code, over.message) == (3, "out of memory")
