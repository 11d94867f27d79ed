from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_ID_REUSED: _ClassVar[ErrorReason]
    ERROR_REASON_ILLEGAL_TRANSITION: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_ALLOWED: _ClassVar[ErrorReason]
    ERROR_REASON_UNAUTHENTICATED: _ClassVar[ErrorReason]
    ERROR_REASON_QUEUE_FULL: _ClassVar[ErrorReason]
    ERROR_REASON_STALE_ETAG: _ClassVar[ErrorReason]
    ERROR_REASON_STALE_SESSION: _ClassVar[ErrorReason]
    ERROR_REASON_STALE_RUN_TOKEN: _ClassVar[ErrorReason]
    ERROR_REASON_CURSOR_TOO_OLD: _ClassVar[ErrorReason]
    ERROR_REASON_STORE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_CAUGHT_UP: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_SERVICE_STOPPING: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_MANY_WATCHES: _ClassVar[ErrorReason]
    ERROR_REASON_WATCH_TOO_SLOW: _ClassVar[ErrorReason]
    ERROR_REASON_OUT_OF_TIME: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_NOT_FOUND: ErrorReason
ERROR_REASON_REQUEST_ID_REUSED: ErrorReason
ERROR_REASON_ILLEGAL_TRANSITION: ErrorReason
ERROR_REASON_NOT_ALLOWED: ErrorReason
ERROR_REASON_UNAUTHENTICATED: ErrorReason
ERROR_REASON_QUEUE_FULL: ErrorReason
ERROR_REASON_STALE_ETAG: ErrorReason
ERROR_REASON_STALE_SESSION: ErrorReason
ERROR_REASON_STALE_RUN_TOKEN: ErrorReason
ERROR_REASON_CURSOR_TOO_OLD: ErrorReason
ERROR_REASON_STORE_UNAVAILABLE: ErrorReason
ERROR_REASON_NOT_CAUGHT_UP: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_SERVICE_STOPPING: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_TOO_MANY_WATCHES: ErrorReason
ERROR_REASON_WATCH_TOO_SLOW: ErrorReason
ERROR_REASON_OUT_OF_TIME: ErrorReason
