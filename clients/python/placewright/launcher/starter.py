"""From an offer to started tasks, in the order that makes a second start impossible."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import grpc.aio

from placewright.launcher.backend import Backend, End, Fence, StartRefused, StartRequest
from placewright.launcher.calls import LauncherCalls
from placewright.launcher.held import HeldRun, Phase
from placewright.launcher.lease import Lease
from placewright.launcher.log import log
from placewright.launcher.notes import Notes
from placewright.launcher.session import Session
from placewright.launcher.tuning import Backoff, Step, Tuning
from placewright.launcher.waiting import first_of
from placewright.v1.job_pb2 import EndReason
from placewright.v1.launcher_service_pb2 import ClaimRunResponse, RunFacts
from placewright.v1.pool_pb2 import PoolSpec

INFRASTRUCTURE = EndReason.END_REASON_INFRASTRUCTURE
REFUSED_FOR_GOOD = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)
REFUSALS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that the service gave to this launcher, and the epoch of the lease when that was asked for."""

    response: ClaimRunResponse
    lease_epoch: int


class Starter:
    """Notes, claims, marks and starts runs."""

    def __init__(
        self, calls: LauncherCalls, notes: Notes, *, lease: Lease, backend: Backend, tuning: Tuning
    ) -> None:
        self._calls = calls
        self._notes = notes
        self._lease = lease
        self._backend = backend
        self._tuning = tuning
        self._claims_free = asyncio.Semaphore(tuning.claims_max)

    async def claim(
        self, session: Session, held: HeldRun, *, may_go_on: Callable[[], bool] = lambda: True
    ) -> Claim | None:
        """Note the run, then claim it; None when it was refused, the session is over or it may not go on.

        Once the claim has been asked for, it is asked again until it is answered or the session is over.
        """
        await first_of(session.is_synchronised, session.is_over)
        async with self._claims_free:
            await self._note(held)
            self._tuning.at_step(Step.NOTED, held.run_id)
            if session.is_over.is_set() or not may_go_on():
                return None
            lease_epoch = self._lease.epoch
            response = await self._call_until_answered(session, held)
        if response is None:
            return None
        self._tuning.at_step(Step.CLAIM_ANSWERED, held.run_id)
        return Claim(response=response, lease_epoch=lease_epoch)

    async def _note(self, held: HeldRun) -> None:
        """Note the run, however long the disk is full."""
        backoff = Backoff(self._tuning)
        while True:
            try:
                await asyncio.to_thread(self._notes.note, held.run_id, pool_id=held.pool_id)
            except OSError:
                log.exception("note_not_written run_id=%s", held.run_id)
            else:
                return
            await asyncio.sleep(backoff.next_s())

    async def _call_until_answered(self, session: Session, held: HeldRun) -> ClaimRunResponse | None:
        """The same session may repeat the call and gets the same answer while the run is STARTING.

        A refusal is taken for final when the run is to stop, or after some tries: the offer may stand again.
        """
        backoff = Backoff(self._tuning)
        refusals = 0
        run_id = held.run_id
        while True:
            try:
                return await self._calls.claim(session.name, run_id, timeout_s=self._tuning.call_timeout_s)
            except grpc.aio.AioRpcError as error:
                log.info(
                    "claim_failed run_id=%s code=%s details=%r", run_id, error.code().name, error.details()
                )
                if error.code() is grpc.StatusCode.ABORTED:
                    session.lose()
                    return None
                refusals += error.code() is grpc.StatusCode.FAILED_PRECONDITION
                is_final = held.is_to_stop and refusals > 0
                if error.code() in REFUSED_FOR_GOOD or refusals >= REFUSALS_MAX or is_final:
                    return None
            await first_of(session.is_over, timeout_s=backoff.next_s())
            if session.is_over.is_set():
                return None

    async def launch(self, held: HeldRun, claim: Claim, *, pool: PoolSpec) -> End | None:
        """Start a claimed run, unless it is to stop by now; its end when nothing of it was started."""
        response = claim.response
        facts = held.facts = _facts(held, response)
        await asyncio.to_thread(
            self._notes.note_claim, held.run_id, run_token=response.run_token, facts=facts
        )
        self._tuning.at_step(Step.CLAIM_NOTED, held.run_id)
        if held.is_to_stop:
            return End(reason=held.stop_reason or INFRASTRUCTURE, message="stopped before it was started")
        await asyncio.to_thread(self._notes.note_start, held.run_id)
        held.phase = Phase.STARTED
        self._tuning.at_step(Step.MARKED, held.run_id)
        try:
            await self._backend.start(self._request(held, claim, pool=pool))
        except StartRefused as refusal:
            return End(reason=refusal.reason, message=str(refusal))
        log.info("run_started run_id=%s run_token=%d", held.run_id, held.run_token)
        self._tuning.at_step(Step.STARTED, held.run_id)
        return None

    def _request(self, held: HeldRun, claim: Claim, *, pool: PoolSpec) -> StartRequest:
        response = claim.response
        assert held.placement is not None, held
        return StartRequest(
            run_id=held.run_id,
            run_token=response.run_token,
            job_id=response.job_id,
            job_name=response.job_name,
            replica_index=response.replica_index,
            run_number=response.run_number,
            pool_id=held.pool_id,
            pool=pool,
            placement=held.placement,
            command=tuple(response.payload.command),
            env=dict(response.payload.env),
            grace_s=held.grace_s,
            fence=Fence(lease_file=self._lease.path, epoch=claim.lease_epoch) if pool.self_fencing else None,
        )


def _facts(held: HeldRun, response: ClaimRunResponse) -> RunFacts:
    facts = RunFacts(
        job_id=response.job_id,
        job_name=response.job_name,
        replica_index=response.replica_index,
        run_number=response.run_number,
        placement=held.placement,
    )
    facts.claimed_at.GetCurrentTime()
    facts.claimed_at.FromMilliseconds(facts.claimed_at.ToMilliseconds())
    if held.desired is not None:
        facts.grace_period.CopyFrom(held.desired.grace_period)
    return facts
