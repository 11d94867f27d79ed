"""One attached launcher: both sides say their full state, an end marker, then deltas."""

import asyncio
from collections.abc import AsyncIterator

import structlog

from placewright.v1 import launcher_service_pb2 as wire
from scheduler.api import enums
from scheduler.api.checks import NODE_NAME, checking, shown
from scheduler.api.encode_job import duration, encode_placement
from scheduler.api.launcher_reports import decode_report
from scheduler.api.pools import encode_spec
from scheduler.api.positions import encode_session
from scheduler.model.errors import (
    FieldViolation,
    InvalidRequest,
    NotCaughtUp,
    Overloaded,
    PlacewrightError,
    StaleSession,
    StoreUnavailable,
)
from scheduler.model.ids import LauncherId, PoolId, Principal, RunId
from scheduler.model.limits import NODES_PER_POOL_MAX
from scheduler.model.pool import PoolStatus
from scheduler.model.run import RunState
from scheduler.model.transitions.runs import live_run
from scheduler.service.desired import NOTHING_DESIRED, Delta, Desired, DesiredRun, delta, desired
from scheduler.service.launchers import Changed, Launchers, Report, SessionRef
from scheduler.service.parts import Parts

log = structlog.get_logger()

HEARTBEAT_S = 10
ACK_EVERY = 256
UNKNOWN_STOP_MS = 2_000
OUTGOING_MAX = 10_000  # messages that wait for the launcher to read; then the stream waits too


