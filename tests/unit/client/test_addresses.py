"""A client that knows several replicas uses any that answers, and another when that one goes away."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from placewright import AsyncClient, Client, Job
from tests.unit.client.conftest import Blocking
from tests.unit.client.fake_service import FakeService

Opener = Callable[[str], Any]


@pytest.fixture(params=["sync", "asyncio"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Opens clients of either kind, and closes them in the end."""
    with ExitStack() as stack:

        def client_of(address: str) -> Any:
            if request.param == "sync":
                return stack.enter_context(Client(address))
            return stack.enter_context(
                closing(Blocking(AsyncClient(address), request.getfixturevalue("loop_thread")))
            )

        yield client_of


@pytest.fixture
def services() -> Iterator[tuple[FakeService, FakeService]]:
    both = FakeService().start(), FakeService().start()
    yield both
    for service in both:
        service.stop()


def submit(client: Any) -> None:
    client.submit(Job(name="job", accelerators="h100:1", command=["true"]))


def test_an_address_at_which_nobody_answers_is_passed_over(opened: Opener, service: FakeService) -> None:
    with closing(socket.socket()) as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{bound.getsockname()[1]}"
        for _ in range(5):  # the order is drawn by each client
            submit(opened(f"{nobody},{service.address}"))

    service.wait_for_requests("SubmitJob", 5)


def test_one_replica_takes_every_call_until_it_goes_away(
    opened: Opener, services: tuple[FakeService, FakeService]
) -> None:
    client = opened(",".join(service.address for service in services))
    for _ in range(4):
        submit(client)
    counts = [len(service.requests["SubmitJob"]) for service in services]
    assert sorted(counts) == [0, 4]

    used, other = services if counts[0] else services[::-1]
    used.stop()
    submit(client)

    other.wait_for_requests("SubmitJob", 1)
