"""A collector of faults, so that a request is refused once with everything that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from placewright.errors import FieldViolation, InvalidRequest

T = TypeVar("T")


class Faults:
    """The faults found so far."""

    def __init__(self) -> None:
        self._found: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        self._found.append(FieldViolation(field, description))

    def read(self, field: str, parse: Callable[[], T]) -> T | None:
        """What `parse` gives, or None with its ValueError noted for the field."""
        try:
            return parse()
        except ValueError as error:
            self.add(field, str(error))
            return None

    def raise_any(self) -> None:
        """Raise InvalidRequest with every fault found, if there is any."""
        if self._found:
            raise InvalidRequest.of(self._found)
