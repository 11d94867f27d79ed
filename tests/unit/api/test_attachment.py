"""Attach: full state from both sides, an end marker, then deltas."""

import asyncio

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from placewright.v1 import job_pb2
from placewright.v1 import launcher_service_pb2 as wire_pb2
from scheduler.model.ids import PoolId
from scheduler.model.run import EndReason, RunState
from tests.builders import a_pool
from tests.cell import USER
from tests.unit.api.conftest import Wire


class Attached:
    """A launcher's end of the stream."""

    def __init__(self, wire: Wire, launcher_id: str = "launcher") -> None:
        self._outgoing: asyncio.Queue[wire_pb2.AttachRequest | None] = asyncio.Queue()
        self._sequence = 0
        self.call = wire.launchers.Attach(self._requests())
        self.send(hello=wire_pb2.LauncherHello(launcher_id=launcher_id, version="test"))

    async def _requests(self):  # type: ignore[no-untyped-def]  # an async generator for gRPC
        while (request := await self._outgoing.get()) is not None:
            yield request

    def send(self, **message: object) -> None:
        self._sequence += 1
        self._outgoing.put_nowait(wire_pb2.AttachRequest(sequence=self._sequence, **message))  # type: ignore[arg-type]  # one of its messages

    def skip(self) -> None:
        """Lose a message on the way."""
        self._sequence += 1

    def leave(self) -> None:
        self._outgoing.put_nowait(None)

    async def until(self, kind: str) -> list[wire_pb2.AttachResponse]:
        """What comes, up to the first message of that kind."""
        responses = []
        while True:
            response = await self.call.read()
            assert response is not grpc.aio.EOF
            responses.append(response)
            if response.HasField("session_opened"):
                self.session = response.session_opened.session
            if response.WhichOneof("message") == kind:
                return responses

    def synchronise(self, *pools: str) -> None:
        for pool in pools:
            self.send(pool_status=wire_pb2.LauncherPoolStatus(pool_id=pool))
        self.send(snapshot_end=wire_pb2.SnapshotEnd())


async def test_the_full_state_comes_first_and_pools_are_ready_after_the_launchers_own(wire: Wire) -> None:
    await wire.cell.apply_pool(a_pool("a"))
    await wire.cell.apply_pool(a_pool("b"))
    launcher = Attached(wire)

    first = await launcher.until("snapshot_end")
    kinds = [response.WhichOneof("message") for response in first]
    assert kinds == ["session_opened", "served_pool", "served_pool", "snapshot_end"]
    assert [response.sequence for response in first] == [1, 2, 3, 4]
    launcher.synchronise("a", "b")
    assert (await launcher.until("ack"))[-1].ack.sequence == 4

    assert all(pool.status.ready for pool in wire.cell.mirror.state.pools())
    launcher.leave()


async def test_an_offer_its_stop_and_its_release_are_told_as_they_happen(wire: Wire) -> None:
    await wire.cell.apply_pool()
    launcher = Attached(wire)
    await launcher.until("snapshot_end")
    launcher.synchronise("pool")
    while (await launcher.until("ack"))[-1].ack.sequence < 3:
        pass
    job_id = (await wire.cell.submit()).view.job.id
    await wire.cell.run_cycle()

    offer = (await launcher.until("desired_run"))[-1].desired_run
    assert (offer.desired, offer.claimed, offer.run_token) == (wire_pb2.DESIRED_STATE_RUN, False, 0)
    await wire.launchers.ClaimRun(
        wire_pb2.ClaimRunRequest(launcher_id="launcher", session=launcher.session, run_id=offer.run_id)
    )
    assert (await launcher.until("desired_run"))[-1].desired_run.claimed
    await wire.cell.jobs.cancel(job_id, reason="", version=None, principal=USER, request_id="r")
    await wire.cell.run_cycle()
    stop = (await launcher.until("desired_run"))[-1].desired_run
    assert (stop.desired, stop.stop_reason) == (wire_pb2.DESIRED_STATE_STOP, job_pb2.END_REASON_CANCELLED)
    report = wire_pb2.RunReport(
        run_id=offer.run_id,
        run_token=1,
        state=job_pb2.RUN_STATE_ENDED,
        end_reason=job_pb2.END_REASON_CANCELLED,
    )
    await wire.launchers.ReportRuns(
        wire_pb2.ReportRunsRequest(launcher_id="launcher", session=launcher.session, reports=[report])
    )
    released = (await launcher.until("run_released"))[-1].run_released

    assert released.run_id == offer.run_id
    launcher.leave()


async def test_a_returning_launcher_reports_what_it_holds_and_is_released_from_what_is_over(
    wire: Wire,
) -> None:
    await wire.cell.apply_pool()
    job_id = await wire.cell.running_job(await wire.cell.attach())
    run = wire.cell.live_run(job_id)
    launcher = Attached(wire)
    await launcher.until("snapshot_end")

    launcher.send(run=wire_pb2.RunReport(run_id=run.id, run_token=1, state=job_pb2.RUN_STATE_RUNNING))
    launcher.send(
        run=wire_pb2.RunReport(run_id="long-gone-0-1", run_token=1, state=job_pb2.RUN_STATE_RUNNING)
    )
    launcher.synchronise("pool")
    released = (await launcher.until("run_released"))[-1].run_released

    assert released.run_id == "long-gone-0-1"
    assert wire.cell.run(run.id).claimed_by == 2
    assert wire.cell.run(run.id).state is RunState.RUNNING
    launcher.leave()


