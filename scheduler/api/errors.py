"""Errors to statuses with google.rpc details: the one map."""

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from scheduler.model import errors

DOMAIN = "placewright"
RETRY_AFTER_MS = 1_000

CODES: dict[type[errors.PlacewrightError], int] = {
    errors.InvalidRequest: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.RequestIdReused: code_pb2.ALREADY_EXISTS,
    errors.IllegalTransition: code_pb2.FAILED_PRECONDITION,
    errors.NeverPossible: code_pb2.FAILED_PRECONDITION,
    errors.NotAllowed: code_pb2.PERMISSION_DENIED,
    errors.Unauthenticated: code_pb2.UNAUTHENTICATED,
    errors.QueueFull: code_pb2.RESOURCE_EXHAUSTED,
    errors.StaleEtag: code_pb2.ABORTED,
    errors.StaleSession: code_pb2.ABORTED,
    errors.StaleRunToken: code_pb2.ABORTED,
    errors.CursorTooOld: code_pb2.OUT_OF_RANGE,
    errors.StoreUnavailable: code_pb2.UNAVAILABLE,
    errors.ServiceStopping: code_pb2.UNAVAILABLE,
    errors.NotCaughtUp: code_pb2.UNAVAILABLE,
    errors.LostLeadership: code_pb2.UNAVAILABLE,
    errors.PlannerFailed: code_pb2.UNAVAILABLE,
}
RETRYABLE = frozenset({code_pb2.UNAVAILABLE, code_pb2.RESOURCE_EXHAUSTED})


def status_of(error: errors.PlacewrightError) -> status_pb2.Status:
    """The status with its details, as google.rpc defines them (google/rpc/error_details.proto)."""
    code = CODES[type(error)]
    status = status_pb2.Status(code=code, message=str(error))
    for detail in _details(error, code):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _details(error: errors.PlacewrightError, code: int) -> list[Message]:
    info = error_details_pb2.ErrorInfo(reason=reason_of(error), domain=DOMAIN)
    details: list[Message] = [info]
    if isinstance(error, errors.NotFound):
        info.metadata.update({"resource": error.resource, "name": error.name})
    if isinstance(error, errors.InvalidRequest):
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(field=violation.field, description=violation.description)
        details.append(bad)
    if code in RETRYABLE:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(RETRY_AFTER_MS)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return details


def reason_of(error: errors.PlacewrightError) -> str:
    """The error's name as an ErrorInfo reason, such as REQUEST_ID_REUSED."""
    name = type(error).__name__
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(name)).upper()
