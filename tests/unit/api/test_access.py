"""Who may call what: every verb by every role, through the real interceptor."""

from collections.abc import AsyncIterator
from hashlib import sha256

import grpc
import pytest

from scheduler.api.auth import VERBS, Authenticator, Identity, Role
from scheduler.api.server import SERVICES, STREAMING_RPCS, Server
from scheduler.model.ids import Principal
from tests.cell import a_cell, what_ifs_of
from tests.unit.api.conftest import VOCABULARY

METHODS = {
    f"{service.name}/{method.name}": method.output_type._concrete_class
    for service in SERVICES
    for method in service.methods
}


def token_of(role: Role) -> str:
    return f"a-token-of-the-{role}"


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    tokens = {
        sha256(token_of(role).encode()).hexdigest(): Identity(
            principal=Principal(role.value), roles=frozenset({role})
        )
        for role in Role
    }
    async with a_cell() as cell:
        server = Server(
            cell.parts,
            VOCABULARY,
            authenticator=Authenticator(tokens),
            metrics=cell.metrics,
            what_ifs=what_ifs_of(cell),
        )
        port = server.listen("127.0.0.1:0", None)
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
        await server.drain(0)


async def code_of_empty_call(channel: grpc.aio.Channel, rpc: str, token: str | None) -> grpc.StatusCode:
    """What an empty request is answered: who may call gets as far as the checks of its fields."""
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    path = f"/placewright.v1.{rpc}"
    if rpc in STREAMING_RPCS:
        return await _code_of_empty_stream(channel, path, metadata)
    try:
        await channel.unary_unary(path)(b"", metadata=metadata, timeout=5)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def _code_of_empty_stream(
    channel: grpc.aio.Channel, path: str, metadata: list[tuple[str, str]]
) -> grpc.StatusCode:
    """The one request goes out with the call: one sent later fails where the call was refused before it."""
    call = channel.unary_stream(path)(b"", metadata=metadata, timeout=5)
    try:
        if await call.read() is not grpc.aio.EOF:
            return grpc.StatusCode.OK
    except grpc.aio.AioRpcError as error:
        return error.code()
    finally:
        call.cancel()
    return await call.code()


@pytest.mark.parametrize("rpc", METHODS)
@pytest.mark.parametrize("role", Role)
async def test_a_role_may_use_its_verbs_and_no_others(
    channel: grpc.aio.Channel, rpc: str, role: Role
) -> None:
    code = await code_of_empty_call(channel, rpc, token_of(role))

    assert (code is not grpc.StatusCode.PERMISSION_DENIED) == (role in VERBS[rpc])
    assert code is not grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("rpc", METHODS)
@pytest.mark.parametrize("token", [None, "guessed"])
async def test_nobody_calls_without_a_known_token(
    channel: grpc.aio.Channel, rpc: str, token: str | None
) -> None:
    assert await code_of_empty_call(channel, rpc, token) is grpc.StatusCode.UNAUTHENTICATED
