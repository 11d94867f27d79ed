"""A launcher that says anything in any order: its stream goes on or ends with what was wrong."""

from collections.abc import Iterator

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placewright.v1 import launcher_service_pb2 as wire
from tests.fuzz.effort import effort
from tests.fuzz.messages import messages
from tests.fuzz.service import METHODS, Served, check_answer, check_refusal, served

ATTACH = "/placewright.v1.LauncherService/Attach"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as started:
        yield started
        assert not started.faults()


@effort(25)
@given(data=st.data())
def test_any_messages_in_any_order_are_taken_or_refused(server: Served, data: st.DataObject) -> None:
    any_message = messages(wire.AttachRequest.DESCRIPTOR, server.words)
    said = [wire.AttachRequest(hello=wire.LauncherHello(launcher_id="launcher", version="1"))]
    said = said[: data.draw(st.sampled_from([0, 1, 1, 1]))] + data.draw(st.lists(any_message, max_size=6))
    for sequence, request in enumerate(said, start=1):
        if data.draw(st.integers(0, 9)):
            request.sequence = sequence
    try:
        answers = server.run(server.answers(ATTACH, [request.SerializeToString() for request in said]))
    except grpc.aio.AioRpcError as error:
        check_stream_refusal(error, said)
    else:
        for answer in answers:
            check_answer(METHODS[ATTACH], answer, wire.AttachRequest())


def check_stream_refusal(error: grpc.aio.AioRpcError, said: list[wire.AttachRequest]) -> None:
    """The fields that it names are those of one of the messages."""
    for request in said:
        try:
            check_refusal(error, request)
        except AssertionError:
            continue
        return
    check_refusal(error, wire.AttachRequest())
