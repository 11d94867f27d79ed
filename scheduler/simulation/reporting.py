"""What a launcher does besides its stream: renew its lease, report its runs until that is confirmed."""

import asyncio
from typing import Protocol

from scheduler.model.errors import (
    NotCaughtUp,
    NotFound,
    Overloaded,
    PlacewrightError,
    StaleSession,
    StoreUnavailable,
)
from scheduler.model.ids import Revision, RunId
from scheduler.model.run import RunState
from scheduler.service.launchers import Report, SessionRef
from scheduler.simulation.host import Lease
from scheduler.simulation.network import Network, Unreachable
from scheduler.simulation.virtual_time import VirtualClock, upkeep

RENEWALS_PER_LEASE = 3


class Reporting(Protocol):
    """The launcher, as its renewer and reporter know it."""

    @property
    def id(self) -> str: ...

    @property
    def session(self) -> SessionRef | None: ...

    @property
    def is_synchronised(self) -> asyncio.Event: ...

    @property
    def lease(self) -> Lease: ...

    def take_lease(self, sent_at_ms: int, duration_ms: int) -> None: ...

    def lose(self, ref: SessionRef) -> None: ...

    def report_of(self, run_id: RunId) -> Report | None: ...

    def confirm(self, report: Report) -> None: ...

    def release(self, run_id: RunId) -> None: ...

    async def retry_later(self) -> None: ...


class Renewer:
    """Renews the launcher lease three times as often as needed."""

    def __init__(self, launcher: Reporting, network: Network, clock: VirtualClock) -> None:
        self._launcher, self._network, self._clock = launcher, network, clock

    async def run(self) -> None:
        with upkeep():
            await self._renew_for_ever()

    async def _renew_for_ever(self) -> None:
        while True:
            await self._launcher.is_synchronised.wait()
            lease = self._launcher.lease
            due_ms = lease.renewed_at_ms + lease.duration_ms // RENEWALS_PER_LEASE
            await self._clock.sleep(max(0, due_ms - self._clock.monotonic_ms()))
            if not await self._renew():
                await self._launcher.retry_later()

    async def _renew(self) -> bool:
        ref, sent_at_ms = self._launcher.session, self._clock.monotonic_ms()
        assert ref is not None
        try:
            session = await self._network.call(
                self._launcher.id, lambda process: process.launchers.renew(ref)
            )
        except StaleSession:
            self._launcher.lose(ref)
            return False
        except (Unreachable, PlacewrightError):
            return False
        if ref == self._launcher.session:
            self._launcher.take_lease(sent_at_ms, session.lease_duration_ms)
        return True


class Reporter:
    """Sends changed runs, newest state only."""

    def __init__(self, launcher: Reporting, network: Network) -> None:
        self._launcher, self._network = launcher, network
        self._changed: dict[RunId, None] = {}
        self._has_changes = asyncio.Event()

    def add(self, run_id: RunId) -> None:
        """Report a run."""
        self._changed[run_id] = None
        self._has_changes.set()

    async def run(self) -> None:
        while True:
            await self._has_changes.wait()
            await self._launcher.is_synchronised.wait()
            changed, self._changed = self._changed, {}
            self._has_changes.clear()
            reports = [r for r in map(self._launcher.report_of, changed) if r is not None]
            if reports and not await self._report(reports):
                await self._launcher.retry_later()

    async def _report(self, reports: list[Report]) -> bool:
        """Whether every report was dealt with; the others are sent again."""
        ref = self._launcher.session
        assert ref is not None
        try:
            results = await self._network.call(
                self._launcher.id, lambda process: process.launchers.report_many(ref, reports)
            )
        except (Unreachable, PlacewrightError):
            for report in reports:
                self.add(report.run_id)
            return False
        dealt_with = [self._take(ref, r, result) for r, result in zip(reports, results, strict=True)]
        return all(dealt_with)

    def _take(self, ref: SessionRef, report: Report, result: Revision | PlacewrightError) -> bool:
        match result:
            case NotFound():
                self._launcher.release(report.run_id)
                return True
            case StaleSession():
                self._launcher.lose(ref)
            case StoreUnavailable() | NotCaughtUp() | Overloaded():
                pass  # nothing is known of it: said again
            case PlacewrightError():
                if report.state is not RunState.ENDED:
                    return True  # the service holds it otherwise and will say what it wants
            case _:
                self._launcher.confirm(report)
                return True
        self.add(report.run_id)
        return False
