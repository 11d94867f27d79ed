"""A launcher that only listens: it makes its pools ready and says when it is offered a run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from placewright.v1 import launcher_service_pb2 as wire
from placewright.v1.launcher_service_pb2_grpc import LauncherServiceStub

LAUNCHER_ID = "bench"
RENEW_EVERY_S = 10.0
WAIT_SECONDS_MAX = 60


class BenchLauncher:
    """The launcher's end of one session."""

    def __init__(self, stub: LauncherServiceStub, pool_ids: list[str]) -> None:
        self._stub, self._pool_ids = stub, pool_ids
        self._outgoing: asyncio.Queue[wire.AttachRequest] = asyncio.Queue()
        self._sequence = 0
        self._session = ""
        self._is_ready = asyncio.Event()
        self._offered: set[str] = set()
        self._offer = asyncio.Condition()

    async def run(self) -> None:
        """Attach, and listen until cancelled."""
        self._send(hello=wire.LauncherHello(launcher_id=LAUNCHER_ID, version="bench"))
        call = self._stub.Attach(self._requests())
        async for response in call:
            await self._take(response)

    async def renew(self) -> None:
        """Keep the lease, until cancelled."""
        await self._is_ready.wait()
        while True:
            request = wire.RenewRunsRequest(launcher_id=LAUNCHER_ID, session=self._session)
            await self._stub.RenewRuns(request)
            await asyncio.sleep(RENEW_EVERY_S)

    async def ready(self) -> None:
        """Wait until its pools are ready."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await self._is_ready.wait()

    async def offered(self, job_id: str) -> None:
        """Wait until a run of the job is offered."""
        async with asyncio.timeout(WAIT_SECONDS_MAX), self._offer:
            await self._offer.wait_for(lambda: job_id in self._offered)

    async def _take(self, response: wire.AttachResponse) -> None:
        match response.WhichOneof("message"):
            case "session_opened":
                self._session = response.session_opened.session
                for pool_id in self._pool_ids:
                    self._send(pool_status=wire.LauncherPoolStatus(pool_id=pool_id))
                self._send(snapshot_end=wire.SnapshotEnd())
            case "ack" if response.ack.sequence > len(self._pool_ids) + 1:
                self._is_ready.set()
            case "desired_run":
                async with self._offer:
                    self._offered.add(response.desired_run.run_id.rsplit("-", 2)[0])
                    self._offer.notify_all()

    def _send(self, **message: object) -> None:
        self._sequence += 1
        self._outgoing.put_nowait(wire.AttachRequest(sequence=self._sequence, **message))  # type: ignore[arg-type]  # one of its messages

    async def _requests(self) -> AsyncIterator[wire.AttachRequest]:
        while True:
            yield await self._outgoing.get()


@asynccontextmanager
async def bench_launcher(channel: grpc.aio.Channel, pool_ids: list[str]) -> AsyncIterator[BenchLauncher]:
    launcher = BenchLauncher(LauncherServiceStub(channel), pool_ids)  # type: ignore[no-untyped-call]  # generated
    tasks = [asyncio.create_task(launcher.run()), asyncio.create_task(launcher.renew())]
    try:
        await launcher.ready()
        yield launcher
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
