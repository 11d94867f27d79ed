"""The keeper: what is to be done with each run, so that none is started twice and no end is lost."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TypeVar

from placewright.launcher.backend import Backend, End, Observation, Presence, end_reason_name
from placewright.launcher.held import HeldRun, Phase, held_again, pool_id_of, wanted
from placewright.launcher.log import log
from placewright.launcher.notes import Notes
from placewright.launcher.session import Session
from placewright.launcher.starter import Claim, Starter
from placewright.launcher.tuning import Backoff, Tuning
from placewright.v1.job_pb2 import EndReason, RunState
from placewright.v1.launcher_service_pb2 import DesiredRun, DesiredState, LauncherPoolStatus, RunReport
from placewright.v1.pool_pb2 import PoolSpec

INFRASTRUCTURE = EndReason.END_REASON_INFRASTRUCTURE
ENDED = RunState.RUN_STATE_ENDED
Result = TypeVar("Result")


class Keeper:
    """The runs that this launcher holds.

    Attributes:
        runs: by id.
        pools: the served pools by id.
        on_change: called with the id of a run whose report has changed.
    """

    def __init__(self, notes: Notes, starter: Starter, *, backend: Backend, tuning: Tuning) -> None:
        self.runs: dict[str, HeldRun] = {}
        self.pools: dict[str, PoolSpec] = {}
        self.on_change: Callable[[str], None] = lambda _run_id: None
        self._notes = notes
        self._starter = starter
        self._backend = backend
        self._tuning = tuning
        self._is_draining = False
        self._has_news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- after a restart ---

    async def restore(self) -> None:
        """Take up the noted runs: adopt what lives, end what surely does not."""
        for saved in await asyncio.to_thread(self._notes.saved_runs):
            held = held_again(saved)
            self.runs[held.run_id] = held
            if held.phase is Phase.CLAIMED:
                message = "claimed, but the launcher restarted before it was started"
                await self.end(held, End(reason=INFRASTRUCTURE, message=message))
            elif held.phase is Phase.STARTED:
                await self._try_to_look_at(held.run_id)
            log.info("run_restored run_id=%s phase=%s", held.run_id, held.phase.value)
        await self.settle()

    # --- what the service says ---

    async def take_snapshot(self, session: Session, desired_runs: Iterable[DesiredRun]) -> None:
        """Take over every desired run of a new session."""
        for known in self.runs.values():
            known.told = RunState.RUN_STATE_UNSPECIFIED
        seen = set()
        are_all_known = True
        for desired in desired_runs:
            seen.add(desired.run_id)
            are_all_known &= desired.run_id in self.runs or not desired.claimed
            held = self.runs.get(desired.run_id)
            if held is not None:
                held.generation = 0  # generations count within a session
            await self.take(session, desired)
        for held in list(self.runs.values()):
            if held.run_id not in seen and held.phase is Phase.NOTED:
                await self._forget(held)
        if are_all_known and not self._notes.is_complete:
            await self._try_to_write(self._notes.declare_complete)

    async def take(self, session: Session, desired: DesiredRun) -> None:
        """Take over what the service wants of one run."""
        held = self.runs.get(desired.run_id)
        if held is None:
            await self._take_unknown(session, desired)
            return
        if desired.generation < held.generation:
            return
        held.take(desired)
        if held.phase is Phase.NOTED and not held.is_claiming:
            await self._take_noted(session, held, desired=desired)
            return
        if held.run_token == 0 and desired.claimed and held.phase is not Phase.NOTED:
            held.run_token = desired.run_token
            held.told = RunState.RUN_STATE_UNSPECIFIED
            self.on_change(held.run_id)
        if held.phase is Phase.STARTED and not held.is_launching and held.is_to_stop:
            await self._stop(held)

    async def release(self, run_id: str) -> None:
        """Take in that the service needs nothing more of a run: make sure that nothing of it is left."""
        held = self.runs.get(run_id) or await self._found_unnoted(run_id)
        if held is None:
            return
        held.is_released = True
        if held.phase is Phase.STARTED and not held.is_launching:
            await self._stop(held)
        elif held.phase is Phase.ENDED or (held.phase is Phase.NOTED and not held.is_claiming):
            await self._forget(held)

    async def _found_unnoted(self, run_id: str) -> HeldRun | None:
        """A run that the notes lack and the backend finds alive; None when there surely is none."""
        if self._notes.is_complete:
            return None
        observation = await self._backend.observe(run_id)
        if observation.presence in (Presence.ABSENT, Presence.ENDED):
            await self._backend.forget(run_id)
            return None
        held = HeldRun(run_id=run_id, pool_id="", phase=Phase.STARTED)
        self.runs[run_id] = held
        return held

    async def _take_unknown(self, session: Session, desired: DesiredRun) -> None:
        if not desired.claimed:
            if desired.desired == DesiredState.DESIRED_STATE_RUN:
                await self._take_offer(session, desired)
            return
        if not self._notes.is_complete:
            log.warning("unknown_run_left_alone run_id=%s reason=new_state_directory", desired.run_id)
            return
        observation = await self._backend.observe(desired.run_id)
        if observation.presence not in (Presence.ABSENT, Presence.ENDED):
            log.warning("unknown_run_left_alone run_id=%s reason=found_alive", desired.run_id)
            return
        held = wanted(desired)
        self.runs[held.run_id] = held
        held.run_token = desired.run_token
        absent = End(reason=INFRASTRUCTURE, message="claimed, but this launcher holds nothing of it")
        await self.end(held, observation.end or absent)

    async def _take_offer(self, session: Session, desired: DesiredRun) -> None:
        pool = self.pools.get(pool_id_of(desired))
        if pool is None or self._is_draining:
            reason = "pool_is_not_served" if pool is None else "launcher_is_ending"
            log.warning("offer_not_taken run_id=%s reason=%s", desired.run_id, reason)
            return
        if pool.self_fencing and not self._backend.is_self_fencing:
            log.error("offer_not_taken run_id=%s reason=backend_is_not_self_fencing", desired.run_id)
            return
        held = wanted(desired)
        self.runs[held.run_id] = held
        self._claim(session, held, pool=pool)

    async def _take_noted(self, session: Session, held: HeldRun, *, desired: DesiredRun) -> None:
        if desired.claimed:
            held.run_token = desired.run_token
            message = "claimed, but the launcher never got the answer"
            await self.end(held, End(reason=held.stop_reason or INFRASTRUCTURE, message=message))
        elif desired.desired == DesiredState.DESIRED_STATE_RUN:
            await self._take_offer(session, desired)
        elif desired.desired == DesiredState.DESIRED_STATE_STOP:
            await self._forget(held)

    # --- start ---

    def _claim(self, session: Session, held: HeldRun, *, pool: PoolSpec) -> None:
        assert held.desired is not None, held
        held.placement = held.desired.placement
        held.is_claiming = True
        session.spawn(self._claim_and_launch(session, held, pool=pool))

    async def _claim_and_launch(self, session: Session, held: HeldRun, *, pool: PoolSpec) -> None:
        """Claim the run; what follows a successful claim goes on when the session is lost."""
        try:
            claim = await self._claim_until_settled(session, held)
        finally:
            held.is_claiming = False
            self._has_news.set()
        if claim is None:
            if not session.is_over.is_set():
                await self._drop_refused(held)
            return
        held.phase = Phase.CLAIMED
        held.run_token = claim.response.run_token
        if self._is_draining:
            self._spawn(self.end(held, End(reason=INFRASTRUCTURE, message="its launcher was told to end")))
            return
        held.is_launching = True
        self._spawn(self._launch(held, self._starter.launch(held, claim, pool=pool)))

    async def _claim_until_settled(self, session: Session, held: HeldRun) -> Claim | None:
        """The claim, tried again whatever goes wrong while the offer stands; None when there is none."""
        backoff = Backoff(self._tuning)
        while True:
            try:
                return await self._starter.claim(session, held, may_go_on=lambda: not self._is_draining)
            except Exception:
                log.exception("claim_failed run_id=%s", held.run_id)
            if held.is_to_stop or self._is_draining:
                return None
            await asyncio.sleep(backoff.next_s())

    async def _drop_refused(self, held: HeldRun) -> None:
        """The service refused the claim for good: an earlier try may have claimed it all the same."""
        if held.desired is not None and held.desired.claimed:
            held.run_token = held.desired.run_token
            message = "claimed, but the launcher never got the answer"
            await self.end(held, End(reason=held.stop_reason or INFRASTRUCTURE, message=message))
        else:
            await self._forget(held)

    async def _launch(self, held: HeldRun, launch: Coroutine[None, None, End | None]) -> None:
        try:
            end = await launch
        except Exception:
            log.exception("start_failed run_id=%s", held.run_id)
            end = None
            if held.phase is not Phase.STARTED:
                end = End(reason=INFRASTRUCTURE, message="the launcher could not start it; see its log")
            else:
                await self._backend.stop(held.run_id, reason=INFRASTRUCTURE, grace_s=0)
        finally:
            held.is_launching = False
        if end is not None:
            await self.end(held, end)
            return
        if held.is_to_stop or self._is_draining:
            await self._stop(held)
        await self.look_at(held.run_id)

    # --- watch, stop, end ---

    async def watch(self) -> None:
        """Look at runs whenever their backend says so."""
        backoff = Backoff(self._tuning)
        while True:
            live = [held.run_id for held in self.runs.values() if held.phase is Phase.STARTED]
            try:
                changed = await self._backend.next_changes(live)
            except OSError:
                log.exception("changes_not_known")
                await asyncio.sleep(backoff.next_s())
                continue
            backoff.reset()
            for run_id in changed:
                await self._try_to_look_at(run_id)

    async def _try_to_look_at(self, run_id: str) -> None:
        try:
            await self.look_at(run_id)
        except OSError:
            log.exception("run_not_observed run_id=%s", run_id)  # it is looked at again

    async def look_at(self, run_id: str) -> None:
        """Take in how the backend finds a started run."""
        held = self.runs.get(run_id)
        if held is not None and held.phase is Phase.STARTED and not held.is_launching:
            self._apply(held, await self._backend.observe(run_id))

    def _apply(self, held: HeldRun, observation: Observation) -> None:
        if held.phase is not Phase.STARTED:
            return
        if observation.presence is Presence.RUNNING and not held.is_running:
            held.is_running = True
            log.info("run_runs run_id=%s", held.run_id)
            self.on_change(held.run_id)
        elif observation.end is not None:
            self._spawn(self.end(held, observation.end))
        elif observation.presence is Presence.ABSENT:
            message = "nothing of it is left, and how it ended is not known"
            self._spawn(self.end(held, End(reason=INFRASTRUCTURE, message=message)))

    async def _stop(self, held: HeldRun) -> None:
        if not await self._try_to_stop(held):
            self._spawn(self._stop_later(held))

    async def _stop_later(self, held: HeldRun) -> None:
        """Order the stop until it works."""
        backoff = Backoff(self._tuning)
        while held.phase is Phase.STARTED:
            await asyncio.sleep(backoff.next_s())
            if await self._try_to_stop(held):
                return

    async def _try_to_stop(self, held: HeldRun) -> bool:
        reason = held.stop_reason or INFRASTRUCTURE
        log.info("run_stop_ordered run_id=%s reason=%s", held.run_id, end_reason_name(reason))
        try:
            await self._backend.stop(held.run_id, reason=reason, grace_s=held.grace_s)
        except OSError:
            log.exception("stop_not_ordered run_id=%s", held.run_id)
            return False
        return True

    async def end(self, held: HeldRun, end: End) -> None:
        """Keep how a run ended until the service has released it."""
        if held.phase is Phase.ENDED:
            return
        held.phase = Phase.ENDED
        held.end = end
        log.info(
            "run_ended run_id=%s reason=%s exit_code=%s",
            held.run_id,
            end_reason_name(end.reason),
            end.exit_code,
        )
        await self._persist(self._notes.note_end, held.run_id, run_token=held.run_token, end=end)
        if held.is_released:
            await self._forget(held)
        else:
            self.on_change(held.run_id)

    def confirm(self, report: RunReport) -> None:
        """Take in that the service has taken a report over, or refused it for good."""
        held = self.runs.get(report.run_id)
        if held is not None and held.run_token == report.run_token:
            held.told = report.state
        self._has_news.set()

    async def _forget(self, held: HeldRun) -> None:
        try:
            await self._backend.forget(held.run_id)
        except Exception:
            log.exception("remains_not_cleared run_id=%s", held.run_id)  # which keeps no run
        await self._persist(self._notes.remove, held.run_id)
        if self.runs.get(held.run_id) is held:
            del self.runs[held.run_id]
        self._has_news.set()

    async def _persist(self, write: Callable[..., None], *values: object, **named: object) -> None:
        """Write until it works: a full disk must not lose an end."""
        backoff = Backoff(self._tuning)
        while True:
            if await self._try_to_write(write, *values, **named):
                return
            await asyncio.sleep(backoff.next_s())

    async def _try_to_write(self, write: Callable[..., None], *values: object, **named: object) -> bool:
        try:
            await asyncio.to_thread(write, *values, **named)
        except OSError:
            log.exception("note_not_written")
            return False
        return True

    # --- the whole ---

    def pool_status(self, pool_id: str) -> LauncherPoolStatus:
        """A served pool as this launcher sees it: usable, unless it asks for more than the backend can do."""
        spec = self.pools[pool_id]
        if not spec.self_fencing or self._backend.is_self_fencing:
            return LauncherPoolStatus(pool_id=pool_id)
        nodes = sum(group.nodes for group in spec.node_groups) + sum(
            group.slices for group in spec.slice_groups
        )
        return LauncherPoolStatus(
            pool_id=pool_id,
            unavailable_nodes=map(str, range(nodes)),
            message="the pool is self_fencing, and its launcher's backend is not",
        )

    def reports(self) -> list[RunReport]:
        """Every run that the service has to know of."""
        return [held.report() for held in self.runs.values() if held.phase is not Phase.NOTED]

    async def drain(self) -> None:
        """Claim no more offers, stop every run and wait until the service has been told of every end.

        The service learns of this only by the ends: the pools stay ready on its side, and the offers that it
        still makes stand unclaimed until the launcher's session has ended.
        """
        self._is_draining = True
        for held in list(self.runs.values()):
            if held.phase is Phase.STARTED and not held.is_launching:
                await self._stop(held)
        while any(
            held.is_claiming or (held.phase is not Phase.NOTED and held.told != ENDED)
            for held in self.runs.values()
        ):
            self._has_news.clear()
            await self._has_news.wait()

    async def settle(self, *, timeout_s: float | None = None) -> None:
        """Wait for the work under way, but not longer than told."""
        while self._tasks:
            done, _ = await asyncio.wait(self._tasks, timeout=timeout_s)
            if not done:
                return

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work_failed", exc_info=task.exception())
