"""Reports runs until the service has confirmed it."""

import asyncio
from itertools import chain, repeat

import grpc
import grpc.aio
from google.rpc.status_pb2 import Status

from placewright.launcher.calls import LauncherCalls
from placewright.launcher.held import Phase
from placewright.launcher.keeper import Keeper
from placewright.launcher.log import log
from placewright.launcher.session import Session, SessionSlot
from placewright.launcher.tuning import Backoff, Tuning
from placewright.status import error_of_status
from placewright.v1.error_pb2 import ErrorReason
from placewright.v1.launcher_service_pb2 import RunReport

REPORTS_PER_CALL_MAX = 1_000
OK = grpc.StatusCode.OK.value[0]
NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
ABORTED = grpc.StatusCode.ABORTED.value[0]
REFUSED_FOR_GOOD = (grpc.StatusCode.FAILED_PRECONDITION.value[0], grpc.StatusCode.INVALID_ARGUMENT.value[0])
NO_RESULT = Status(code=grpc.StatusCode.UNKNOWN.value[0])
STALE_RUN_TOKEN = ErrorReason.Name(ErrorReason.ERROR_REASON_STALE_RUN_TOKEN).removeprefix("ERROR_REASON_")


class Reporter:
    """Sends changed runs, newest state only, in batches.

    A report that was answered, be it with a refusal for good, is made again only in a new session. Any other
    is made again and again, after a time of its own, so that one that never gets through delays no other.
    """

    def __init__(self, calls: LauncherCalls, slot: SessionSlot, *, keeper: Keeper, tuning: Tuning) -> None:
        self._calls = calls
        self._slot = slot
        self._keeper = keeper
        self._tuning = tuning
        self._backoff = Backoff(tuning)
        self._backoffs: dict[str, Backoff] = {}
        self._changed: dict[str, None] = {}
        self._has_changes = asyncio.Event()

    def add(self, run_id: str) -> None:
        """Report a run."""
        self._changed[run_id] = None
        self._has_changes.set()

    def add_unconfirmed(self) -> None:
        """Report what the service has not answered in this session: its ack of a full state names no run."""
        for held in self._keeper.runs.values():
            if held.phase is not Phase.NOTED:
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
            run_id = self._changed.popitem()[0]
            held = self._keeper.runs.get(run_id)
            if held is None:
                self._backoffs.pop(run_id, None)
            elif held.told != held.state:
                reports.append(held.report())
        if not self._changed:
            self._has_changes.clear()
        return reports

    async def _report(self, session: Session, reports: list[RunReport]) -> bool:
        """Send one batch; whether it was answered. What was not is to be sent again."""
        try:
            response = await self._calls.report(session.name, reports, timeout_s=self._tuning.call_timeout_s)
        except (grpc.aio.AioRpcError, OSError) as error:
            code = error.code() if isinstance(error, grpc.aio.AioRpcError) else None
            reason = code.name if code is not None else str(error)
            log.warning("reports_failed reports=%d reason=%r", len(reports), reason)
            if code is grpc.StatusCode.ABORTED:
                session.lose()
            for report in reports:
                self.add(report.run_id)
            return False
        results = chain(response.results, repeat(NO_RESULT))
        for report, result in zip(reports, results, strict=False):
            if await self._is_dealt_with(session, report, result=result):
                self._backoffs.pop(report.run_id, None)
            else:
                self._add_later(report.run_id)
        return True

    async def _is_dealt_with(self, session: Session, report: RunReport, *, result: Status) -> bool:
        """Take in the answer to one report; whether there is no more to say."""
        if session.is_over.is_set():
            return False  # the next session knows nothing of this answer
        if result.code == OK:
            self._keeper.confirm(report)
            return True
        log.warning("report_refused run_id=%s state=%d code=%d", report.run_id, report.state, result.code)
        if result.code == NOT_FOUND:
            await self._keeper.release(report.run_id)
            return True
        is_stale = error_of_status(result).facts.reason == STALE_RUN_TOKEN
        if is_stale or result.code in REFUSED_FOR_GOOD:
            self._keeper.confirm(report)  # the service holds it otherwise and says what it wants
            return True
        if result.code == ABORTED:
            session.lose()
        return False

    def _add_later(self, run_id: str) -> None:
        backoff = self._backoffs.setdefault(run_id, Backoff(self._tuning))
        asyncio.get_running_loop().call_later(backoff.next_s(), self.add, run_id)
