"""Page tokens and watch cursors: opaque outside, checked when they come back."""

import base64
import binascii
import json
from hashlib import sha256

from google.protobuf.message import Message

from scheduler.model.errors import FieldViolation, InvalidRequest
from scheduler.model.ids import History, Revision
from scheduler.service.watch import Cursor

TOKEN_LENGTH_MAX = 1_000


def encode_cursor(cursor: Cursor | None) -> str:
    return "" if cursor is None else _pack("c1", [cursor.history, cursor.revision])


def decode_cursor(field: str, text: str) -> Cursor | None:
    """The cursor; None for an empty one.

    Raises:
        InvalidRequest: it is none of ours.
    """
    if not text:
        return None
    match _unpack(field, "c1", text):
        case [str(history), int(revision)] if revision >= 0:
            return Cursor(History(history), Revision(revision))
        case _:
            raise _malformed(field)


def encode_page_token(after: str | None, filter_message: Message | None, cursor: Cursor | None) -> str:
    """Where the next page starts, for which filter, and the first page's cursor."""
    return "" if after is None else _pack("p1", [after, _digest(filter_message), encode_cursor(cursor)])


def decode_page_token(
    field: str, text: str, filter_message: Message | None
) -> tuple[str | None, Cursor | None]:
    """The id to go on after and the first page's cursor; both None for the first page.

    Raises:
        InvalidRequest: it is none of ours, or of a list with another filter.
    """
    if not text:
        return None, None
    match _unpack(field, "p1", text):
        case [str(after), str(digest), str(cursor)]:
            if digest != _digest(filter_message):
                raise InvalidRequest(
                    FieldViolation(field, "comes from a list with another filter: start from the first page")
                )
            return after, decode_cursor(field, cursor)
        case _:
            raise _malformed(field)


def _digest(message: Message | None) -> str:
    if message is None:
        return ""
    return sha256(message.SerializeToString(deterministic=True)).hexdigest()[:16]


def _pack(kind: str, values: list[str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps([kind, *values]).encode()).decode()


def _unpack(field: str, kind: str, text: str) -> list[object]:
    if len(text) > TOKEN_LENGTH_MAX:
        raise _malformed(field)
    try:
        values = json.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _malformed(field) from None
    if not isinstance(values, list) or not values or values[0] != kind:
        raise _malformed(field)
    return values[1:]


def _malformed(field: str) -> InvalidRequest:
    return InvalidRequest(
        FieldViolation(field, "must be empty or a value that this service returned, got something else")
    )
