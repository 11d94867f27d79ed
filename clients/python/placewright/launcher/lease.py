"""The launcher lease as the launcher knows it, and the file from which supervisors learn it.

The file has three decimal numbers: the epoch, the time at which a self-fencing run must begin to stop
and the time at which the lease ends, both on CLOCK_BOOTTIME in nanoseconds. It is replaced as a whole.
The epoch rises whenever the lease may have run out before it was renewed: the service may have given up
runs that were claimed before, so they must stop, even when their supervisor slept through it.

The file need not survive a loss of power, because no process does. One that is missing, empty or cut counts
as a lease that has lapsed, and the epoch goes on from the wall clock, above any that was counted before.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from placewright.launcher.files import write_atomically
from placewright.launcher.log import log

FENCE_MARGIN_MAX_NS = 10_000_000_000
FENCE_MARGIN_PARTS = 4  # a quarter of the lease is kept for stopping
UNWRITTEN_PARTS = 20


def now_ns() -> int:
    """Time since boot, also through suspension; every process of the machine reads the same."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """What the file says."""

    epoch: int
    fence_at_ns: int
    ends_at_ns: int


class Lease:
    """The lease of the launcher's session; a renewal counts from before its request was sent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.duration_ns = 0
        self.renewed_at_ns = 0
        self._terms = _read(path)
        self._is_written = True

    @property
    def epoch(self) -> int:
        return self._terms.epoch

    @property
    def ends_at_ns(self) -> int:
        return self._terms.ends_at_ns

    @property
    def renew_at_ns(self) -> int:
        """A third of the lease after the last renewal; sooner when no supervisor could be told of that."""
        return self.renewed_at_ns + self.duration_ns // (3 if self._is_written else UNWRITTEN_PARTS)

    def renew(self, *, sent_at_ns: int, duration_ns: int) -> None:
        """Take over a renewal that was answered now; when it cannot be written, fenced runs stop earlier."""
        has_lapsed = now_ns() >= self._terms.ends_at_ns
        self.duration_ns = duration_ns
        self.renewed_at_ns = sent_at_ns
        ends_at_ns = sent_at_ns + duration_ns
        self._terms = LeaseTerms(
            epoch=self._terms.epoch + has_lapsed,
            fence_at_ns=ends_at_ns - min(FENCE_MARGIN_MAX_NS, duration_ns // FENCE_MARGIN_PARTS),
            ends_at_ns=ends_at_ns,
        )
        self._is_written = self._write()

    def _write(self) -> bool:
        terms = self._terms
        try:
            write_atomically(self.path, f"{terms.epoch} {terms.fence_at_ns} {terms.ends_at_ns}\n".encode())
        except OSError:
            log.exception("lease_not_written")
            return False
        return True


def _read(path: Path) -> LeaseTerms:
    try:
        epoch, fence_at_ns, ends_at_ns = (int(word) for word in path.read_bytes().split())
    except (OSError, ValueError) as error:
        if not isinstance(error, FileNotFoundError):
            log.warning("lease_not_readable reason=%r", str(error))
        return LeaseTerms(epoch=time.time_ns(), fence_at_ns=0, ends_at_ns=0)
    return LeaseTerms(epoch=epoch, fence_at_ns=fence_at_ns, ends_at_ns=ends_at_ns)