async def test_a_newer_session_ends_the_older_stream(wire: Wire) -> None:
    older = Attached(wire)
    await older.until("snapshot_end")

    newer = Attached(wire)
    await newer.until("snapshot_end")
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await older.until("desired_run")

    assert ended.value.code() is grpc.StatusCode.ABORTED
    newer.leave()


async def test_the_first_message_must_say_who_it_is(wire: Wire) -> None:
    call = wire.launchers.Attach(iter([wire_pb2.AttachRequest(snapshot_end=wire_pb2.SnapshotEnd())]))

    with pytest.raises(grpc.aio.AioRpcError, match="hello") as refused:
        await call.read()

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_gap_in_the_launchers_messages_is_refused(wire: Wire) -> None:
    launcher = Attached(wire)
    await launcher.until("snapshot_end")
    launcher.skip()
    launcher.synchronise()

    with pytest.raises(grpc.aio.AioRpcError, match="must be 2, got 3") as refused:
        await launcher.until("ack")

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_one_bad_report_does_not_fail_the_others(wire: Wire) -> None:
    await wire.cell.apply_pool()
    job_id = await wire.cell.running_job(await wire.cell.attach())
    run_id = wire.cell.live_run(job_id).id
    launcher = Attached(wire)
    await launcher.until("snapshot_end")
    reports = [
        wire_pb2.RunReport(run_id="BAD", run_token=1, state=job_pb2.RUN_STATE_RUNNING),
        wire_pb2.RunReport(run_id=run_id, run_token=1, state=job_pb2.RUN_STATE_ENDED, end_reason=99),  # type: ignore[arg-type]  # of a newer launcher
    ]

    answer = await wire.launchers.ReportRuns(
        wire_pb2.ReportRunsRequest(launcher_id="launcher", session=launcher.session, reports=reports)
    )

    assert [result.code for result in answer.results] == [grpc.StatusCode.INVALID_ARGUMENT.value[0], 0]
    assert wire.cell.first_run(job_id).end_reason is EndReason.INFRASTRUCTURE
    launcher.leave()


async def test_a_session_of_another_history_is_stale(wire: Wire) -> None:
    launcher = Attached(wire)
    await launcher.until("snapshot_end")
    wire.cell.memory.start_new_history()
    await wire.cell.memory.acquire("test", duration_ms=10**12)
    await wire.cell.submit()

    with pytest.raises(grpc.aio.AioRpcError) as stale:
        await wire.launchers.RenewRuns(
            wire_pb2.RenewRunsRequest(launcher_id="launcher", session=launcher.session)
        )

    assert stale.value.code() is grpc.StatusCode.ABORTED


async def test_a_pool_applied_later_is_served_without_a_new_session(wire: Wire) -> None:
    launcher = Attached(wire)
    launcher.synchronise()
    while (await launcher.until("ack"))[-1].ack.sequence < 2:
        pass
    await wire.cell.apply_pool(a_pool("later"))

    served = (await launcher.until("served_pool"))[-1].served_pool
    launcher.send(pool_status=wire_pb2.LauncherPoolStatus(pool_id=served.pool_id))
    await launcher.until("ack")

    pool = wire.cell.mirror.state.pool(PoolId("later"))
    assert pool is not None
    assert pool.status.ready
    launcher.leave()


async def test_bad_facts_are_refused_by_their_fields(wire: Wire) -> None:
    await wire.cell.apply_pool()
    launcher = Attached(wire)
    await launcher.until("snapshot_end")
    group = job_pb2.TaskGroupPlacement(nodes=[job_pb2.NodeShare(node="\u0661")])
    facts = wire_pb2.RunFacts(
        job_id="job",
        run_number=1,
        placement=job_pb2.Placement(
            assignments=[job_pb2.PoolAssignment(pool_id="pool", task_groups=[group])]
        ),
        claimed_at=Timestamp(seconds=-1),
    )
    report = wire_pb2.RunReport(run_id="job-0-1", run_token=1, state=job_pb2.RUN_STATE_RUNNING, facts=facts)

    answer = await wire.launchers.ReportRuns(
        wire_pb2.ReportRunsRequest(launcher_id="launcher", session=launcher.session, reports=[report])
    )

    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in answer.results[0].details)
    of_group = "reports[0].facts.placement.assignments[0].task_groups[0]"
    assert {
        f"{of_group}.tasks",
        f"{of_group}.nodes[0].node",
        f"{of_group}.nodes[0].tasks",
        "reports[0].facts.claimed_at.seconds",
    } <= {violation.field for violation in bad.field_violations}
    launcher.leave()
