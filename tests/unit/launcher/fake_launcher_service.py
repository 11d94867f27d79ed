"""A LauncherService over real gRPC that claims atomically and knows one launcher, for tests."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from placewright.v1 import job_pb2, pool_pb2
from placewright.v1 import launcher_service_pb2 as pb
from placewright.v1.launcher_service_pb2_grpc import (
    LauncherServiceServicer,
    add_LauncherServiceServicer_to_server,
)

UNTIL_TIMEOUT_S = 20.0


@dataclass(kw_only=True)
class FakeRun:
    """A run in the service's records.

    Attributes:
        token: given with the claim; the offer has it from then on.
    """

    token: int
    offer: pb.DesiredRun
    payload: job_pb2.LaunchPayload
    claimed_by: str = ""
    claims: int = 0
    states: list[Any] = field(default_factory=list)
    end: pb.RunReport | None = None

    def take_claim(self, session: str) -> None:
        self.claimed_by = session
        self.offer.claimed = True
        self.offer.run_token = self.token


class FakeLauncherService(LauncherServiceServicer):
    """Offers runs, takes claims and reports; faults are counted down by the tests.

    Attributes:
        claim_answers_to_lose: claims that are carried out and then answered UNAVAILABLE.
        reports_to_refuse: ReportRuns calls answered UNAVAILABLE.
        code_of_report: how a report within ReportRuns is refused; None takes it.
        refused: the reports that were refused so.
        is_renewing: RenewRuns is answered; else UNAVAILABLE.
        is_opening: Attach is answered; else UNAVAILABLE.
        sequences_to_skip: numbers that the next message of the stream leaves out.
        is_releasing: an ended run is released at once.
        is_taking_held_runs: the runs of a full state are taken over; else refused, which nobody hears of.
        is_taking_snapshots: a launcher's full state is taken over and acknowledged when it is complete.
        session: the newest one; opaque.
        peers: the launcher's end of the connection of each session.
        sessions: opened so far.
        said: number of the stream's newest message.
        stale_reports: refused, as their run token was not the run's.
        faults: what the launcher did against the contract.
        snapshots: what the launcher said in each session's full state.
    """

    def __init__(self, *, lease_ms: int = 60_000) -> None:
        self.lease_ms = lease_ms
        self.pools: dict[str, pool_pb2.PoolSpec] = {}
        self.runs: dict[str, FakeRun] = {}
        self.session = ""
        self.sessions = 0
        self.peers: list[str] = []
        self.snapshots: list[list[pb.AttachRequest]] = []
        self.renewals = 0
        self.acknowledged = 0
        self.said = 0
        self.tokens: set[str] = set()
        self.claim_answers_to_lose = 0
        self.reports_to_refuse = 0
        self.code_of_report: Callable[[pb.RunReport], grpc.StatusCode | None] = lambda _report: None
        self.refused: list[pb.RunReport] = []
        self.is_renewing = True
        self.is_opening = True
        self.is_taking_held_runs = True
        self.is_releasing = True
        self.is_taking_snapshots = True
        self.sequences_to_skip = 0
        self.stale_reports = 0
        self.faults: list[str] = []
        self.address = ""
        self._outbox: asyncio.Queue[pb.AttachResponse | None] = asyncio.Queue()
        self._has_changed = asyncio.Condition()
        self._server: grpc.aio.Server | None = None

    # --- what tests do ---

    async def start(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_LauncherServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]  # generated
        port = self._server.add_insecure_port(self.address or "127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        await self._server.start()

    async def stop(self) -> None:
        """Go away, as in an outage."""
        assert self._server is not None
        await self._server.stop(None)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something holds of this service."""
        async with self._has_changed:
            await asyncio.wait_for(self._has_changed.wait_for(is_so), UNTIL_TIMEOUT_S)

    async def until_state(self, run_id: str, state: job_pb2.RunState) -> FakeRun:
        run = self.runs[run_id]
        await self.until(lambda: state in run.states)
        return run

    async def until_ended(self, run_id: str) -> pb.RunReport:
        run = await self.until_state(run_id, job_pb2.RunState.RUN_STATE_ENDED)
        assert run.end is not None
        return run.end

    async def offer(self, run: FakeRun) -> None:
        self.runs[run.offer.run_id] = run
        await self.say(desired_run=run.offer)

    async def stop_run(self, run_id: str, reason: job_pb2.EndReason, *, grace_ms: int) -> None:
        offer = self.runs[run_id].offer
        offer.generation += 1
        offer.desired = pb.DESIRED_STATE_STOP
        offer.stop_reason = reason
        offer.grace_period.FromMilliseconds(grace_ms)
        await self.say(desired_run=offer)

    async def release(self, run_id: str) -> None:
        await self.say(run_released=pb.RunReleased(run_id=run_id))

    async def break_stream(self) -> None:
        """End the session's stream; the launcher opens a new session."""
        await self._outbox.put(None)

    async def say(self, **message: Any) -> None:
        copy = pb.AttachResponse()
        copy.CopyFrom(pb.AttachResponse(**message))
        await self._outbox.put(copy)

    # --- LauncherService ---

    async def Attach(  # noqa: N802  # the wire's name
        self, request_iterator: AsyncIterator[pb.AttachRequest], context: Any
    ) -> None:
        if not self.is_opening:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "an outage")
        hello = await anext(request_iterator)
        assert hello.HasField("hello"), hello
        assert hello.sequence == 1, hello
        self.tokens.update(value for name, value in context.invocation_metadata() if name == "authorization")
        await self._outbox.put(None)  # ends an older stream
        outbox: asyncio.Queue[pb.AttachResponse | None] = asyncio.Queue()
        self._outbox = outbox
        self.sessions += 1
        self.peers.append(context.peer())
        self.session = uuid.uuid4().hex
        opened = pb.SessionOpened(session=self.session, history="h1", lease_duration=self._lease())
        await self.say(session_opened=opened)
        for pool_id, spec in self.pools.items():
            await self.say(served_pool=pb.ServedPool(pool_id=pool_id, spec=spec))
        for run in self.runs.values():
            if run.end is None:
                await self.say(desired_run=run.offer)
        await self.say(snapshot_end=pb.SnapshotEnd())
        listening = asyncio.ensure_future(self._listen(request_iterator))
        try:
            sequence = 0
            while (message := await outbox.get()) is not None:
                sequence += 1 + self.sequences_to_skip
                self.sequences_to_skip = 0
                self.said = message.sequence = sequence
                await context.write(message)
        finally:
            listening.cancel()

    async def _listen(self, requests: AsyncIterator[pb.AttachRequest]) -> None:
        snapshot: list[pb.AttachRequest] = []
        sequence = 1
        async for request in requests:
            sequence += 1
            if request.sequence != sequence:
                await self.break_stream()
                self.faults.append(f"sequence must be {sequence}, got {request.sequence}")
            if request.HasField("ack"):
                self.acknowledged = request.ack.sequence
            elif request.HasField("snapshot_end"):
                self.snapshots.append(snapshot)
                if self.is_taking_snapshots:
                    await self._take_snapshot(snapshot, sequence)
            else:
                snapshot.append(request)
            await self._note_change()

    async def _take_snapshot(self, snapshot: list[pb.AttachRequest], sequence: int) -> None:
        for said in snapshot:
            if said.HasField("run") and self.is_taking_held_runs:
                await self._take(said.run)
        await self.say(ack=pb.Ack(sequence=sequence))

    async def ClaimRun(self, request: pb.ClaimRunRequest, context: Any) -> pb.ClaimRunResponse:  # noqa: N802  # the wire's name
        await self._check_session(request.session, context)
        run = self.runs[request.run_id]
        if run.claimed_by not in ("", request.session) or run.end is not None:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the run is not offered")
        run.take_claim(request.session)
        run.claims += 1
        await self._note_change()
        if self.claim_answers_to_lose > 0:
            self.claim_answers_to_lose -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the answer got lost")
        return pb.ClaimRunResponse(
            run_token=run.token,
            payload=run.payload,
            job_id="cell-job",
            job_name="a-job",
            replica_index=0,
            run_number=1,
        )

    async def RenewRuns(self, request: pb.RenewRunsRequest, context: Any) -> pb.RenewRunsResponse:  # noqa: N802  # the wire's name
        if not self.is_renewing:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "an outage")
        await self._check_session(request.session, context)
        self.renewals += 1
        await self._note_change()
        return pb.RenewRunsResponse(lease_duration=self._lease(), renewal_number=self.renewals)

    async def ReportRuns(self, request: pb.ReportRunsRequest, context: Any) -> pb.ReportRunsResponse:  # noqa: N802  # the wire's name
        await self._check_session(request.session, context)
        if self.reports_to_refuse > 0:
            self.reports_to_refuse -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "try again")
        return pb.ReportRunsResponse(results=[await self._answer(report) for report in request.reports])

    # --- records ---

    async def _answer(self, report: pb.RunReport) -> Status:
        code = self.code_of_report(report)
        if code is None:
            return await self._take(report)
        self.refused.append(report)
        await self._note_change()
        return Status(code=code.value[0])

    async def _take(self, report: pb.RunReport) -> Status:
        run = self.runs.get(report.run_id)
        if run is None:
            await self.release(report.run_id)
            return Status(code=grpc.StatusCode.NOT_FOUND.value[0])
        if report.run_token != run.token:
            self.stale_reports += 1
            await self._note_change()
            return _stale_run_token()
        run.states.append(report.state)
        if report.state == job_pb2.RunState.RUN_STATE_ENDED and run.end is None:
            run.end = report
        if run.end is not None and self.is_releasing:
            await self.release(report.run_id)
        await self._note_change()
        return Status()

    async def _check_session(self, session: str, context: Any) -> None:
        if session != self.session:
            await context.abort(grpc.StatusCode.ABORTED, "a newer session exists")

    async def _note_change(self) -> None:
        async with self._has_changed:
            self._has_changed.notify_all()

    def _lease(self) -> Duration:
        duration = Duration()
        duration.FromMilliseconds(self.lease_ms)
        return duration


def _stale_run_token() -> Status:
    status = Status(code=grpc.StatusCode.ABORTED.value[0])
    status.details.add().Pack(ErrorInfo(reason="STALE_RUN_TOKEN", domain="placewright"))
    return status
