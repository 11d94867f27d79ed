"""Queues: what each has waiting and running, and who holds it."""

from __future__ import annotations

from dataclasses import dataclass

from placewright.reasons import Freeze


@dataclass(frozen=True, kw_only=True)
class QueueView:
    """A team's line of jobs; counts.

    Attributes:
        waiting_jobs: unfinished ones with a replica that waits.
        accelerators_used: of live runs.
        hold: why nothing new is placed; None when it is not held.
    """

    queue: str
    unfinished_jobs: int
    waiting_jobs: int
    waiting_replicas: int
    live_runs: int
    accelerators_used: int
    hold: Freeze | None
