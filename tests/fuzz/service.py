"""A real gRPC server with something in it, and calls to it with any bytes."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from prometheus_client import CollectorRegistry

from scheduler.api.auth import LOCAL, Authenticator
from scheduler.api.positions import encode_etag, encode_session
from scheduler.api.server import SERVICES, Server
from scheduler.model.ids import LauncherId, PoolId
from scheduler.model.pool import PoolStatus
from scheduler.service.launchers import SessionRef
from tests.builders import a_pool, a_spec
from tests.cell import Cell, a_cell, what_ifs_of
from tests.fuzz.good_requests import PENDING_PRICE, good_requests
from tests.fuzz.messages import Words, is_path_of
from tests.unit.api.conftest import VOCABULARY

T = TypeVar("T")

_Started = tuple[grpc.aio.Channel, Words, CollectorRegistry, Mapping[str, Message]]

WITHIN_S = 0.25
OUR_FAULT = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED)
STILL_SENDING = "Internal error from Core"  # of grpc's client itself, when the service has ended the stream
METHODS = {
    f"/{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods
}


@dataclass(frozen=True, slots=True)
class Served:
    """The server, the loop that it runs in, and the words that it knows."""

    runner: asyncio.Runner = field(repr=False)
    channel: grpc.aio.Channel = field(repr=False)
    words: Words = field(repr=False)
    registry: CollectorRegistry = field(repr=False)
    good: Mapping[str, Message] = field(repr=False)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def faults(self) -> list[str]:
        """The RPCs that the service itself counts as failed by its own fault."""
        return [
            sample.labels["rpc"]
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == "placewright_rpc_requests_total" and sample.value
            if sample.labels["code"] in [code.name for code in OUR_FAULT]
        ]

    async def answers(self, path: str, requests: Sequence[bytes]) -> list[bytes]:
        """What comes back within a moment; a stream is left after that.

        Raises:
            grpc.aio.AioRpcError
        """
        method = METHODS[path]
        if not method.server_streaming:
            return [await self.channel.unary_unary(path)(requests[0], timeout=WITHIN_S)]
        if method.client_streaming:
            call = self.channel.stream_stream(path)(iter(requests), timeout=WITHIN_S)
        else:
            call = self.channel.unary_stream(path)(requests[0], timeout=WITHIN_S)
        return await _until_silent(call, len(requests))


async def _until_silent(call: Any, sent: int) -> list[bytes]:
    """What a stream says until it ends, or has said a little more than it was told."""
    answers: list[bytes] = []
    while len(answers) < sent + 5:
        answer = await call.read()
        if answer is grpc.aio.EOF:
            return answers
        answers.append(answer)
    call.cancel()
    return answers


@contextmanager
def served() -> Iterator[Served]:
    """A cell with a pool, an attached launcher, a job that runs and one that waits."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            yield Served(runner, *runner.run(_started(stack)))
        finally:
            runner.run(stack.aclose())


async def _attached(cell: Cell) -> SessionRef:
    """A launcher's session, opened by the principal that calls without a token have."""
    session = await cell.launchers.open_session(
        LauncherId("launcher"), principal=LOCAL.principal, version="test"
    )
    ref = SessionRef(LauncherId("launcher"), session.number, LOCAL.principal, session.history)
    await cell.launchers.synchronise(ref, {PoolId("pool"): PoolStatus(ready=True)})
    return ref


async def _started(stack: AsyncExitStack) -> _Started:
    cell = await stack.enter_async_context(a_cell())
    await cell.apply_pool(a_pool("pool"))
    ref = await _attached(cell)
    running = await cell.running_job(ref)
    waiting = (await cell.submit(a_spec("h100:8"))).view.job.id
    await cell.apply_pool(a_pool("pool", price_usd_micros_per_accelerator_hour=PENDING_PRICE))
    server = Server(
        cell.parts,
        VOCABULARY,
        authenticator=Authenticator(None),
        metrics=cell.metrics,
        what_ifs=what_ifs_of(cell),
    )
    port = server.listen("127.0.0.1:0", None)
    await server.start()
    stack.push_async_callback(server.drain, 0)
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
    history = cell.mirror.state.history
    words: Words = {
        "job_id": [running, waiting], "job_ids": [running, waiting], "run_id": [cell.live_run(running).id],
        "pool_id": ["pool"], "launcher_id": ["launcher"], "allowed_pools": ["pool"], "name": ["name"],
        "queue": ["research"], "queues": ["research"], "accelerator": ["h100", "tpu-v5p"],
        "topology": ["4x4x8", "2x2x1"], "provider": ["aws"], "region": ["us-east-1"], "zone": [""],
        "priority_class": ["", "standard"], "request_id": ["r1", "r2", "r3"], "reason": ["because"],
        "version": ["1"], "command": ["train"], "node": ["0", "1"], "unavailable_nodes": ["0", "1"],
        "session": [encode_session(history, ref.number)], "page_token": [""], "cursor": [""],
        "etag": ["", encode_etag(history, 1), encode_etag(history, 2)],
        "min_revision": [0, 1], "page_size": [0, 1, 100], "sequence": [1, 2, 3], "user_errors": [0, 1],
        "count": [1, 8], "tasks": [1, 2], "devices_per_task": [1, 8], "speed_permille": [1, 1_000],
        "max_replicas": [1, 2], "nodes": [1], "devices_per_node": [8], "slices": [1], "launched_by": [0],
        "run_token": [1], "run_number": [1, 2], "replica_index": [0], "alternative_index": [0],
        "seconds": [1, 60], "nanos": [0], "limit_accelerators": [8],
        "price_usd_micros_per_accelerator_hour": [1_000_000, PENDING_PRICE], "accelerators": [0, 8],
        "cohort": ["cohort", ""], "parent": ["cohort", ""],
        "resource": ["h100", "usd_millis_per_hour"], "nominal": [0, 8], "borrowing_limit": [0, 8],
        "lending_limit": [0, 8], "weight_permille": [0, 1_000],
    }  # fmt: skip
    good = good_requests(cell.live_run(running), encode_session(history, ref.number))
    return channel, words, cell.metrics.registry, good


def check_refusal(error: grpc.aio.AioRpcError, request: Message) -> None:
    """That it is not our fault, and names what is wrong with the request, if that is the reason."""
    if error.details() == STILL_SENDING:
        return
    assert error.code() not in OUR_FAULT, error
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # the same methods as a call
    assert status is not None or error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, error
    if status is not None:
        check_status(status, request)


def check_status(status: status_pb2.Status, request: Message) -> None:
    assert status.code not in [code.value[0] for code in OUR_FAULT], status
    if status.code != grpc.StatusCode.INVALID_ARGUMENT.value[0]:
        return
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details), status
    assert bad.field_violations, status
    for violation in bad.field_violations:
        assert is_path_of(violation.field, request), f"{violation.field!r} is nothing of {request!r}"
        assert violation.description, status


def check_answer(method: MethodDescriptor, answer: bytes, request: Message) -> None:
    """That it can be read, and that refusals inside it are good ones."""
    message: Any = GetMessageClass(method.output_type).FromString(answer)
    for result in message.results if "results" in method.output_type.fields_by_name else ():
        status = result if isinstance(result, status_pb2.Status) else result.error
        check_status(status, request)
