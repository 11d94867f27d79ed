"""Launchers: sessions, claims, renewals and reports."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from scheduler.model.errors import (
    FieldViolation,
    IllegalTransition,
    InvalidRequest,
    NotAllowed,
    NotFound,
    PlacewrightError,
    StaleRunToken,
    StaleSession,
)
from scheduler.model.ids import History, LauncherId, PoolId, Principal, Revision, RunId
from scheduler.model.pool import PoolStatus
from scheduler.model.records import Key, Kind, LaunchPayload
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Transaction
from scheduler.model.transitions import runs as run_moves
from scheduler.model.transitions import sessions as session_moves
from scheduler.model.transitions.adoption import RunFacts, adopted, claim_recovered
from scheduler.service.parts import Parts
from scheduler.telemetry.control_series import UnknownRun


@dataclass(frozen=True, slots=True)
class SessionRef:
    """Which session of which launcher speaks, and who that is; numbers may come again in another history."""

    launcher_id: LauncherId
    number: int
    principal: Principal
    history: History


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a launcher needs to start a run."""

    run: Run
    job_name: str
    replica_index: int
    payload: LaunchPayload


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run as its launcher sees it: STARTING, RUNNING or ENDED with a reason.

    Attributes:
        facts: what the launcher noted at the claim: enough to adopt a run that the store has lost.
    """

    run_id: RunId
    run_token: int
    state: RunState
    end_reason: EndReason | None
    exit_code: int | None = None
    message: str = ""
    facts: RunFacts | None = None


log = structlog.get_logger()


class Changed:
    """Set whenever the mirror takes something over: for those who look at the state again then."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def committed(self, _commits: Sequence[Commit]) -> None:
        self.event.set()

    def reloaded(self, _state: State) -> None:
        self.event.set()


