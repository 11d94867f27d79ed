"""What comes from the service: errors, unknown words, reasons in words."""

from datetime import datetime

import grpc
import pytest
from google.rpc import status_pb2

from placewright import Deferral, DeferralReason, EndReason, JobPhase, errors
from placewright.decode import event_kind, job_view, run_view
from placewright.status import BY_CODE, error_of_call, error_of_status
from placewright.v1 import job_pb2
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
