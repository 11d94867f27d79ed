"""The Attach stream: both sides say all they know, then what changes."""

import asyncio

import grpc
import grpc.aio

from placewright.launcher.calls import AttachCall, LauncherCalls
from placewright.launcher.keeper import Keeper
from placewright.launcher.lease import Lease, now_ns
from placewright.launcher.log import log
from placewright.launcher.reporter import Reporter
from placewright.launcher.session import Session, SessionSlot
from placewright.launcher.tuning import Backoff, Tuning
from placewright.launcher.waiting import TimeIsUp, in_time
from placewright.v1 import launcher_service_pb2 as pb
from placewright.version import __version__

VERSION = f"placewright-python/{__version__}"
ACK_EVERY = 100  # messages, within the full state
STABLE_S = 10.0  # after a session that lasted this long the next one is opened at once


class StreamEnded(Exception):
    """The service closed the stream, fell silent, or said something out of order."""


class Stream:
    """One Attach call, with the sequence numbers of both sides."""

    def __init__(self, call: AttachCall, *, silence_s_max: float) -> None:
        self._call = call
        self._silence_s_max = silence_s_max
        self._sent = 0
        self._received = 0

    async def read(self) -> pb.AttachResponse:
        """The next message.

        Raises:
            StreamEnded: there is none.
        """
        try:
            message = await in_time(self._read(), self._silence_s_max)
        except TimeIsUp:
            raise StreamEnded(f"silent for {self._silence_s_max} s") from None
        if not isinstance(message, pb.AttachResponse):
            raise StreamEnded("closed by the service")
        if message.sequence != self._received + 1:
            raise StreamEnded(f"sequence must be {self._received + 1}, got {message.sequence}")
        self._received = message.sequence
        return message

    async def send(self, message: pb.AttachRequest) -> int:
        """Number and send a message; its number."""
        self._sent += 1
        message.sequence = self._sent
        try:
            await self._call.write(message)
        except asyncio.InvalidStateError:
            raise StreamEnded("ended while writing") from None
        return message.sequence

    async def acknowledge(self) -> None:
        """Confirm everything received so far."""
        await self.send(pb.AttachRequest(ack=pb.Ack(sequence=self._received)))

    async def _read(self) -> object:
        return await self._call.read()

    def cancel(self) -> None:
        self._call.cancel()


class Attachment:
    """Keeps one session open, and opens the next when it ends."""

    def __init__(
        self,
        calls: LauncherCalls,
        slot: SessionSlot,
        *,
        lease: Lease,
        keeper: Keeper,
        reporter: Reporter,
        tuning: Tuning,
    ) -> None:
        self._calls = calls
        self._slot = slot
        self._lease = lease
        self._keeper = keeper
        self._reporter = reporter
        self._tuning = tuning

    async def attach_forever(self) -> None:
        """Open one session after the other."""
        backoff = Backoff(self._tuning)
        loop = asyncio.get_running_loop()
        while True:
            started_at_s = loop.time()
            try:
                await self._attach()
            except grpc.aio.AioRpcError as error:
                log.warning("stream_failed code=%s details=%r", error.code().name, error.details())
            except StreamEnded as error:
                log.warning("stream_ended reason=%r", str(error))
            except OSError:
                log.exception("attach_failed")
            if loop.time() - started_at_s > STABLE_S:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())
            self._calls.reconnect()  # the old connection may lead nowhere without anybody saying so

    async def _attach(self) -> None:
        """One session from its hello to its end."""
        stream = Stream(self._calls.attach(), silence_s_max=self._tuning.stream_silence_s_max)
        try:
            session = await self._open_in_time(stream)
            try:
                await self._follow_until_over(stream, session)
            finally:
                await session.end()
        finally:
            stream.cancel()

    async def _open_in_time(self, stream: Stream) -> Session:
        try:
            return await in_time(self._open(stream), self._tuning.call_timeout_s)
        except TimeIsUp:
            raise StreamEnded("no session was opened in time") from None

    async def _open(self, stream: Stream) -> Session:
        sent_at_ns = now_ns()
        hello = pb.LauncherHello(launcher_id=self._calls.launcher_id, version=VERSION)
        await stream.send(pb.AttachRequest(hello=hello))
        message = await stream.read()
        if not message.HasField("session_opened"):
            raise StreamEnded(f"expected session_opened first, got {message.WhichOneof('message')}")
        opened = message.session_opened
        duration_ns = opened.lease_duration.ToNanoseconds()
        if duration_ns <= 0:
            raise StreamEnded(f"lease_duration must be positive, got {duration_ns} ns")
        session = Session(opened.session)
        self._lease.renew(sent_at_ns=sent_at_ns, duration_ns=duration_ns)
        self._slot.put(session)
        log.info("session_opened session=%s history=%s", opened.session, opened.history)
        return session

    async def _follow_until_over(self, stream: Stream, session: Session) -> None:
        follow = asyncio.ensure_future(self._follow(stream, session))
        over = asyncio.ensure_future(session.is_over.wait())
        try:
            await asyncio.wait((follow, over), return_when=asyncio.FIRST_COMPLETED)
            if follow.cancelled():
                raise StreamEnded("cancelled")
            if follow.done():
                follow.result()
        finally:
            follow.cancel()
            over.cancel()
            await asyncio.gather(follow, over, return_exceptions=True)

    async def _follow(self, stream: Stream, session: Session) -> None:
        await self._receive_state(stream, session)
        state_sent = await self._send_state(stream)
        while True:
            message = await stream.read()
            if message.ack.sequence >= state_sent and not session.is_synchronised.is_set():
                session.is_synchronised.set()
                self._reporter.add_unconfirmed()
            if await self._take(stream, session, message):
                await stream.acknowledge()

    async def _receive_state(self, stream: Stream, session: Session) -> None:
        """Take over the service's full state."""
        pools = {}
        desired_runs = []
        while True:
            message = await stream.read()
            match message.WhichOneof("message"):
                case "served_pool":
                    pools[message.served_pool.pool_id] = message.served_pool.spec
                case "desired_run":
                    desired_runs.append(message.desired_run)
                case "snapshot_end":
                    break
            if message.sequence % ACK_EVERY == 0:
                await stream.acknowledge()
        self._keeper.pools.clear()
        self._keeper.pools.update(pools)
        await self._keeper.take_snapshot(session, desired_runs)
        await stream.acknowledge()

    async def _send_state(self, stream: Stream) -> int:
        """Say everything; the number of the end marker, from whose ack on it counts."""
        for pool_id in self._keeper.pools:
            await stream.send(pb.AttachRequest(pool_status=self._keeper.pool_status(pool_id)))
        for report in self._keeper.reports():
            await stream.send(pb.AttachRequest(run=report))
        return await stream.send(pb.AttachRequest(snapshot_end=pb.SnapshotEnd()))

    async def _take(self, stream: Stream, session: Session, message: pb.AttachResponse) -> bool:
        """Take over one change; whether it is to be acknowledged."""
        match message.WhichOneof("message"):
            case "desired_run":
                await self._keeper.take(session, message.desired_run)
            case "run_released":
                await self._keeper.release(message.run_released.run_id)
            case "served_pool":
                served = message.served_pool
                self._keeper.pools[served.pool_id] = served.spec
                status = self._keeper.pool_status(served.pool_id)
                await stream.send(pb.AttachRequest(pool_status=status))
            case "served_pool_removed":
                self._keeper.pools.pop(message.served_pool_removed.pool_id, None)
            case _:
                return False
        return True
