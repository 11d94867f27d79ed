"""How long is kept what is over."""

from dataclasses import dataclass

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A finished job is kept until both times have passed.

    Attributes:
        after_submission_ms: of a job; a request id is known at least as long, whatever it was for.
        after_end_ms: of a job, so that somebody can look at what came of it.
    """

    after_submission_ms: int = 7 * 24 * HOUR_MS
    after_end_ms: int = 24 * HOUR_MS

    def ends_at_ms(self, *, submitted_at_ms: int, finished_at_ms: int) -> int:
        return max(submitted_at_ms + self.after_submission_ms, finished_at_ms + self.after_end_ms)


RETENTION_DEFAULT = Retention()
