"""Metrics and health are served until told to stop."""

from collections.abc import Iterator
from threading import Event
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from scheduler.telemetry.http import TelemetryServer
from scheduler.telemetry.metrics import Metrics


@pytest.fixture
def ready() -> Event:
    return Event()


@pytest.fixture
def address(ready: Event) -> Iterator[str]:
    server = TelemetryServer(
        Metrics().registry, unready=lambda: "" if ready.is_set() else "not yet", host="127.0.0.1", port=0
    )
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def status(url: str) -> int:
    try:
        with urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def test_openmetrics_is_given_to_who_asks_for_it(address: str) -> None:
    request = Request(f"{address}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    with urlopen(request, timeout=5) as answer:
        content_type, text = answer.headers["Content-Type"], answer.read().decode()

    assert content_type.startswith("application/openmetrics-text")
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"placewright_leader", "placewright_rpc_requests"} <= names
    assert "_created" not in text


def test_plain_text_is_given_to_everyone_else(address: str) -> None:
    with urlopen(f"{address}/metrics", timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")


def test_readiness_follows_what_it_is_told(address: str, ready: Event) -> None:
    assert status(f"{address}/readyz") == 503

    ready.set()

    assert status(f"{address}/readyz") == 200


@pytest.mark.parametrize(("page", "expected"), [("/healthz", 200), ("/metrics?x=1", 200), ("/nothing", 404)])
def test_pages(address: str, page: str, expected: int) -> None:
    assert status(address + page) == expected


def test_stopping_gives_the_port_back() -> None:
    first = TelemetryServer(Metrics().registry, unready=lambda: "", host="127.0.0.1", port=0)
    first.start()
    first.stop()

    second = TelemetryServer(Metrics().registry, unready=lambda: "", host="127.0.0.1", port=first.port)
    second.stop()
