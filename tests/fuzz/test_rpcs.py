"""Whatever is sent to an RPC: it answers or says what is wrong with the request, never that it failed."""

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.effort import effort
from tests.fuzz.messages import altered, messages
from tests.fuzz.service import METHODS, Served, check_answer, check_refusal, served

ATTACH = "/placewright.v1.LauncherService/Attach"
ABOUT_WHAT_IS_THERE = (
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.DEADLINE_EXCEEDED,  # a watch
)
ANSWERING_ONE = [path for path in METHODS if path != ATTACH]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as started:
        yield started
        assert not started.faults()


def call(server: Served, path: str, request: Message) -> None:
    try:
        answers = server.run(server.answers(path, [request.SerializeToString()]))
    except grpc.aio.AioRpcError as error:
        check_refusal(error, request)
    else:
        for answer in answers:
            check_answer(METHODS[path], answer, request)


@pytest.mark.parametrize("path", ANSWERING_ONE)
@effort(20)
@given(data=st.data())
def test_any_request_is_answered_or_refused_with_what_is_wrong(
    server: Served, path: str, data: st.DataObject
) -> None:
    call(server, path, data.draw(messages(METHODS[path].input_type, server.words)))


@pytest.mark.parametrize("path", ANSWERING_ONE)
@effort(25)
@given(data=st.data())
def test_a_good_request_with_something_else_in_a_field_is_answered_or_refused(
    server: Served, path: str, data: st.DataObject
) -> None:
    call(server, path, data.draw(altered(server.good[METHODS[path].name], server.words)))


@pytest.mark.parametrize("path", ANSWERING_ONE)
def test_what_is_altered_is_good_before(path: str) -> None:
    with served() as fresh:
        request = fresh.good[METHODS[path].name]
        try:
            fresh.run(fresh.answers(path, [request.SerializeToString()]))
        except grpc.aio.AioRpcError as error:
            code = error.code()
        else:
            return
    assert code in ABOUT_WHAT_IS_THERE


@pytest.mark.parametrize("path", METHODS)
@effort(10)
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(server: Served, path: str, raw: bytes) -> None:
    try:
        server.run(server.answers(path, [raw]))
    except grpc.aio.AioRpcError as error:
        check_refusal(error, GetMessageClass(METHODS[path].input_type)())
