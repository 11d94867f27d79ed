"""Page tokens, cursors, etags and sessions: opaque outside, checked when they come back.

Why they hold the history: docs/decisions/wire-room-to-grow.md.
"""

import base64
import binascii
import json
from hashlib import sha256

import msgspec
from google.protobuf.message import Message

from scheduler.model.errors import FieldViolation, InvalidRequest
from scheduler.model.ids import History, Revision
from scheduler.service.watch import Cursor

TOKEN_LENGTH_MAX = 1_000
NUMBER_MAX = 2**63 - 1


def encode_cursor(cursor: Cursor | None, wanted: Message) -> str:
    """The position in the changes that a filter chooses."""
    return "" if cursor is None else _pack("c1", [cursor.history, cursor.revision, _digest(wanted)])


def decode_cursor(field: str, text: str, wanted: Message) -> Cursor | None:
    """The cursor; None for an empty one.

    Raises:
        InvalidRequest: it is none of ours, or of another filter.
    """
    if not text:
        return None
    match _unpack(field, "c1", text):
        case [str(history), int(revision), str(digest)] if revision >= 0:
            _check_filter(field, digest, wanted)
            return Cursor(History(history), Revision(revision))
        case _:
            raise _malformed(field)


def encode_etag(history: History, version: int) -> str:
    """An etag: versions of a history that was lost may come again and must not match."""
    return _pack("e1", [history, version])


def decode_etag(text: str, history: History) -> int | None:
    """The version that an etag names; None for an empty one, -1 for one of another history.

    Raises:
        InvalidRequest: it is none of ours.
    """
    if not text:
        return None
    match _unpack("etag", "e1", text):
        case [str(of), int(version)]:
            return version if of == history else -1
        case _:
            raise _malformed("etag")


def encode_session(history: History, number: int) -> str:
    """A launcher session: numbers of a history that was lost may come again and must not match."""
    return _pack("s1", [history, number])


def decode_session(field: str, text: str, history: History) -> int:
    """The session's number; 0, which none has, for one of another history.

    Raises:
        InvalidRequest: it is none of ours.
    """
    match _unpack(field, "s1", text):
        case [str(of), int(number)]:
            return number if of == history else 0
        case _:
            raise _malformed(field)


def encode_page_token(after: str | None, wanted: Message | None, first_cursor: str) -> str:
    """Where the next page starts, for which filter, and the first page's cursor."""
    return "" if after is None else _pack("p1", [after, _digest(wanted), first_cursor])


def decode_page_token(field: str, text: str, wanted: Message | None) -> tuple[str | None, str]:
    """The id to go on after and the first page's cursor; None and empty for the first page.

    Raises:
        InvalidRequest: it is none of ours, or of a list with another filter.
    """
    if not text:
        return None, ""
    match _unpack(field, "p1", text):
        case [str(after), str(digest), str(first_cursor)]:
            _check_filter(field, digest, wanted)
            return after, first_cursor
        case _:
            raise _malformed(field)


def _check_filter(field: str, digest: str, wanted: Message | None) -> None:
    if digest != _digest(wanted):
        raise InvalidRequest(FieldViolation(field, "comes from a call with another filter: start over"))


def _digest(message: Message | None) -> str:
    if message is None:
        return ""
    return sha256(message.SerializeToString(deterministic=True)).hexdigest()[:16]


def _pack(kind: str, values: list[str | int]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([kind, *values])).decode()


def _unpack(field: str, kind: str, text: str) -> list[object]:
    if len(text) > TOKEN_LENGTH_MAX:
        raise _malformed(field)
    try:
        values = json.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _malformed(field) from None
    if not isinstance(values, list) or not all(map(_may_be_ours, values)) or values[:1] != [kind]:
        raise _malformed(field)
    return values[1:]


def _may_be_ours(value: object) -> bool:
    """Whether it could be part of a token: text that can be sent on, or a number that fits its field."""
    if isinstance(value, str):
        return value.isascii()
    return type(value) is int and 0 <= value <= NUMBER_MAX


def _malformed(field: str) -> InvalidRequest:
    return InvalidRequest(
        FieldViolation(field, "must be empty or a value that this service returned, got something else")
    )
