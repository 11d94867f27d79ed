"""Calls that are made again when the service says when: it has too much to do and has done nothing."""

from __future__ import annotations

import random
from datetime import timedelta

from google.protobuf.message import Message

from placewright.effects import Operation, R, Sleep, call
from placewright.errors import ResourceExhausted
from placewright.timing import Deadline

ATTEMPTS_MAX = 5
LATER_BY = (
    0.5  # up to this part of the told delay on top, so that those refused together do not return together
)


def call_with_patience(method: str, request: Message, answer: type[R], *, timeout_s: float) -> Operation[R]:
    """The answer to a unary call; refused for want of room, it is made again after the told delay.

    Raises:
        ResourceExhausted: still refused after some attempts, or the delay would pass the deadline.
    """
    deadline = Deadline(timeout_s)
    attempts = 1
    while True:
        try:
            return (yield from call(method, request, answer, timeout_s=deadline.left_s(timeout_s)))
        except ResourceExhausted as error:
            if error.retry_after is None or attempts == ATTEMPTS_MAX:
                raise
            pause_s = error.retry_after / timedelta(seconds=1) * (1 + random.uniform(0, LATER_BY))
            if pause_s >= deadline.left_s(timeout_s):
                raise
        attempts += 1
        yield Sleep(pause_s)
