"""Checks of decoded fields: each says the field, the value and what is allowed."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from google.protobuf import duration_pb2, timestamp_pb2
from google.protobuf.message import Message

from scheduler.model.errors import FieldViolation, InvalidRequest
from scheduler.model.ids import ID_PATTERN, REQUEST_ID_PATTERN, Revision
from scheduler.model.limits import DURATION_MS_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, REASON_LENGTH_MAX

SHOWN_MAX = 80
VIOLATIONS_TOLD_MAX = 10  # what is told travels in trailing metadata, of which clients take 8 to 16 KiB
TIME_S_MAX = 253_402_300_799  # the end of the year 9999, as google.protobuf.Timestamp has it
NODE_NAME = re.compile(r"[0-9]{1,6}")  # nodes have no other names yet
PLACE_PATTERN = re.compile(r"[A-Za-z0-9._-]{0,63}")


class Checks:
    """Collects what is wrong with a request, so that a caller learns everything at once."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.violations: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        self.violations.append(FieldViolation(self._prefix + field, description))

    def within(self, field: str, value: int, minimum: int, maximum: int) -> int:
        if not minimum <= value <= maximum:
            self.add(field, f"must be from {minimum} to {maximum}, got {value}")
            return minimum
        return value

    def id(self, field: str, value: str, *, default: str = "") -> str:
        text = value or default
        if ID_PATTERN.fullmatch(text) is None:
            self.add(field, f"must match [a-z0-9-]{{1,63}}, got {shown(value)}")
        return text

    def request_id(self, field: str, value: str) -> str:
        if REQUEST_ID_PATTERN.fullmatch(value) is None:
            self.add(
                field,
                "must match [A-Za-z0-9-]{1,63}: the caller makes it, so that a repeated call is carried "
                f"out once; got {shown(value)}",
            )
        return value

    def place(self, field: str, value: str) -> str:
        """A provider's own name of a region or zone; may be empty."""
        if PLACE_PATTERN.fullmatch(value) is None:
            self.add(field, f"must match [A-Za-z0-9._-]{{0,63}}, got {shown(value)}")
        return value

    def text(self, field: str, value: str, *, minimum: int = 0, maximum: int = REASON_LENGTH_MAX) -> str:
        if not minimum <= len(value) <= maximum:
            self.add(field, f"must have {minimum} to {maximum} characters, got {len(value)}")
        return value

    def count(self, field: str, count: int, minimum: int, maximum: int) -> None:
        """How many items a repeated field has."""
        if not minimum <= count <= maximum:
            self.add(field, f"must have {minimum} to {maximum} items, got {count}")

    def nodes(self, field: str, names: Sequence[str], maximum: int) -> frozenset[int]:
        """The numbers of named nodes; at least one."""
        self.count(field, len(names), 1, maximum)
        unknown = [name for name in names if NODE_NAME.fullmatch(name) is None]
        if unknown:
            self.add(field, f'must be node names such as "0", got {shown(unknown[0])}')
        return frozenset(int(name) for name in names if name not in unknown)

    def duration_ms(
        self, field: str, value: duration_pb2.Duration, *, minimum: int = 1, maximum: int = DURATION_MS_MAX
    ) -> int:
        """Whole milliseconds."""
        nanos = value.seconds * 1_000_000_000 + value.nanos
        if nanos % 1_000_000:
            self.add(field, f"must be whole milliseconds, got {nanos / 1e9} s")
        milliseconds = nanos // 1_000_000
        if not minimum <= milliseconds <= maximum:
            self.add(
                field, f"must be from {minimum / 1000:g} s to {maximum / 1000:g} s, got {nanos / 1e9:g} s"
            )
            return minimum
        return milliseconds

    def time_ms(self, field: str, value: timestamp_pb2.Timestamp) -> int:
        """A time since 1970, in whole milliseconds."""
        seconds = self.within(f"{field}.seconds", value.seconds, 0, TIME_S_MAX)
        nanos = self.within(f"{field}.nanos", value.nanos, 0, 999_999_999)
        return seconds * 1_000 + nanos // 1_000_000

    def page_size(self, value: int) -> int:
        return self.within("page_size", value, 0, PAGE_SIZE_MAX) or PAGE_SIZE_DEFAULT

    def revision(self, value: int) -> Revision:
        return Revision(self.within("min_revision", value, 0, 2**63 - 1))

    def known(self, field: str, message: Message) -> None:
        """That the message holds nothing that this service does not know."""
        if holds_unknown(message):
            self.add(field, "holds fields that this service does not know: it is older than the caller")

    def done(self) -> None:
        """Raise what was found.

        Raises:
            InvalidRequest
        """
        told = self.violations[:VIOLATIONS_TOLD_MAX]
        untold = len(self.violations) - len(told)
        if untold:
            told.append(FieldViolation("", f"{untold} more faults are not told"))
        if told:
            raise InvalidRequest(*told)


def holds_unknown(message: Message) -> bool:
    """Whether the message holds fields, at any depth, that this service does not know."""
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()  # type: ignore[attr-defined]  # missing in the stubs
    return known.ByteSize() != message.ByteSize()


@contextmanager
def checking(prefix: str = "") -> Iterator[Checks]:
    """Checks that raise what they found at the end of the block."""
    checks = Checks(prefix)
    yield checks
    checks.done()


def shown(value: str) -> str:
    """A value as it can be shown in a message: quoted and not too long."""
    return repr(value if len(value) <= SHOWN_MAX else value[:SHOWN_MAX] + "…")
