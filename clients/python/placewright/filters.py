"""Which jobs a list or a watch is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

from placewright.errors import FieldViolation, InvalidRequest
from placewright.v1 import job_service_pb2
from placewright.wire import many
from placewright.words import JobPhase

Words = Union[str, Sequence[str]]  # noqa: UP007  (runs under 3.10)


def job_filter(*, queue: Words, phase: Words, name: str, job_ids: Iterable[str]) -> job_service_pb2.JobFilter:
    """The filter; what is empty chooses all. Sorted: a cursor is good with the filter that it came from.

    Raises:
        InvalidRequest: there is no such phase.
    """
    return job_service_pb2.JobFilter(
        queues=sorted({str(item) for item in many(queue) if item}),
        phases=sorted({_phase(str(item)) for item in many(phase) if item}),
        name=name,
        job_ids=sorted(set(job_ids)),
    )


def _phase(text: str) -> str:
    allowed = [phase.value for phase in JobPhase if phase is not JobPhase.UNKNOWN]
    if text.lower() not in allowed:
        description = f"{text!r} is not a phase; allowed are {', '.join(allowed)}"
        raise InvalidRequest.of([FieldViolation("phase", description)])
    return f"JOB_PHASE_{text.upper()}"
