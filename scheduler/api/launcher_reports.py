"""A launcher's report of a run, from protobuf."""

from placewright.v1 import launcher_service_pb2 as wire
from scheduler.api import enums
from scheduler.api.checks import Checks
from scheduler.model.ids import RunId
from scheduler.model.run import RunState
from scheduler.service.launchers import Report


def decode_report(message: wire.RunReport, checks: Checks, *, field: str) -> Report:
    state = enums.RUN_STATES.to_model(message.state)
    end_reason = enums.END_REASONS.to_model(message.end_reason)
    if state not in (RunState.STARTING, RunState.RUNNING, RunState.ENDED):
        checks.add(f"{field}.state", f"must be STARTING, RUNNING or ENDED, got {message.state}")
    if (state is RunState.ENDED) != (end_reason is not None):
        checks.add(f"{field}.end_reason", f"must be set exactly for ENDED, got {message.end_reason}")
    checks.id(f"{field}.run_id", message.run_id)
    checks.text(f"{field}.message", message.message)
    return Report(
        run_id=RunId(message.run_id),
        run_token=message.run_token,
        state=state or RunState.ENDED,
        end_reason=end_reason,
        exit_code=message.exit_code if message.HasField("exit_code") else None,
        message=message.message,
    )
