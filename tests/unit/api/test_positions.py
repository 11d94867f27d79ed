"""Tokens that look like the service's own and are not."""

import base64
import json

import grpc
import pytest

from placewright.v1 import job_service_pb2
from scheduler.api.positions import decode_etag, decode_page_token, encode_page_token
from scheduler.model.errors import InvalidRequest
from scheduler.model.ids import History
from tests.unit.api.conftest import Wire

FILTER = job_service_pb2.JobFilter()


def forged(first_cursor: str) -> str:
    """A page token of the filter with any cursor in it."""
    parts = json.loads(base64.urlsafe_b64decode(encode_page_token("job", FILTER, "")))
    return base64.urlsafe_b64encode(json.dumps([*parts[:-1], first_cursor]).encode()).decode()


async def test_text_that_cannot_be_sent_on_is_refused(wire: Wire) -> None:
    assert decode_page_token("page_token", forged("c"), FILTER) == ("job", "c")
    request = job_service_pb2.ListJobsRequest(page_token=forged("\ud800"))

    with pytest.raises(grpc.aio.AioRpcError, match="page_token") as refused:
        await wire.jobs.ListJobs(request)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("version", [True, -1, 2**63, 1.0, None])
def test_an_etag_whose_version_is_none_of_ours_is_refused(version: object) -> None:
    etag = base64.urlsafe_b64encode(json.dumps(["e1", "h", version]).encode()).decode()

    with pytest.raises(InvalidRequest, match="etag"):
        decode_etag(etag, History("h"))
