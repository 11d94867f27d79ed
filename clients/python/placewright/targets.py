"""Several addresses of one service as one gRPC target."""

from __future__ import annotations

import ipaddress
import socket

from placewright.errors import FieldViolation, InvalidRequest

ANY_REPLICA = {"pick_first": {"shuffleAddressList": True}}
"""One replica at a time, chosen by chance, and another when its connection is lost.

So what a client reads after it wrote, and its watches, come from the replica that took the write and has
seen it. Spreading each call (round_robin) would have most reads wait for another replica's mirror.
"""

Options = list[tuple[str, str]]


def target_of(address: str) -> tuple[str, Options]:
    """The gRPC target of HOST:PORT or HOST:PORT,HOST:PORT..., and the channel options that go with it.

    Names in a list are looked up now: gRPC takes only numbers there. Over TLS the certificate of every
    replica must be valid for the first host of the list.

    Raises:
        InvalidRequest: a name cannot be looked up, or the addresses are not all IPv4 or all IPv6.
    """
    if "," not in address or address.startswith(("ipv4:", "ipv6:")):
        return address, []
    replicas = [_host_and_port(each) for each in address.split(",")]
    found = [_numbers(host, port) for host, port in replicas]
    for family, scheme in ((socket.AF_INET, "ipv4"), (socket.AF_INET6, "ipv6")):
        if all(family in numbers for numbers in found):
            chosen = [text for numbers in found for text in numbers[family]]
            return f"{scheme}:{','.join(dict.fromkeys(chosen))}", [("grpc.default_authority", replicas[0][0])]
    raise _invalid(f"must be all IPv4 or all IPv6, got {address!r}")


def _host_and_port(replica: str) -> tuple[str, int]:
    host, _, port = replica.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise _invalid(f"must be host:port each, got {replica!r}")
    return host.strip("[]"), int(port)


def _numbers(host: str, port: int) -> dict[int, list[str]]:
    """HOST:PORT in numbers, by address family."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _invalid(f"{host!r} cannot be looked up: {error.strerror}") from error
    numbers: dict[int, list[str]] = {}
    for family, _, _, _, name in found:
        text = str(name[0])
        is_ipv6 = ipaddress.ip_address(text.partition("%")[0]).version == 6
        numbers.setdefault(family, []).append(f"[{text}]:{port}" if is_ipv6 else f"{text}:{port}")
    return numbers


def _invalid(description: str) -> InvalidRequest:
    return InvalidRequest.of([FieldViolation("address", description)])
