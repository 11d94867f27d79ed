"""A launcher as the rules want it: notes, claims, starts, reports, renews, adopts. It may crash anywhere."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from random import Random
from typing import Any

from scheduler.model.errors import IllegalTransition, NotFound, PlacewrightError, StaleSession
from scheduler.model.ids import LauncherId, PoolId, Principal, RunId
from scheduler.model.pool import PoolSpec
from scheduler.model.run import EndReason, RunState
from scheduler.service.desired import Delta, DesiredRun
from scheduler.service.launchers import Claim, Report, SessionRef
from scheduler.simulation.attachment import Stream, StreamEnded, attach
from scheduler.simulation.crash_points import CrashPoints, begun
from scheduler.simulation.host import End, Lease, script_of
from scheduler.simulation.network import Network, Unreachable
from scheduler.simulation.notes import Belongings, Held, Note, facts_of
from scheduler.simulation.reporting import Renewer, Reporter
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.world import Work

RETRY_MS_MAX = 3_000
PERSIST_MS_MAX = 3
STOCKOUT_PERMILLE = 100
CRASH_SHARE = 4  # crash points of a launcher are fewer than a service's, so each is as many times as likely


class SimulatedLauncher:
    """One start of a launcher, over a disk and hosts that outlive it."""

    def __init__(
        self,
        around: Surroundings,
        network: Network,
        launcher_id: LauncherId,
        *,
        belongings: Belongings,
        start: int,
    ) -> None:
        self.id, self.died = launcher_id, asyncio.Event()
        self._around, self._network = around, network
        self._disk, self._hosts = belongings.disk, belongings.hosts
        self._draw = Random(f"{around.world.seed}/{launcher_id}/{start}")
        self._crash_points = CrashPoints(around, f"{launcher_id}/{start}", die=self.crash)
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._session_tasks: dict[asyncio.Task[Any], None] = {}
        self._reporter, self._renewer = Reporter(self, network), Renewer(self, network, self._hosts.clock)
        self._pools: dict[PoolId, PoolSpec] = {}
        self._held: dict[RunId, Held] = {}
        self._stream: Stream | None = None
        self.session: SessionRef | None = None
        self.is_synchronised = asyncio.Event()

    # --- life ---

    def start(self) -> None:
        self._hosts.on_change = self._changed
        self._restore()
        for work in (self._attach_forever(), self._renewer.run(), self._reporter.run()):
            self._spawn(work, self._tasks)

    def crash(self) -> None:
        """Lose everything but the disk and the hosts."""
        if self.died.is_set():
            return
        self.died.set()
        self._around.trace.add(f"{self.id} crashes")
        self._hosts.on_change = None
        for task in (*self._tasks, *self._session_tasks):
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None], tasks: dict[asyncio.Task[Any], None]) -> None:
        task = begun(work, self._crash_points)
        tasks[task] = None

        def done(task: asyncio.Task[None]) -> None:
            tasks.pop(task, None)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._around.violated(f"{self.id} failed: {type(error).__name__}: {error}", error)

        task.add_done_callback(done)

    async def retry_later(self) -> None:
        await asyncio.sleep(self._draw.randint(100, RETRY_MS_MAX) / 1000)

    async def _persist(self) -> None:
        """The time that a durable write takes; a crash may come before or after it."""
        await self._perhaps_crash()
        await asyncio.sleep(self._draw.randint(0, PERSIST_MS_MAX) / 1000)

    async def _perhaps_crash(self) -> None:
        if self._draw.randrange(1000) < self._around.faults.crash_permille * CRASH_SHARE:
            self.crash()
            await asyncio.get_running_loop().create_future()

    def _restore(self) -> None:
        for run_id, note in self._disk.notes.items():
            self._held[run_id] = Held()
            if note.end is None and note.run_token is not None:
                if not note.is_started:
                    note.end = End(reason=EndReason.INFRASTRUCTURE)
                else:
                    self._look_at(run_id)

    # --- session ---

    async def _attach_forever(self) -> None:
        while True:
            with suppress(Unreachable, StreamEnded, PlacewrightError):
                await self._attach()
            self._end_session()
            await self.retry_later()

    def _end_session(self) -> None:
        self.is_synchronised.clear()
        for task in tuple(self._session_tasks):
            task.cancel()
        for held in self._held.values():
            held.is_claiming = False

    async def _attach(self) -> None:
        sent_at_ms = self._hosts.clock.monotonic_ms()
        stream = await attach(self._network, self._around, self.id, principal=Principal(self.id))
        self.take_lease(sent_at_ms, stream.session.lease_duration_ms)
        self.session, self._stream = stream.ref, stream
        try:
            self._take_snapshot(await stream.read())
            await self._send_state(stream)
            self.is_synchronised.set()
            for run_id, held in self._held.items():
                if self._state_of(run_id) not in (None, RunState.STARTING, held.told):
                    self.report(run_id)
            while True:
                await self._take_delta(stream, await stream.read())
        finally:
            stream.close()

    async def _send_state(self, stream: Stream) -> None:
        for run_id in tuple(self._held):
            report = self.report_of(run_id)
            if report is not None and await stream.tell_of_run(report):
                self.release(run_id)
        await stream.synchronise({pool_id: self._hosts.status_of(pool_id) for pool_id in self._pools})

    def pool_changed(self, pool_id: PoolId) -> None:
        """Its machines went away or came back: the service is told, or the stream begins again."""
        if self._stream is not None and pool_id in self._pools and not self.died.is_set():
            self._spawn(self._tell_of_change(self._stream, pool_id), self._session_tasks)

    async def _tell_of_change(self, stream: Stream, pool_id: PoolId) -> None:
        await self.is_synchronised.wait()
        await stream.tell_of_change(pool_id, self._hosts.status_of(pool_id))

    @property
    def lease(self) -> Lease:
        return self._hosts.lease

    def take_lease(self, sent_at_ms: int, duration_ms: int) -> None:
        now_ms = self._hosts.clock.monotonic_ms()
        lease = self._hosts.lease.renewed(sent_at_ms=sent_at_ms, duration_ms=duration_ms, now_ms=now_ms)
        self._hosts.take_lease(lease)
        self._around.trace.add(f"{self.id} has lease {lease}")

    def lose(self, ref: SessionRef) -> None:
        """The service said that the session no longer counts."""
        if self._stream is not None and ref == self._stream.ref:
            self._stream.break_off()
            self._stream = None

    # --- what the service wants ---

    def _take_snapshot(self, delta: Delta) -> None:
        self._pools = dict(delta.pools)
        seen = {run.run_id: run for run in delta.runs}
        for run in delta.runs:
            self._take(run)
        for run_id in tuple(self._held):
            if run_id not in seen and self._is_merely_noted(run_id):
                self._forget(run_id)

    async def _take_delta(self, stream: Stream, delta: Delta) -> None:
        for pool_id, spec in delta.pools:
            self._pools[pool_id] = spec
            await stream.tell_of_pool(pool_id, self._hosts.status_of(pool_id))
        for run in delta.runs:
            self._take(run)
        for run_id in delta.released:
            self.release(run_id)
        for pool_id in delta.removed_pools:
            self._pools.pop(pool_id, None)

    def _take(self, desired: DesiredRun) -> None:
        held = self._held.get(desired.run_id)
        if held is None:
            self._take_unknown(desired)
            return
        held.desired, held.is_released = desired, False
        note = self._disk.notes.get(desired.run_id)
        if held.is_claiming or held.is_launching:
            return
        if note is None or note.run_token is None:
            self._take_noted(desired, held)
        elif note.is_started and note.end is None and not held.is_launching and desired.stop_reason:
            self._hosts.stop(desired.run_id, desired.stop_reason)

    def _take_unknown(self, desired: DesiredRun) -> None:
        if not desired.claimed:
            if desired.stop_reason is None and desired.placement.pool_id in self._pools:
                held = self._held[desired.run_id] = Held(desired=desired)
                self._claim(desired, held)
            return
        held = self._held[desired.run_id] = Held(desired=desired)
        note = self._disk.notes[desired.run_id] = Note(pool_id=desired.placement.pool_id)
        self._end_claimed(desired, held, note)

    def _take_noted(self, desired: DesiredRun, held: Held) -> None:
        note = self._disk.notes.setdefault(desired.run_id, Note(pool_id=desired.placement.pool_id))
        if desired.claimed:
            self._end_claimed(desired, held, note)
        elif desired.stop_reason is None and note.pool_id in self._pools:
            self._claim(desired, held)
        else:
            self._forget(desired.run_id)

    def _end_claimed(self, desired: DesiredRun, held: Held, note: Note) -> None:
        """The claim went through, but its answer never came: surely nothing of the run was started."""
        note.run_token = desired.run_token
        note.end = End(reason=desired.stop_reason or EndReason.INFRASTRUCTURE)
        held.is_claiming = False
        self.report(desired.run_id)

    def release(self, run_id: RunId) -> None:
        held = self._held.get(run_id)
        if held is None or held.is_claiming or held.is_launching:
            if held is not None:
                held.is_released = True
            return
        held.is_released = True
        note = self._disk.notes.get(run_id)
        if note is not None and note.is_started and note.end is None:
            self._hosts.stop(run_id, EndReason.INFRASTRUCTURE)
        else:
            self._forget(run_id)

    def _forget(self, run_id: RunId) -> None:
        self._hosts.forget(run_id)
        self._disk.notes.pop(run_id, None)
        self._held.pop(run_id, None)

    def _is_merely_noted(self, run_id: RunId) -> bool:
        note, held = self._disk.notes.get(run_id), self._held[run_id]
        return not held.is_launching and (note is None or (note.run_token is None and note.end is None))

    # --- claim and start ---

    def _claim(self, desired: DesiredRun, held: Held) -> None:
        assert self.session is not None
        held.is_claiming = True
        self._spawn(self._claim_and_launch(self.session, desired, held=held), self._session_tasks)

    async def _claim_and_launch(self, ref: SessionRef, desired: DesiredRun, *, held: Held) -> None:
        run_id = desired.run_id
        await self.is_synchronised.wait()
        await self._persist()
        self._disk.notes.setdefault(run_id, Note(pool_id=desired.placement.pool_id))
        await self._perhaps_crash()
        epoch = self._hosts.lease.epoch
        claim = await self._claim_until_answered(ref, run_id)
        held.is_claiming = False
        if claim is not None:
            held.is_launching = True
            self._spawn(self._launch(run_id, held, claim=claim, epoch=epoch), self._tasks)
        elif self._stream is not None:
            self._drop_refused(run_id, held)

    async def _claim_until_answered(self, ref: SessionRef, run_id: RunId) -> Claim | None:
        while True:
            try:
                return await self._network.call(self.id, lambda process: process.launchers.claim(ref, run_id))
            except StaleSession:
                self.lose(ref)
                return None
            except (IllegalTransition, NotFound):
                return None
            except (Unreachable, PlacewrightError):
                await self.retry_later()

    def _drop_refused(self, run_id: RunId, held: Held) -> None:
        desired = held.desired
        if desired is not None and desired.claimed:
            self._end_claimed(desired, held, self._disk.notes[run_id])
        else:
            self._forget(run_id)

    async def _launch(self, run_id: RunId, held: Held, *, claim: Claim, epoch: int) -> None:
        note = self._disk.notes[run_id]
        await self._persist()
        note.run_token = claim.run.run_token
        note.facts = facts_of(claim)
        await self._perhaps_crash()
        stop_reason = None if held.desired is None else held.desired.stop_reason
        if held.is_released or stop_reason is not None:
            held.is_launching = False
            self._end(run_id, End(reason=stop_reason or EndReason.INFRASTRUCTURE))
            return
        await self._persist()
        note.is_started = True
        await self._perhaps_crash()
        held.is_launching = False
        self._around.trace.add(f"{self.id} starts {run_id}")
        self._start_tasks(claim, epoch=epoch)
        desired = held.desired
        if held.is_released or (desired is not None and desired.stop_reason is not None):
            reason = None if desired is None else desired.stop_reason
            self._hosts.stop(run_id, reason or EndReason.INFRASTRUCTURE)
        self._look_at(run_id)

    def _start_tasks(self, claim: Claim, *, epoch: int) -> None:
        run, seed = claim.run, self._around.world.seed
        draw = Random(f"{seed}/{claim.job_name}/{claim.replica_index}/{run.run_number}")
        failures = self._around.faults.run_failure_permille
        if run.placement.market != "reserved" and draw.randrange(1000) < min(failures, STOCKOUT_PERMILLE):
            self._end(run.id, End(reason=EndReason.STOCKOUT))
            return
        if run.pool_id in self._hosts.lost_pools:
            self._end(run.id, End(reason=EndReason.INFRASTRUCTURE))
            return
        work = self._work_of(claim)
        pool = self._pools.get(run.pool_id)
        is_fenced = pool is not None and pool.self_fencing
        script = script_of(run, work, draw=draw, failure_permille=failures)
        self._hosts.start(run, script, fence_epoch=epoch if is_fenced else None)

    def _work_of(self, claim: Claim) -> Work:
        return self._around.world.job_named(claim.job_name).work

    # --- watch and report ---

    def _changed(self, run_id: RunId) -> None:
        held = self._held.get(run_id)
        if held is not None and not held.is_launching:
            self._look_at(run_id)

    def _look_at(self, run_id: RunId) -> None:
        note = self._disk.notes.get(run_id)
        if note is None or not note.is_started or note.end is not None:
            return
        gang = self._hosts.gangs.get(run_id)
        if gang is None:
            self._end(run_id, End(reason=EndReason.INFRASTRUCTURE))
        elif gang.end is not None:
            self._end(run_id, gang.end)
        elif gang.is_running:
            self.report(run_id)

    def _end(self, run_id: RunId, end: End) -> None:
        self._disk.notes[run_id].end = end
        held = self._held[run_id]
        if held.is_released:
            self._forget(run_id)
        else:
            self.report(run_id)

    def confirm(self, report: Report) -> None:
        """The service has taken a report over."""
        held = self._held.get(report.run_id)
        if held is not None:
            held.told = report.state

    def _state_of(self, run_id: RunId) -> RunState | None:
        note = self._disk.notes.get(run_id)
        if note is None or note.run_token is None:
            return None
        if note.end is not None:
            return RunState.ENDED
        gang = self._hosts.gangs.get(run_id)
        return RunState.RUNNING if gang is not None and gang.is_running else RunState.STARTING

    def report_of(self, run_id: RunId) -> Report | None:
        state, note = self._state_of(run_id), self._disk.notes.get(run_id)
        if state is None or note is None or note.run_token is None:
            return None
        return Report(
            run_id=run_id,
            run_token=note.run_token,
            state=state,
            end_reason=None if note.end is None else note.end.reason,
            exit_code=None if note.end is None else note.end.exit_code,
            facts=note.facts,
        )

    def report(self, run_id: RunId) -> None:
        self._reporter.add(run_id)
