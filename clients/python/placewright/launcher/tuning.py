"""The launcher runtime's times, and the steps of a start that tests can stop at."""

import enum
import random
from collections.abc import Callable
from dataclasses import dataclass, field


class Step(enum.Enum):
    """A point on the way from an offer to running tasks."""

    NOTED = "noted"
    CLAIM_ANSWERED = "claim_answered"
    CLAIM_NOTED = "claim_noted"
    MARKED = "marked"
    STARTED = "started"


def pass_step(step: Step, run_id: str) -> None:
    """Go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Times of the runtime; the defaults suit real launchers.

    Attributes:
        stream_silence_s_max: a stream without a message for this long is taken for dead; the service
            sends a heartbeat every 10 s.
        at_step: called when a run has come that far; a test may end the process there.
    """

    call_timeout_s: float = 10.0
    retry_s_min: float = 0.2
    retry_s_max: float = 10.0
    stream_silence_s_max: float = 45.0
    stop_timeout_s: float = 10.0
    claims_max: int = 32
    at_step: Callable[[Step, str], None] = pass_step
    jitter: random.Random = field(default_factory=random.Random)


class Backoff:
    """Times to wait between tries: doubled each time, half of it by chance."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._tries = 0

    def reset(self) -> None:
        self._tries = 0

    def next_s(self) -> float:
        """How long to wait before the next try."""
        wait_s = min(self._tuning.retry_s_max, self._tuning.retry_s_min * 2 ** min(self._tries, 20))
        self._tries += 1
        return float(wait_s * self._tuning.jitter.uniform(0.5, 1.0))
