"""The one interceptor: principal, role x verb, metrics, log and error map, for every RPC."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, NoReturn, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from grpc_status import rpc_status

from scheduler.api.admission import BY_RPC, CALLS, Admission, Limit
from scheduler.api.auth import LOCAL, Authenticator, Identity, authorise
from scheduler.api.draining import Draining
from scheduler.api.errors import internal, status_of
from scheduler.model.errors import FieldViolation, InvalidRequest, LimitReached, PlacewrightError
from scheduler.model.limits import WHAT_IF_MS_DEFAULT
from scheduler.telemetry.metrics import Metrics

log = structlog.get_logger()

PACKAGE = "/placewright.v1."
CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}

_identity: ContextVar[Identity] = ContextVar("identity", default=LOCAL)

# In quotes: at run time grpc's classes are not generic.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def caller() -> Identity:
    """Who makes the RPC that is being answered."""
    return _identity.get()


def within_ms(context: Context) -> int:
    """How long a question that takes planning may take: until the caller's deadline, or else a default."""
    left_s = context.time_remaining()
    return WHAT_IF_MS_DEFAULT if left_s is None else max(1, int(left_s * 1_000))


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps every RPC of the package; health and reflection pass."""

    def __init__(self, authenticator: Authenticator, metrics: Metrics, draining: Draining) -> None:
        self._gate = _Gate(authenticator, metrics)
        self._metrics, self._draining = metrics, draining
        self._wrapped: dict[str, Handler] = {}  # by method: wrapping costs as much as a small call

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(PACKAGE):
            return handler
        call = _Call(method.removeprefix(PACKAGE), self._gate, self._metrics, self._draining)
        return self._wrapped.setdefault(method, call.wrap(handler))


class _Gate:
    """Who may call, and whether there is a place for the call."""

    def __init__(self, authenticator: Authenticator, metrics: Metrics) -> None:
        self._authenticator, self._metrics = authenticator, metrics
        self._admission = Admission()

    def enter(self, rpc: str, limit: Limit, context: Context) -> Identity:
        """Let a call in, which `leave` must end.

        Raises:
            Unauthenticated, NotAllowed, Overloaded
        """
        authorization = ""
        if self._authenticator.needs_tokens:
            metadata = dict(context.invocation_metadata() or ())
            authorization = str(metadata.get("authorization", ""))
        identity = self._authenticator.identity(authorization)
        authorise(identity, rpc)
        self._admission.enter(limit, identity.principal)
        _identity.set(identity)
        return identity

    def leave(self, limit: Limit, identity: Identity) -> None:
        self._admission.leave(limit, identity.principal)


class _Call:
    """What is done around the calls of one RPC."""

    def __init__(self, rpc: str, gate: _Gate, metrics: Metrics, draining: Draining) -> None:
        self._rpc, self._gate, self._metrics, self._draining = rpc, gate, metrics, draining
        self._limit = BY_RPC.get(rpc, CALLS)

    def wrap(self, handler: "Handler") -> "Handler":
        assert handler.request_deserializer is not None
        codecs = {
            "request_deserializer": _reading(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }
        if not handler.response_streaming:
            assert handler.unary_unary is not None
            return grpc.unary_unary_rpc_method_handler(self._unary(handler.unary_unary), **codecs)
        if not handler.request_streaming:
            assert handler.unary_stream is not None
            answering = handler.unary_stream
            return grpc.unary_stream_rpc_method_handler(
                self._stream(lambda request, context: answering(_read(request), context)), **codecs
            )
        assert handler.stream_stream is not None
        behaviour: Callable[..., Any] = handler.stream_stream
        return grpc.stream_stream_rpc_method_handler(
            self._stream(lambda requests, context: behaviour(_all_read(requests), context)), **codecs
        )

    def _unary(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def answer(request: Any, context: Context) -> Any:
            started, outcome = time.perf_counter(), _Outcome(self._rpc, self._metrics)
            self._metrics.rpc.record_start(self._rpc)
            try:
                with outcome:
                    identity = self._gate.enter(self._rpc, self._limit, context)
                    try:
                        return await behaviour(_read(request), context)
                    finally:
                        self._gate.leave(self._limit, identity)
                await outcome.abort(context)
            finally:
                seconds = time.perf_counter() - started
                self._metrics.rpc.record_end(self._rpc, code=outcome.code, seconds=seconds)

        return answer

    def _stream(self, behaviour: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
        async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
            outcome = _Outcome(self._rpc, self._metrics)
            self._metrics.rpc.record_stream_start(self._rpc)
            try:
                with outcome:
                    identity = self._gate.enter(self._rpc, self._limit, context)
                    try:
                        async for response in self._until_drained(behaviour(request, context)):
                            yield response
                    finally:
                        self._gate.leave(self._limit, identity)
                await outcome.abort_if_refused(context)
            finally:
                self._metrics.rpc.record_stream_end(self._rpc, code=outcome.code)

        return answer

    async def _until_drained(self, responses: AsyncIterator[Any]) -> AsyncIterator[Any]:
        while True:
            async with self._draining.waiting():
                try:
                    response = await anext(responses)
                except StopAsyncIteration:
                    return
            yield response


def _reading(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """What it reads, or why it cannot: raised there, gRPC would call it the service's own fault."""

    def read(encoded: bytes) -> Any:
        try:
            return deserialize(encoded)
        except DecodeError as error:
            return InvalidRequest(FieldViolation("", f"must be a message of the RPC's request type: {error}"))

    return read


def _read(request: Any) -> Any:
    """The request.

    Raises:
        InvalidRequest: its bytes are no message.
    """
    if isinstance(request, InvalidRequest):
        raise request
    return request


async def _all_read(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _read(request)


class _Outcome:
    """How a call ended; as a context it takes every error of the call and keeps its status."""

    def __init__(self, rpc: str, metrics: Metrics) -> None:
        self._rpc, self._metrics = rpc, metrics
        self._status: status_pb2.Status | None = None
        self.code = "CANCELLED"  # until it is known to have ended otherwise

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if error is None:
            self.code = "OK"
            return False
        if not isinstance(error, Exception):
            return False
        self._status = self._status_of(error)
        self.code = CODE_NAMES[self._status.code]
        return True

    def _status_of(self, error: Exception) -> status_pb2.Status:
        if isinstance(error, LimitReached):
            self._metrics.rpc.record_refused(error.limit)  # counted, not logged: there may be a flood of them
            return status_of(error)
        if isinstance(error, PlacewrightError):
            log.info("rpc_refused", rpc=self._rpc, error=type(error).__name__, message=str(error))
            return status_of(error)
        log.exception("rpc_failed", rpc=self._rpc)
        return internal()

    async def abort_if_refused(self, context: Context) -> None:
        if self._status is not None:
            await self.abort(context)

    async def abort(self, context: Context) -> NoReturn:
        """End the call with the status and its details."""
        assert self._status is not None, self._rpc
        converted = rpc_status.to_status(self._status)
        context.set_trailing_metadata(converted.trailing_metadata)
        await context.abort(converted.code, converted.details)
        raise AssertionError("abort returned")
