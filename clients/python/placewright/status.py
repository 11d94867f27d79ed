"""google.rpc statuses as the errors of `placewright.errors`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from placewright import errors
from placewright.errors import ErrorFacts, FieldViolation, PlacewrightError

DETAILS_KEY = "grpc-status-details-bin"

BY_CODE: dict[int, type[PlacewrightError]] = {
    1: errors.Unavailable,  # CANCELLED: by the service, as it went away
    2: errors.Internal,  # UNKNOWN
    3: errors.InvalidRequest,
    4: errors.DeadlineExceeded,
    5: errors.NotFound,
    6: errors.AlreadyExists,
    7: errors.PermissionDenied,
    8: errors.ResourceExhausted,
    9: errors.FailedPrecondition,
    10: errors.Aborted,
    11: errors.OutOfRange,
    12: errors.Internal,  # UNIMPLEMENTED
    13: errors.Internal,
    14: errors.Unavailable,
    15: errors.Internal,  # DATA_LOSS
    16: errors.Unauthenticated,
}
BY_REASON: dict[str, type[PlacewrightError]] = {
    "REQUEST_ID_REUSED": errors.RequestIdReused,
    "CURSOR_TOO_OLD": errors.CursorTooOld,
}


def error_of_call(
    code: grpc.StatusCode, details: str | None, trailing: Iterable[tuple[str, str | bytes]] | None
) -> PlacewrightError:
    """The error for a failed RPC, with the google.rpc details of its trailing metadata."""
    number: int = code.value[0]
    status = _status_in(trailing) or status_pb2.Status()
    status.code, status.message = number, details or status.message or code.name
    return error_of_status(status)


def error_of_status(status: status_pb2.Status) -> PlacewrightError:
    """The error for a google.rpc.Status, such as one result of SubmitJobs."""
    facts = _facts_of(status)
    general = BY_CODE.get(status.code, errors.Internal)
    special = BY_REASON.get(facts.reason, general)
    kind = special if issubclass(special, general) else general
    return kind(status.message, facts)


def with_request_id(error: PlacewrightError, request_id: str) -> PlacewrightError:
    """The same error, naming the write that failed."""
    error.facts = replace(error.facts, request_id=request_id)
    return error


def _status_in(trailing: Iterable[tuple[str, str | bytes]] | None) -> status_pb2.Status | None:
    for key, value in trailing or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:  # a proxy's invention; code and message are still good
                return None
    return None


def _facts_of(status: status_pb2.Status) -> ErrorFacts:
    facts = ErrorFacts()
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry, request = error_details_pb2.RetryInfo(), error_details_pb2.RequestInfo()
    for detail in status.details:
        if detail.Unpack(info):
            facts = replace(facts, reason=info.reason, metadata=tuple(sorted(info.metadata.items())))
        elif detail.Unpack(bad):
            found = tuple(FieldViolation(v.field, v.description) for v in bad.field_violations)
            facts = replace(facts, fields=facts.fields + found)
        elif detail.Unpack(retry):
            delay = timedelta(
                seconds=retry.retry_delay.seconds, microseconds=retry.retry_delay.nanos // 1_000
            )
            facts = replace(facts, retry_after=delay)
        elif detail.Unpack(request):
            facts = replace(facts, request_id=request.request_id)
    return facts
