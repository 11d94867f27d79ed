"""Reports runs until the service has confirmed it."""

import asyncio

import grpc
import grpc.aio
from google.rpc.status_pb2 import Status

from placewright.launcher.calls import LauncherCalls
from placewright.launcher.keeper import Keeper
from placewright.launcher.log import log
from placewright.launcher.session import Session, SessionSlot
from placewright.launcher.tuning import Backoff, Tuning
from placewright.status import error_of_status
from placewright.v1.error_pb2 import ErrorReason
from placewright.v1.job_pb2 import RunState
from placewright.v1.launcher_service_pb2 import RunReport

REPORTS_PER_CALL_MAX = 1_000
OK = grpc.StatusCode.OK.value[0]
NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
ABORTED = grpc.StatusCode.ABORTED.value[0]
STALE_RUN_TOKEN = ErrorReason.Name(ErrorReason.ERROR_REASON_STALE_RUN_TOKEN).removeprefix("ERROR_REASON_")


class Reporter:
    """Sends changed runs, newest state only, in batches."""

    def __init__(self, calls: LauncherCalls, slot: SessionSlot, *, keeper: Keeper, tuning: Tuning) -> None:
        self._calls = calls
        self._slot = slot
        self._keeper = keeper
        self._tuning = tuning
        self._backoff = Backoff(tuning)
        self._changed: dict[str, None] = {}
        self._has_changes = asyncio.Event()

    def add(self, run_id: str) -> None:
        """Report a run."""
        self._changed[run_id] = None
        self._has_changes.set()

    def add_unconfirmed(self) -> None:
        """Report what the service has not confirmed yet."""
        for held in self._keeper.runs.values():
            if held.report().state not in (RunState.RUN_STATE_STARTING, held.told):
                self.add(held.run_id)

    async def report_forever(self) -> None:
        """Send reports as long as there are any."""
        while True:
            await self._has_changes.wait()
            session = await self._slot.synchronised()
            reports = self._take_batch()
            if reports and await self._report(session, reports):
                self._backoff.reset()
            elif reports:
                await asyncio.sleep(self._backoff.next_s())

    def _take_batch(self) -> list[RunReport]:
        reports: list[RunReport] = []
        while self._changed and len(reports) < REPORTS_PER_CALL_MAX:
            held = self._keeper.runs.get(self._changed.popitem()[0])
            if held is not None:
                reports.append(held.report())
        if not self._changed:
            self._has_changes.clear()
        return reports

    async def _report(self, session: Session, reports: list[RunReport]) -> bool:
        """Send one batch; whether every report was dealt with. The others are to be sent again."""
        try:
            response = await self._calls.report(session.name, reports, timeout_s=self._tuning.call_timeout_s)
        except grpc.aio.AioRpcError as error:
            log.warning("reports_failed reports=%d code=%s", len(reports), error.code().name)
            if error.code() is grpc.StatusCode.ABORTED:
                session.lose()
            for report in reports:
                self.add(report.run_id)
            return False
        dealt_with = [
            await self._take_result(session, report, result=result)
            for report, result in zip(reports, response.results, strict=True)
        ]
        return all(dealt_with)

    async def _take_result(self, session: Session, report: RunReport, *, result: Status) -> bool:
        code = result.code
        if code == OK:
            self._keeper.confirm(report)
            return True
        log.warning("report_refused run_id=%s state=%d code=%d", report.run_id, report.state, code)
        if code == NOT_FOUND:
            await self._keeper.release(report.run_id)
            return True
        if error_of_status(result).facts.reason == STALE_RUN_TOKEN:
            return True  # the service will say the token of what it wants
        if code == ABORTED:
            session.lose()
        elif report.state != RunState.RUN_STATE_ENDED:
            return True  # the service holds it otherwise and will say what it wants
        self.add(report.run_id)
        return False
