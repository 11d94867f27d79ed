"""What comes from the service: errors, unknown words, reasons in words."""

import re
from datetime import datetime

import grpc
import pytest
from google.rpc import status_pb2

from placewright import (
    Deferral,
    DeferralReason,
    EndReason,
    JobPhase,
    Market,
    PlacementValue,
    RunnerUp,
    errors,
)
from placewright.decode import event_kind, job_view, run_view
from placewright.status import BY_CODE, BY_REASON, error_of_call, error_of_status
from placewright.v1 import error_pb2, job_pb2
from placewright.words import Word
from tests.unit.client.fake_service import a_status, an_info


def test_every_status_but_ok_has_an_error() -> None:
    assert set(BY_CODE) == {code.value[0] for code in grpc.StatusCode} - {0}


def test_a_reason_does_not_override_the_status() -> None:
    status = a_status(grpc.StatusCode.NOT_FOUND, "no", an_info("REQUEST_ID_REUSED"))

    assert type(error_of_status(status)) is errors.NotFound


@pytest.mark.parametrize("trailing", [None, (), (("grpc-status-details-bin", b"\xff"),), (("other", "x"),)])
def test_an_error_without_readable_details_still_has_its_message(trailing: object) -> None:
    error = error_of_call(grpc.StatusCode.NOT_FOUND, "no such job", trailing)  # type: ignore[arg-type]  # a proxy's

    assert (type(error), error.message, error.reason) == (errors.NotFound, "no such job", "")


def test_every_reason_of_the_wire_is_documented() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name in error_pb2.ErrorReason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118  (no mapping)

    assert errors.__doc__ is not None
    assert names == set(re.findall(r"[A-Z]+(?:_[A-Z]+)+|INTERNAL|OVERLOADED|UNAUTHENTICATED", errors.__doc__))
    assert set(BY_REASON) <= names


def test_an_unknown_code_is_a_fault_of_the_service() -> None:
    assert type(error_of_status(status_pb2.Status(code=99, message="?"))) is errors.Internal


def test_numbers_of_a_newer_service_are_unknown_words() -> None:
    job = job_pb2.Job()
    job.MergeFromString(b"\x18\x63")  # phase = 99

    assert job_view(job).phase is JobPhase.UNKNOWN
    assert event_kind(99) is None


def test_every_word_of_the_wire_is_known() -> None:
    wires = {
        "JOB_PHASE": job_pb2.JobPhase,
        "REPLICA_STATE": job_pb2.ReplicaState,
        "RUN_STATE": job_pb2.RunState,
        "END_REASON": job_pb2.EndReason,
        "DEFERRAL_REASON": job_pb2.DeferralReason,
        "POOL_VERDICT": job_pb2.PoolVerdict,
        "MARKET": job_pb2.Market,
    }
    kinds = {kind.__name__: kind for kind in Word.__subclasses__()}

    for prefix, wire in wires.items():
        kind = kinds[prefix.title().replace("_", "")]
        names = {name.removeprefix(f"{prefix}_").lower() for name in wire.keys()} - {"unspecified"}  # noqa: SIM118  (no mapping)
        assert names == {word.value for word in kind} - {"unknown"}


def test_a_run_that_has_not_ended_has_no_end_reason_nor_times() -> None:
    live = run_view(job_pb2.Run(state=job_pb2.RUN_STATE_STARTING))
    ended = run_view(
        job_pb2.Run(state=job_pb2.RUN_STATE_ENDED, end_reason=job_pb2.END_REASON_USER_ERROR, exit_code=0)
    )

    assert (live.end_reason, live.exit_code, live.placed_at, live.is_live) == (None, None, None, True)
    assert (ended.end_reason, ended.exit_code, ended.is_live) == (EndReason.USER_ERROR, 0, False)


@pytest.mark.parametrize("reason", list(DeferralReason))
def test_every_deferral_has_words(reason: DeferralReason) -> None:
    assert str(Deferral(reason=reason))


