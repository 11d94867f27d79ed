"""Arguments, then PLACEWRIGHT_* variables, then defaults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from placewright import Client, HealthStatus, InvalidRequest, Tls
from placewright.settings import Settings, resolve
from tests.unit.client.fake_service import FakeService


def settings(environment: Mapping[str, str], *, address: str | None = None, **others: Any) -> Settings:
    values = {"token": None, "tls": None, "timeout_s": 10.0, "outage_s_max": 60.0, **others}
    return resolve(address, environment=environment, **values)


def test_the_default_is_this_machine_in_the_clear() -> None:
    assert settings({}) == Settings(address="127.0.0.1:7461", outage_s_max=60.0)


def test_variables_are_read_and_arguments_win() -> None:
    environment = {
        "PLACEWRIGHT_ADDRESS": "scheduler:1",
        "PLACEWRIGHT_TOKEN": "a",
        "PLACEWRIGHT_CA_FILE": "ca.pem",
    }

    from_environment = settings(environment)
    from_arguments = settings(environment, address="other:2", token="b", tls="other.pem")

    assert from_environment.address == "scheduler:1"
    assert (from_environment.token, from_environment.tls) == ("a", Tls(ca_file="ca.pem"))
    assert (from_arguments.address, from_arguments.token) == ("other:2", "b")
    assert from_arguments.tls == Tls(ca_file="other.pem")


def test_an_address_without_a_port_gets_the_default_one() -> None:
    assert settings({}, address="scheduler.example").address == "scheduler.example:7461"


@pytest.mark.parametrize(
    ("environment", "values", "message"),
    [
        ({}, {"address": "https://scheduler:1"}, "address: must be host:port"),
        ({}, {"address": "scheduler:1", "token": "t"}, "tls: a token would go to scheduler:1 in the clear"),
        ({"PLACEWRIGHT_TLS": "maybe"}, {}, "PLACEWRIGHT_TLS: must be 1 or 0, got 'maybe'"),
        ({}, {"timeout_s": 0}, "timeout_s: must be more than 0 seconds, got 0"),
    ],
)
def test_what_cannot_be_used_is_refused(
    environment: dict[str, str], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        settings(environment, **values)


def test_a_token_may_travel_in_the_clear_where_that_was_said() -> None:
    assert settings({"PLACEWRIGHT_TLS": "0"}, address="scheduler:1", token="t").tls is None


def test_a_missing_certificate_is_told_with_its_path() -> None:
    with pytest.raises(InvalidRequest, match=r"cannot read 'nowhere.pem'"):
        Client("localhost:1", tls="nowhere.pem")


def test_mutual_tls_works(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca_file, certificate_file, key_file = (tmp_path / name for name in ("ca.pem", "client.pem", "client.key"))
    mine, theirs = authority.issue_cert("client"), authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(ca_file)
    mine.cert_chain_pems[0].write_to_path(certificate_file)
    mine.private_key_pem.write_to_path(key_file)
    pair = (theirs.private_key_pem.bytes(), theirs.cert_chain_pems[0].bytes())
    credentials = grpc.ssl_server_credentials(
        [pair], root_certificates=authority.cert_pem.bytes(), require_client_auth=True
    )
    service = FakeService().start(credentials)

    tls = Tls(ca_file=str(ca_file), certificate_file=str(certificate_file), key_file=str(key_file))
    with Client(f"localhost:{service.port}", tls=tls, token="t") as client:
        health = client.health()

    service.stop()
    assert health is HealthStatus.SERVING
    assert service.metadata["Check"][0]["authorization"] == "Bearer t"
