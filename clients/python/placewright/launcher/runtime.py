"""The launcher runtime: joins a backend to the service.

Write a launcher of your own in a few lines: implement `placewright.launcher.backend.Backend` and run

    runtime = LauncherRuntime("localhost:7461", "my-launcher", backend=MyBackend(), state_dir=Path("state"))
    await runtime.run()
"""

import asyncio
from pathlib import Path

from placewright.launcher.attachment import Attachment
from placewright.launcher.backend import Backend
from placewright.launcher.calls import Access, LauncherCalls
from placewright.launcher.keeper import Keeper
from placewright.launcher.lease import Lease
from placewright.launcher.log import log
from placewright.launcher.notes import Notes
from placewright.launcher.renewer import renew_forever
from placewright.launcher.reporter import Reporter
from placewright.launcher.session import SessionSlot
from placewright.launcher.starter import Starter
from placewright.launcher.tuning import Tuning

LEASE_FILE = "lease"


class LauncherRuntime:
    """Serves the pools whose spec names `launcher_id`, starting their runs with a backend.

    A state directory belongs to one launcher id, and a launcher id to one place where its tasks can be found.
    """

    def __init__(
        self,
        address: str,
        launcher_id: str,
        *,
        backend: Backend,
        state_dir: Path,
        access: Access | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self._address = address
        self._launcher_id = launcher_id
        self._backend = backend
        self._state_dir = state_dir
        self._access = access or Access()
        self._tuning = tuning or Tuning()
        self._keeper: Keeper | None = None

    async def run(self) -> None:
        """Serve until cancelled; the tasks go on then, for the next process to adopt.

        Raises:
            StateDirectoryInUse: another process or launcher id has the state directory.
        """
        notes = Notes(self._state_dir, launcher_id=self._launcher_id)
        calls = LauncherCalls(self._address, self._launcher_id, access=self._access)
        try:
            await self._serve(calls, notes)
        finally:
            await calls.close()
            notes.close()

    async def drain(self) -> None:
        """Stop every run and wait until the service has taken that over; `run` must be running.

        Offers that arrive meanwhile are left unclaimed: the service cannot be told that the pools are closed.
        """
        if self._keeper is not None:
            await self._keeper.drain()

    async def _serve(self, calls: LauncherCalls, notes: Notes) -> None:
        slot = SessionSlot()
        lease = Lease(self._state_dir / LEASE_FILE)
        starter = Starter(calls, notes, lease=lease, backend=self._backend, tuning=self._tuning)
        keeper = Keeper(notes, starter, backend=self._backend, tuning=self._tuning)
        reporter = Reporter(calls, slot, keeper=keeper, tuning=self._tuning)
        keeper.on_change = reporter.add
        attachment = Attachment(
            calls, slot, lease=lease, keeper=keeper, reporter=reporter, tuning=self._tuning
        )
        await keeper.restore()
        self._keeper = keeper
        loops = [
            asyncio.ensure_future(attachment.attach_forever()),
            asyncio.ensure_future(renew_forever(slot, lease, calls=calls, tuning=self._tuning)),
            asyncio.ensure_future(reporter.report_forever()),
            asyncio.ensure_future(keeper.watch()),
        ]
        try:
            done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            for loop in done:
                loop.result()
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await keeper.settle(timeout_s=self._tuning.stop_timeout_s)
            log.info("launcher_stopped launcher_id=%s", self._launcher_id)