def test_a_deferral_says_its_numbers() -> None:
    price = Deferral(
        reason=DeferralReason.NOT_WORTH_THE_PRICE,
        cheapest_cost_usd_micros_per_useful_hour=3_500_000,
        worth_usd_micros_per_useful_hour=2_000_000,
    )
    pause = Deferral(
        reason=DeferralReason.BACKING_OFF, not_before=datetime.fromisoformat("2026-01-02T03:04:05+00:00")
    )

    assert str(price) == "an hour of useful work costs at least $3.50, it is worth $2.00"
    assert str(pause) == "its last run ended; it waits until 2026-01-02 03:04:05 UTC before the next"


def test_numbers_that_no_pool_was_asked_for_are_none() -> None:
    job = job_pb2.Job()
    job.replicas.add().deferral.reason = job_pb2.DEFERRAL_REASON_BACKING_OFF
    job.replicas.add().deferral.accelerators_free_max = 0

    pause, asked = job_view(job).deferrals

    assert (pause.accelerators_needed, pause.accelerators_free_max, pause.planned_revision) == (
        None,
        None,
        None,
    )
    assert (pause.worth_usd_micros_per_useful_hour, pause.verdicts) == (None, ())
    assert asked.accelerators_free_max == 0


def a_run(*pool_ids: str) -> job_pb2.Run:
    run = job_pb2.Run()
    for pool_id in pool_ids:
        assignment = run.placement.assignments.add(
            pool_id=pool_id,
            accelerator="h100",
            accelerators=16,
            market=job_pb2.MARKET_SPOT,
            charged_usd_micros_per_hour=20_000_000,
        )
        assignment.task_groups.add(role="worker", tasks=2, devices_per_task=8).nodes.add(node="a-7", tasks=2)
    return run


def test_a_placement_of_one_pool_reads_as_that_pool() -> None:
    placement = run_view(a_run("gcp")).placement

    assert placement is not None
    assert (placement.pool_id, placement.accelerator, placement.market) == ("gcp", "h100", Market.SPOT)
    assert (placement.accelerators, placement.tasks, placement.slice_topology) == (16, 2, "")
    assert [share.node for share in placement.task_groups[0].nodes] == ["a-7"]
    assert str(placement) == "16 h100 in gcp (spot) at $20.00/h"


def test_a_placement_over_several_pools_is_summed() -> None:
    placement = run_view(a_run("gcp", "aws")).placement

    assert placement is not None
    assert (placement.accelerators, placement.tasks) == (32, 4)
    assert str(placement) == "16 h100 in gcp (spot) and 16 h100 in aws (spot) at $40.00/h"


@pytest.mark.parametrize(
    ("runner_up", "said"),
    [
        (None, "no other pool was possible"),
        (("aws", 18), "next best aws, $12.00/h worse in the plan"),
        (("aws", 35), "aws would net $5.00/h more for this job, but its room is worth more to others"),
    ],
)
def test_the_value_says_why_a_run_is_there(runner_up: tuple[str, int] | None, said: str) -> None:
    run = job_pb2.Run()
    run.value.term_usd_micros_per_hour = 30_000_000
    if runner_up is not None:
        run.value.runner_up.pool_id, dollars = runner_up
        run.value.runner_up.term_usd_micros_per_hour = dollars * 1_000_000

    value = run_view(run).value

    assert str(value) == said
    assert run_view(job_pb2.Run()).value is None
    assert isinstance(value, PlacementValue)
    assert value.runner_up is None or isinstance(value.runner_up, RunnerUp)


def test_replicas_and_their_runs_come_with_the_job() -> None:
    job = job_pb2.Job(cancel_reason="wrong data", replicas_left_out=True)
    job.replicas.add(run_count=3).newest_run.run_number = 4

    view = job_view(job)

    assert (view.cancel_reason, view.replicas_left_out) == ("wrong data", True)
    assert view.replicas[0].run is not None
    assert (view.replicas[0].run.run_number, view.replicas[0].runs) == (4, 3)
