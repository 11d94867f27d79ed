"""Several addresses of one service become one gRPC target."""

import pytest

from placewright import InvalidRequest
from placewright.settings import resolve
from placewright.targets import target_of


def resolved(address: str, *, token: str | None = None) -> str:
    return resolve(address, token=token, tls=None, timeout_s=1, outage_s_max=1, environment={}).address


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("scheduler.example:7461", "scheduler.example:7461"),
        ("dns:///scheduler.example:7461", "dns:///scheduler.example:7461"),
        ("10.0.0.1:7461,10.0.0.2:7462", "ipv4:10.0.0.1:7461,10.0.0.2:7462"),
        ("10.0.0.1:7461, 10.0.0.2", "ipv4:10.0.0.1:7461,10.0.0.2:7461"),
        ("10.0.0.1:7461,10.0.0.1:7461", "ipv4:10.0.0.1:7461"),
        ("localhost:1,127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
        ("[fd00::1]:1,[fd00::2]:2", "ipv6:[fd00::1]:1,[fd00::2]:2"),
        ("ipv4:10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
    ],
)
def test_a_target_has_every_address(address: str, target: str) -> None:
    assert target_of(resolved(address))[0] == target


def test_the_certificate_is_asked_for_the_first_host() -> None:
    assert target_of("localhost:1,127.0.0.1:2")[1] == [("grpc.default_authority", "localhost")]


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("10.0.0.1:1,", "must be host:port"),
        ("10.0.0.1:1,http://10.0.0.2:2", "must be host:port"),
        ("10.0.0.1:1,10.0.0.2:port", "must be host:port each, got '10.0.0.2:port'"),
        ("10.0.0.1:1,[fd00::2]:2", "all IPv4 or all IPv6"),
        ("10.0.0.1:1,nobody.invalid:2", "'nobody.invalid' cannot be looked up"),
    ],
)
def test_a_bad_list_is_refused(address: str, fault: str) -> None:
    with pytest.raises(InvalidRequest, match="address") as refused:
        target_of(resolved(address))

    assert fault in str(refused.value)


def test_a_token_in_the_clear_must_stay_on_loopback_with_every_address() -> None:
    assert resolved("127.0.0.1:1,localhost:2", token="secret-token")
    with pytest.raises(InvalidRequest, match="in the clear"):
        resolved("127.0.0.1:1,10.0.0.2:2", token="secret-token")