class Attachment:
    """Serves one Attach stream until the launcher leaves or a newer session replaces it."""

    def __init__(self, launchers: Launchers, parts: Parts, principal: Principal) -> None:
        self._launchers, self._parts, self._principal = launchers, parts, principal
        self._out: asyncio.Queue[wire.AttachResponse | None] = asyncio.Queue(OUTGOING_MAX)
        self._said = 0
        self._received = 1
        self._statuses: dict[PoolId, PoolStatus] = {}
        self._is_synchronised = False
        self._is_stopping_unknown = False

    async def serve(self, requests: AsyncIterator[wire.AttachRequest]) -> AsyncIterator[wire.AttachResponse]:
        """The service's side of the stream.

        Raises:
            StaleSession: a newer session has been opened, or this one has expired.
        """
        ref = await self._open(requests)
        changed = Changed()
        self._parts.mirror.add_listener(changed)
        reading = asyncio.ensure_future(self._read(requests, ref))
        writing = asyncio.ensure_future(self._write(ref, changed))
        try:
            async for response in self._responses(reading, writing):
                yield response
        finally:
            self._parts.mirror.remove_listener(changed)
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)

    async def _open(self, requests: AsyncIterator[wire.AttachRequest]) -> SessionRef:
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("message") != "hello":
            raise InvalidRequest(FieldViolation("message", "must be hello in the first message"))
        with checking("hello.") as checks:
            launcher_id = LauncherId(checks.id("launcher_id", first.hello.launcher_id))
            version = checks.text("version", first.hello.version)
        session = await self._launchers.open_session(launcher_id, principal=self._principal, version=version)
        log.info("launcher_attached", launcher_id=launcher_id, session=session.number, version=version)
        history = session.history
        opened = wire.SessionOpened(
            session=encode_session(history, session.number),
            lease_duration=duration(session.lease_duration_ms),
            history=history,
        )
        await self._send(wire.AttachResponse(session_opened=opened))
        return SessionRef(launcher_id, session.number, self._principal, history)

    async def _responses(
        self, reading: asyncio.Future[None], writing: asyncio.Future[None]
    ) -> AsyncIterator[wire.AttachResponse]:
        """What is to be sent, until the launcher has left; errors of either side come up here."""
        for task in (reading, writing):
            task.add_done_callback(lambda _: self._out.put_nowait(None) if not self._out.full() else None)
        sequence = 0
        while True:
            response = await self._out.get()
            for task in (reading, writing):
                if task.done():
                    task.result()
            if response is None:
                return
            sequence += 1
            response.sequence = sequence
            yield response

    async def _send(self, response: wire.AttachResponse) -> None:
        await self._out.put(response)
        self._said += 1

    async def _write(self, ref: SessionRef, changed: Changed) -> None:
        """Send what is desired, whole first, then as it changes; a heartbeat where that is long silent."""
        said = await self._send_delta(ref, NOTHING_DESIRED)
        await self._send(wire.AttachResponse(snapshot_end=wire.SnapshotEnd()))
        while True:
            said_before = self._said
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    while self._said == said_before:
                        await changed.event.wait()
                        changed.event.clear()
                        self._launchers.session(ref)
                        said = await self._send_delta(ref, said)
            except TimeoutError:
                if not self._parts.mirror.is_connected:
                    raise StoreUnavailable("this replica does not reach the store: try another") from None
                await self._send(wire.AttachResponse(heartbeat=wire.Heartbeat()))

    async def _send_delta(self, ref: SessionRef, said: Desired) -> Desired:
        now = desired(self._parts.state, ref.launcher_id)
        for response in encode_delta(delta(said, now)):
            await self._send(response)
        return now

    async def _read(self, requests: AsyncIterator[wire.AttachRequest], ref: SessionRef) -> None:
        async for request in requests:
            self._received += 1
            if request.sequence != self._received:
                raise InvalidRequest(
                    FieldViolation("sequence", f"must be {self._received}, got {request.sequence}")
                )
            await self._take(request, ref)
            if self._is_ack_due(request):
                await self._send(wire.AttachResponse(ack=wire.Ack(sequence=request.sequence)))

    def _is_ack_due(self, request: wire.AttachRequest) -> bool:
        """Rarely before the full state is complete: nothing of it counts before, and it may be long."""
        if request.WhichOneof("message") == "ack":
            return False
        return self._is_synchronised or request.sequence % ACK_EVERY == 0

    async def _take(self, request: wire.AttachRequest, ref: SessionRef) -> None:
        match request.WhichOneof("message"):
            case "pool_status":
                await self._take_pool_status(request.pool_status, ref)
            case "run":
                with checking("run.") as checks:
                    report = decode_report(request.run, checks)
                await self._take_run(report, ref)
            case "snapshot_end":
                await self._expect_all_known()
                await self._launchers.synchronise(ref, self._statuses)
                self._is_synchronised = True
            case "hello":
                raise InvalidRequest(FieldViolation("message", "must be hello only in the first message"))
            case _:
                pass  # acks, and messages of newer launchers

    async def _take_pool_status(self, message: wire.LauncherPoolStatus, ref: SessionRef) -> None:
        """Note a pool's status; until the full state is complete none of them counts."""
        with checking("pool_status.") as checks:
            pool_id = PoolId(checks.id("pool_id", message.pool_id))
            checks.text("message", message.message)
            checks.count("unavailable_nodes", len(message.unavailable_nodes), 0, NODES_PER_POOL_MAX)
            unknown = [name for name in message.unavailable_nodes if NODE_NAME.fullmatch(name) is None]
            if unknown:
                checks.add("unavailable_nodes", f'must be node names such as "0", got {shown(unknown[0])}')
        nodes = tuple(sorted({int(name) for name in message.unavailable_nodes}))
        status = PoolStatus(ready=True, unavailable_nodes=nodes, message=message.message)
        if self._is_synchronised:
            await self._launchers.report_pool(ref, pool_id, status)
        else:
            self._statuses[pool_id] = status

    async def _take_run(self, report: Report, ref: SessionRef) -> None:
        """Take a held run over; one that the service does not know as live is released."""
        try:
            await self._launchers.report(ref, report)
        except (StoreUnavailable, NotCaughtUp, Overloaded):
            raise  # the launcher says it all again in a new session
        except PlacewrightError as error:
            self._launchers.session(ref)  # a stale session ends the stream; a refused report does not
            log.info("held_run_refused", run_id=report.run_id, error=str(error))
        if live_run(self._parts.state, report.run_id) is None:
            is_unknown = self._parts.state.run(report.run_id) is None
            self._is_stopping_unknown |= is_unknown and report.state is not RunState.ENDED
            await self._send(released(report.run_id))

    async def _expect_all_known(self) -> None:
        """While the launcher stops runs that nobody knows, its replicas must not be placed anew.

        Raises:
            StaleSession: there are such runs; attach again.
        """
        if self._is_stopping_unknown:
            await self._parts.clock.sleep(UNKNOWN_STOP_MS)  # in which it hears what to stop
            raise StaleSession("runs that the service does not know are being stopped: attach again")


def encode_delta(change: Delta) -> list[wire.AttachResponse]:
    """The messages that bring a launcher up to date; pools come before the runs on them."""
    return [
        *(
            wire.AttachResponse(served_pool=wire.ServedPool(pool_id=pool_id, spec=encode_spec(spec)))
            for pool_id, spec in change.pools
        ),
        *(wire.AttachResponse(desired_run=encode_desired(run)) for run in change.runs),
        *(released(run_id) for run_id in change.released),
        *(
            wire.AttachResponse(served_pool_removed=wire.ServedPoolRemoved(pool_id=pool_id))
            for pool_id in change.removed_pools
        ),
    ]


def released(run_id: RunId) -> wire.AttachResponse:
    return wire.AttachResponse(run_released=wire.RunReleased(run_id=run_id))


def encode_desired(run: DesiredRun) -> wire.DesiredRun:
    stops = run.stop_reason is not None
    return wire.DesiredRun(
        run_id=run.run_id,
        generation=run.generation,
        desired=wire.DESIRED_STATE_STOP if stops else wire.DESIRED_STATE_RUN,
        claimed=run.claimed,
        run_token=run.run_token,
        placement=encode_placement(run.placement),
        stop_reason=enums.END_REASONS.to_wire(run.stop_reason),  # type: ignore[arg-type]  # an int is an enum value
        grace_period=duration(run.grace_period_ms),
    )
