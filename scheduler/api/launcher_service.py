"""LauncherService: decode, call, encode."""

import asyncio
from collections.abc import AsyncIterator

from google.rpc import status_pb2

from placewright.v1 import job_pb2, launcher_service_pb2_grpc
from placewright.v1 import launcher_service_pb2 as wire
from scheduler.api.attachment import Attachment
from scheduler.api.checks import Checks, checking
from scheduler.api.encode_job import duration
from scheduler.api.errors import status_of
from scheduler.api.interceptor import Context, caller
from scheduler.api.launcher_reports import decode_report
from scheduler.api.positions import decode_session
from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import LauncherId, RunId
from scheduler.model.limits import REPORTS_PER_CALL_MAX
from scheduler.service.launchers import Launchers, SessionRef
from scheduler.service.parts import Parts


class LauncherServicer(launcher_service_pb2_grpc.LauncherServiceServicer):
    """The wire's side of `service.launchers`."""

    def __init__(self, parts: Parts) -> None:
        self._launchers, self._parts = Launchers(parts), parts

    async def Attach(
        self, request_iterator: AsyncIterator[wire.AttachRequest], context: Context
    ) -> AsyncIterator[wire.AttachResponse]:
        attachment = Attachment(self._launchers, self._parts, caller().principal)
        async for response in attachment.serve(request_iterator):
            yield response

    async def ClaimRun(self, request: wire.ClaimRunRequest, context: Context) -> wire.ClaimRunResponse:
        with checking() as checks:
            checks.id("run_id", request.run_id)
            ref = self._session_ref(request, checks)
        claim = await self._launchers.claim(ref, RunId(request.run_id))
        payload = job_pb2.LaunchPayload(command=claim.payload.command, env=dict(claim.payload.env))
        return wire.ClaimRunResponse(
            run_token=claim.run.run_token,
            payload=payload,
            job_id=claim.run.job_id,
            job_name=claim.job_name,
            replica_index=claim.replica_index,
            run_number=claim.run.run_number,
        )

    async def RenewRuns(self, request: wire.RenewRunsRequest, context: Context) -> wire.RenewRunsResponse:
        with checking() as checks:
            ref = self._session_ref(request, checks)
        session = await self._launchers.renew(ref)
        return wire.RenewRunsResponse(
            lease_duration=duration(session.lease_duration_ms), renewal_number=session.renewal_number
        )

    async def ReportRuns(self, request: wire.ReportRunsRequest, context: Context) -> wire.ReportRunsResponse:
        with checking() as checks:
            checks.count("reports", len(request.reports), 1, REPORTS_PER_CALL_MAX)
            checks.done()
            ref = self._session_ref(request, checks)
        results = await asyncio.gather(
            *(self._reported(ref, index, item) for index, item in enumerate(request.reports))
        )
        revisions = [result for result in results if isinstance(result, int)]
        return wire.ReportRunsResponse(
            results=[_encode_result(result) for result in results], revision=max(revisions, default=0)
        )

    async def _reported(self, ref: SessionRef, index: int, item: wire.RunReport) -> int | PlacewrightError:
        """What became of one report; a bad one does not fail the others."""
        try:
            with checking(f"reports[{index}].") as checks:
                report = decode_report(item, checks)
            return await self._launchers.report(ref, report)
        except PlacewrightError as error:
            return error

    def _session_ref(
        self, request: wire.ClaimRunRequest | wire.RenewRunsRequest | wire.ReportRunsRequest, checks: Checks
    ) -> SessionRef:
        launcher_id = checks.id("launcher_id", request.launcher_id)
        history = self._parts.state.history
        number = decode_session("session", request.session, history)
        return SessionRef(LauncherId(launcher_id), number, caller().principal, history)


def _encode_result(result: int | PlacewrightError) -> status_pb2.Status:
    return status_of(result) if isinstance(result, PlacewrightError) else status_pb2.Status()
