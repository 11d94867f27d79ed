"""Errors to statuses with google.rpc details: the one map."""

from collections.abc import Iterator, Sequence

from google.protobuf import duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from placewright.v1 import error_pb2
from scheduler.model import errors

DOMAIN = "placewright"
RETRY_AFTER_MS = 1_000

STATUSES: dict[type[errors.PlacewrightError], tuple[int, int]] = {
    errors.InvalidRequest: (code_pb2.INVALID_ARGUMENT, error_pb2.ERROR_REASON_INVALID_REQUEST),
    errors.NotFound: (code_pb2.NOT_FOUND, error_pb2.ERROR_REASON_NOT_FOUND),
    errors.RequestIdReused: (code_pb2.ALREADY_EXISTS, error_pb2.ERROR_REASON_REQUEST_ID_REUSED),
    errors.IllegalTransition: (code_pb2.FAILED_PRECONDITION, error_pb2.ERROR_REASON_ILLEGAL_TRANSITION),
    errors.NotAllowed: (code_pb2.PERMISSION_DENIED, error_pb2.ERROR_REASON_NOT_ALLOWED),
    errors.Unauthenticated: (code_pb2.UNAUTHENTICATED, error_pb2.ERROR_REASON_UNAUTHENTICATED),
    errors.QueueFull: (code_pb2.RESOURCE_EXHAUSTED, error_pb2.ERROR_REASON_QUEUE_FULL),
    errors.TooManyWatches: (code_pb2.RESOURCE_EXHAUSTED, error_pb2.ERROR_REASON_TOO_MANY_WATCHES),
    errors.WatchTooSlow: (code_pb2.UNAVAILABLE, error_pb2.ERROR_REASON_WATCH_TOO_SLOW),
    errors.Overloaded: (code_pb2.RESOURCE_EXHAUSTED, error_pb2.ERROR_REASON_OVERLOADED),
    errors.StaleEtag: (code_pb2.ABORTED, error_pb2.ERROR_REASON_STALE_ETAG),
    errors.StaleSession: (code_pb2.ABORTED, error_pb2.ERROR_REASON_STALE_SESSION),
    errors.StaleRunToken: (code_pb2.ABORTED, error_pb2.ERROR_REASON_STALE_RUN_TOKEN),
    errors.CursorTooOld: (code_pb2.OUT_OF_RANGE, error_pb2.ERROR_REASON_CURSOR_TOO_OLD),
    errors.StoreUnavailable: (code_pb2.UNAVAILABLE, error_pb2.ERROR_REASON_STORE_UNAVAILABLE),
    errors.NotCaughtUp: (code_pb2.UNAVAILABLE, error_pb2.ERROR_REASON_NOT_CAUGHT_UP),
    errors.ServiceStopping: (code_pb2.UNAVAILABLE, error_pb2.ERROR_REASON_SERVICE_STOPPING),
    errors.OutOfTime: (code_pb2.DEADLINE_EXCEEDED, error_pb2.ERROR_REASON_OUT_OF_TIME),
    errors.LostLeadership: (code_pb2.INTERNAL, error_pb2.ERROR_REASON_INTERNAL),
    errors.PlannerFailed: (code_pb2.INTERNAL, error_pb2.ERROR_REASON_INTERNAL),
}
"""Every error's code and reason; a lost leadership reaches no caller."""

RETRYABLE = frozenset({code_pb2.UNAVAILABLE, code_pb2.RESOURCE_EXHAUSTED})


def status_of(error: errors.PlacewrightError) -> status_pb2.Status:
    """The status with its details, as google.rpc defines them (google/rpc/error_details.proto)."""
    code, reason = STATUSES[type(error)]
    return _status(code, str(error), [_info(error, reason), *_details(error, code)])


def internal() -> status_pb2.Status:
    """What a caller is told of our own faults: nothing but that they are ours."""
    info = _info(None, error_pb2.ERROR_REASON_INTERNAL)
    return _status(code_pb2.INTERNAL, "internal error; see the service's log", [info])


def _status(code: int, message: str, details: Sequence[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return status


def _info(error: errors.PlacewrightError | None, reason: int) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo(reason=reason_name(reason), domain=DOMAIN)
    if isinstance(error, errors.NotFound):
        info.metadata.update({"resource": error.resource, "name": error.name})
    if isinstance(error, errors.LimitReached):
        info.metadata["limit"] = error.limit
    return info


def reason_name(reason: int) -> str:
    """An ErrorReason as ErrorInfo spells it."""
    return error_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


def _details(error: errors.PlacewrightError, code: int) -> Iterator[Message]:
    if isinstance(error, errors.InvalidRequest):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
            for v in error.violations
        ]
        yield error_details_pb2.BadRequest(field_violations=violations)
    if isinstance(error, errors.LimitReached):
        violation = error_details_pb2.QuotaFailure.Violation(subject=error.limit, description=str(error))
        yield error_details_pb2.QuotaFailure(violations=[violation])
    if code in RETRYABLE:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(RETRY_AFTER_MS)
        yield error_details_pb2.RetryInfo(retry_delay=delay)
