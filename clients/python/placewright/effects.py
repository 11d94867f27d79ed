"""What an operation asks its driver to do.

Every operation of the client is written once, as a generator that yields effects and is sent their
outcomes. `client` and `async_client` only differ in the driver that carries effects out.
Why: docs/decisions/client-one-core.md.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, Union

from google.protobuf.message import Message

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R", bound=Message)


class Stream(Protocol):
    """An open server stream; only the driver that made it can read it."""

    def cancel(self) -> object: ...


@dataclass(frozen=True)
class Call:
    """Make a unary call; its outcome is the answer."""

    method: str
    request: Message
    answer: type[Message]
    timeout_s: float


@dataclass(frozen=True)
class OpenStream:
    """Start a server stream; its outcome is a Stream."""

    method: str
    request: Message
    answer: type[Message]
    timeout_s: float


@dataclass(frozen=True)
class Receive:
    """Wait for the next message of a stream; its outcome is the message, or None at the end."""

    stream: Stream


@dataclass(frozen=True)
class Sleep:
    """Wait."""

    seconds: float


Effect = Union[Call, OpenStream, Receive, Sleep]  # noqa: UP007  (runs under 3.10)
Operation = Generator[Effect, Any, T]


class Source(Protocol[T_co]):
    """Something that gives one item after another; None is the end."""

    def next(self) -> Operation[T_co | None]: ...

    def close(self) -> None: ...


class Execution(Generic[T]):
    """An operation under way: the effect it waits for, or its result once there is none."""

    def __init__(self, operation: Operation[T]) -> None:
        self._operation = operation
        self.effect: Effect | None = None
        self._result: list[T] = []
        self._advance(lambda: next(operation))

    @property
    def result(self) -> T:
        return self._result[0]

    def send(self, outcome: object) -> None:
        """Go on with the outcome of the effect."""
        self._advance(lambda: self._operation.send(outcome))

    def throw(self, error: Exception) -> None:
        """Go on with the failure of the effect."""
        self._advance(lambda: self._operation.throw(error))

    def close(self) -> None:
        """Let the operation clean up, wherever it stands."""
        self._operation.close()

    def _advance(self, step: Callable[[], Effect]) -> None:
        try:
            self.effect = step()
        except StopIteration as stop:
            self.effect = None
            self._result.append(stop.value)


def call(method: str, request: Message, answer: type[R], *, timeout_s: float) -> Operation[R]:
    """The answer to a unary call."""
    response: R = yield Call(method, request, answer, timeout_s)
    return response