class Launchers:
    """What launchers may ask."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def open_session(
        self, launcher_id: LauncherId, *, principal: Principal, version: str
    ) -> LauncherSession:
        """A new session: older ones of the launcher are stale from now on."""
        now_ms = self._parts.clock.now_ms()
        number = 0

        def compute(state: State) -> Transaction:
            nonlocal number
            old = state.session(launcher_id)
            number = 1 if old is None else old.number + 1
            return session_moves.opened(
                state, launcher_id, principal=principal, version=version, now_ms=now_ms
            )

        await self._parts.write(compute)
        return session_moves.current_session(self._parts.state, launcher_id, number)

    def session(self, ref: SessionRef) -> LauncherSession:
        """The session, if it is the newest and the caller's.

        Raises:
            StaleSession, NotAllowed
        """
        session = session_moves.current_session(self._parts.state, ref.launcher_id, ref.number)
        if ref.history != self._parts.state.history:
            raise StaleSession(
                f"session {ref.number} of launcher {ref.launcher_id!r} is of an earlier history"
            )
        if session.principal != ref.principal:
            raise NotAllowed(f"session {ref.number} of launcher {ref.launcher_id!r} was opened by another")
        return session

    async def synchronise(self, ref: SessionRef, statuses: Mapping[PoolId, PoolStatus]) -> None:
        """The launcher has sent its full state: these pools are ready from now on."""

        def compute(state: State) -> Transaction | None:
            now_ms = self._parts.clock.now_ms()
            return session_moves.synchronised(state, self.session(ref), statuses, now_ms=now_ms)

        while compute(self._parts.state) is not None:
            await self._parts.write_known(compute)

    async def report_pool(self, ref: SessionRef, pool_id: PoolId, status: PoolStatus) -> None:
        """What the launcher says of a pool that it serves; a pool it does not serve is passed over."""

        def compute(state: State) -> Transaction | None:
            pool = state.pool(pool_id)
            if pool is None or pool.spec.launcher_id != ref.launcher_id:
                return None
            now_ms = self._parts.clock.now_ms()
            return session_moves.status_reported(state, pool, self.session(ref), status=status, now_ms=now_ms)

        await self._parts.write_known(compute)

    async def claim(self, ref: SessionRef, run_id: RunId) -> Claim:
        """Take an offered run; the same session may repeat it.

        Raises:
            NotFound, IllegalTransition, StaleSession, NotAllowed
        """

        def compute(state: State) -> Transaction | None:
            if state.run(run_id) is None:
                raise NotFound("run", run_id)
            now_ms = self._parts.clock.now_ms()
            return run_moves.claimed(state, run_id, self.session(ref), now_ms=now_ms)

        await self._parts.write_known(compute)
        self.session(ref)  # it may be of an earlier history by now: then the store may have lost the claim
        found = run_moves.live_run(self._parts.state, run_id)
        if found is None:
            raise IllegalTransition(f"run {run_id} ended as it was claimed: nothing may be started for it")
        payload = await self._parts.store.get(Key(Kind.PAYLOAD, found.job.id))
        if payload is None:  # the store has just lost the job, and this process does not know it yet
            raise NotFound("job", found.job.id)
        assert isinstance(payload, LaunchPayload), found.job.id
        return Claim(
            run=found.run,
            job_name=found.job.spec.name,
            replica_index=found.replica.index,
            payload=payload,
        )

    async def renew(self, ref: SessionRef) -> LauncherSession:
        """Start the launcher lease anew.

        Raises:
            StaleSession, NotAllowed
        """
        await self._parts.write_known(lambda state: session_moves.renewed(state, self.session(ref)))
        return self.session(ref)

    async def report(self, ref: SessionRef, report: Report) -> Revision:
        """What became of a run; repeating a report changes nothing.

        Raises:
            NotFound: the run is unknown; its tasks should be stopped.
            StaleSession, StaleRunToken, IllegalTransition, InvalidRequest, NotAllowed
        """
        if report.state is not RunState.ENDED:
            await self._recover_claim(ref, report)
        try:
            return await self._parts.write_known(lambda state: self._reported(state, ref, report))
        except NotFound:
            if not await self._adopt(ref, report):
                raise
        return await self._parts.write_known(lambda state: self._reported(state, ref, report))

    async def _recover_claim(self, ref: SessionRef, report: Report) -> None:
        await self._parts.write(
            lambda state: (
                claim_recovered(state, self.session(ref), run_id=report.run_id, run_token=report.run_token)
                if state.run(report.run_id) is not None
                else None
            )
        )

    async def _adopt(self, ref: SessionRef, report: Report) -> bool:
        """Take a run over that the store has lost; whether it is known now."""

        def compute(state: State) -> Transaction | None:
            if report.facts is None or state.run(report.run_id) is not None:
                return None
            return adopted(
                state, report.facts, self.session(ref), run_id=report.run_id, run_token=report.run_token
            )

        await self._parts.write(compute)
        is_known = self._parts.state.run(report.run_id) is not None
        log.warning("unknown_run_adopted" if is_known else "unknown_run_refused", run_id=report.run_id)
        self._parts.mirror.record_unknown_run(UnknownRun.ADOPTED if is_known else UnknownRun.REFUSED)
        return is_known

    async def report_many(
        self, ref: SessionRef, reports: Sequence[Report]
    ) -> list[Revision | PlacewrightError]:
        """Each report on its own; the results are in the order of the reports."""
        return list(await asyncio.gather(*(self._report_or_error(ref, report) for report in reports)))

    async def _report_or_error(self, ref: SessionRef, report: Report) -> Revision | PlacewrightError:
        try:
            return await self.report(ref, report)
        except PlacewrightError as error:
            return error

    def _reported(self, state: State, ref: SessionRef, report: Report) -> Transaction | None:
        session = self.session(ref)
        run = state.run(report.run_id)
        if run is None or run.launcher_id != ref.launcher_id:
            raise NotFound("run", report.run_id)
        if run.run_token != report.run_token:
            raise StaleRunToken(f"run_token must be {run.run_token} for {run.id}, got {report.run_token}")
        found = run_moves.live_run(state, report.run_id)
        if found is None:
            return None
        now_ms = self._parts.clock.now_ms()
        match report.state:
            case RunState.STARTING:
                return run_moves.reported_starting(state, found, session)
            case RunState.RUNNING:
                return run_moves.reported_running(state, found, session, now_ms=now_ms)
            case RunState.ENDED if report.end_reason is not None:
                end = run_moves.End(
                    reason=report.end_reason, exit_code=report.exit_code, message=report.message
                )
                return run_moves.reported_ended(state, found, session, end=end, now_ms=now_ms)
            case _:
                raise InvalidRequest(
                    FieldViolation(
                        "state",
                        f"must be STARTING, RUNNING or ENDED with an end_reason, got {report.state}",
                    )
                )
