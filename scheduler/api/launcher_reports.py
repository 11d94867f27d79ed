"""A launcher's report of a run, from protobuf."""

from placewright.v1 import job_pb2
from placewright.v1 import launcher_service_pb2 as wire
from scheduler.api import enums
from scheduler.api.checks import Checks
from scheduler.api.decode_facts import decode_facts
from scheduler.model.ids import RunId
from scheduler.model.run import EndReason, RunState
from scheduler.service.launchers import Report


def decode_report(message: wire.RunReport, checks: Checks) -> Report:
    """The report; an end reason of a newer launcher counts as INFRASTRUCTURE."""
    state = enums.RUN_STATES.to_model(message.state)
    if state not in (RunState.STARTING, RunState.RUNNING, RunState.ENDED):
        checks.add("state", f"must be STARTING, RUNNING or ENDED, got {message.state}")
    is_said = message.end_reason != job_pb2.END_REASON_UNSPECIFIED
    if (state is RunState.ENDED) != is_said:
        checks.add("end_reason", f"must be set exactly for ENDED, got {message.end_reason}")
    checks.id("run_id", message.run_id)
    checks.text("message", message.message)
    end_reason = enums.END_REASONS.to_model(message.end_reason) or EndReason.INFRASTRUCTURE
    return Report(
        run_id=RunId(message.run_id),
        run_token=message.run_token,
        state=state or RunState.ENDED,
        end_reason=end_reason if is_said else None,
        exit_code=message.exit_code if message.HasField("exit_code") else None,
        message=message.message,
        facts=decode_facts(message.facts, checks) if message.HasField("facts") else None,
    )
