"""A launcher's backend whose tasks are only times: it starts, fences and ends runs, and notes what it did."""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from placewright.launcher.backend import ABSENT, RUNNING, Fence, Observation, StartRequest, ended
from placewright.launcher.devices import only_group
from placewright.v1.job_pb2 import EndReason
from scheduler.bench.ledger import Ledger

SECONDS_OF_WORK = "BENCH_SECONDS"  # of a run, in the job's env; without it the run lasts until it is stopped
LOOK_S = 0.05
NS_PER_S = 1_000_000_000
SUCCEEDED, INFRASTRUCTURE = EndReason.END_REASON_SUCCEEDED, EndReason.END_REASON_INFRASTRUCTURE
FENCED = "stopped by its host: the launcher lease ran out"


def now_ns() -> int:
    """The clock of launcher leases; it goes on while the process is stopped."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass
class TimedRun:
    """A run that was started.

    Attributes:
        ends_at_ns: when it ends by itself; None: when it is stopped.
        fence_at_ns: when its host would stop it, as far as the lease file has said; None: never.
    """

    run_id: str
    ends_at_ns: int | None
    fence: Fence | None
    fence_at_ns: int | None = None
    end: Observation | None = None

    def look(self, at_ns: int) -> int | None:
        """When it ended, if it has by now.

        A host watches the lease by itself: what passed while this process was stopped has happened.
        """
        if self.fence is not None:
            self._read_lease(self.fence)
        times = [each for each in (self.ends_at_ns, self.fence_at_ns) if each is not None]
        return min(times) if times and min(times) <= at_ns else None

    def _read_lease(self, fence: Fence) -> None:
        """A lease of another epoch had run out before it was renewed: what was read last counts."""
        try:
            epoch, fence_at_ns, _ = (int(word) for word in fence.lease_file.read_bytes().split())
        except (OSError, ValueError):
            return
        if epoch == fence.epoch:
            self.fence_at_ns = fence_at_ns
        elif self.fence_at_ns is None:
            self.fence_at_ns = now_ns()


@dataclass
class TimedBackend:
    """Runs without processes; every start and end is a line of the ledger."""

    ledger: Ledger
    runs: dict[str, TimedRun] = field(default_factory=dict)

    @property
    def is_self_fencing(self) -> bool:
        return True

    async def start(self, run: StartRequest) -> None:
        started_at_ns, seconds = now_ns(), run.env.get(SECONDS_OF_WORK)
        ends_at_ns = None if seconds is None else started_at_ns + int(float(seconds) * NS_PER_S)
        self.runs[run.run_id] = TimedRun(run.run_id, ends_at_ns, run.fence)
        self.ledger.note_start(run.run_id, tasks=only_group(run.placement).tasks, at_ns=started_at_ns)

    async def stop(self, run_id: str, *, reason: EndReason, grace_s: float) -> None:
        del grace_s  # nothing here needs time to end
        run = self.runs.get(run_id)
        if run is not None and self._observed(run).end is None:
            self._end(run, now_ns(), ended(reason, message="stopped as told"))

    async def observe(self, run_id: str) -> Observation:
        run = self.runs.get(run_id)
        return ABSENT if run is None else self._observed(run)

    async def next_changes(self, run_ids: Collection[str]) -> Collection[str]:
        await asyncio.sleep(LOOK_S)
        runs = (self.runs.get(run_id) for run_id in run_ids)
        return [run.run_id for run in runs if run is not None and self._observed(run).end is not None]

    async def forget(self, run_id: str) -> None:
        self.runs.pop(run_id, None)

    def _observed(self, run: TimedRun) -> Observation:
        ended_at_ns = run.look(now_ns()) if run.end is None else None
        if ended_at_ns is not None:
            by_itself = ended_at_ns == run.ends_at_ns
            end = ended(SUCCEEDED) if by_itself else ended(INFRASTRUCTURE, message=FENCED)
            self._end(run, ended_at_ns, end)
        return run.end or RUNNING

    def _end(self, run: TimedRun, at_ns: int, end: Observation) -> None:
        run.end = end
        self.ledger.note_end(run.run_id, at_ns=at_ns)


def job_environment(seconds_of_work: float) -> Mapping[str, str]:
    """What makes a run last so long."""
    return {SECONDS_OF_WORK: f"{seconds_of_work:.3f}"}
