"""Where the service is and how to speak to it: arguments, then PLACEWRIGHT_* variables, then defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from placewright.errors import FieldViolation, InvalidRequest

ADDRESS_DEFAULT = "127.0.0.1:7461"
PORT_DEFAULT = 7461
TIMEOUT_S_DEFAULT = 10.0
OUTAGE_S_MAX_DEFAULT = 3_600.0
ADDRESS_VARIABLE = "PLACEWRIGHT_ADDRESS"
TOKEN_VARIABLE = "PLACEWRIGHT_TOKEN"
TLS_VARIABLE = "PLACEWRIGHT_TLS"
CA_FILE_VARIABLE = "PLACEWRIGHT_CA_FILE"
CERTIFICATE_FILE_VARIABLE = "PLACEWRIGHT_CERTIFICATE_FILE"
KEY_FILE_VARIABLE = "PLACEWRIGHT_KEY_FILE"
SWITCH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
LOOPBACK = ("127.0.0.1:", "localhost:", "[::1]:", "unix:")


@dataclass(frozen=True, kw_only=True)
class Tls:
    """Certificates for TLS.

    Attributes:
        ca_file: who may sign the service's certificate; None: the system's authorities.
        certificate_file, key_file: the client's own, for mutual TLS; both or none.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


TlsChoice = Union[bool, str, Tls, None]  # noqa: UP007  (runs under 3.10)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a client needs to know.

    Attributes:
        address: HOST:PORT of the service, or of several replicas with commas between; or a gRPC target.
        token: sent as a bearer token with every call; empty: none.
        tls: None: in the clear.
        timeout_s: deadline of a unary call.
        outage_s_max: how long watches and waits keep trying when nobody answers.
    """

    address: str = ADDRESS_DEFAULT
    token: str = ""
    tls: Tls | None = None
    timeout_s: float = TIMEOUT_S_DEFAULT
    outage_s_max: float = OUTAGE_S_MAX_DEFAULT


def resolve(
    address: str | None,
    *,
    token: str | None,
    tls: TlsChoice,
    timeout_s: float,
    outage_s_max: float,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings from arguments, environment and defaults, in this order.

    Raises:
        InvalidRequest: a value cannot be used, or a token would travel in the clear without `tls=False`.
    """
    target = _address(address or environment.get(ADDRESS_VARIABLE) or ADDRESS_DEFAULT)
    for name, seconds in (("timeout_s", timeout_s), ("outage_s_max", outage_s_max)):
        if not seconds > 0:
            raise _invalid(name, f"must be more than 0 seconds, got {seconds!r}")
    secret = token if token is not None else environment.get(TOKEN_VARIABLE, "")
    chosen = tls if tls is not None else _tls_of(environment)
    certificates = _certificates(chosen, environment)
    is_loopback = all(each.startswith(LOOPBACK) for each in target.split(","))
    if secret and certificates is None and chosen is None and not is_loopback:
        raise _invalid(
            "tls",
            f"a token would go to {target} in the clear; say tls=True, a CA file or, if meant so, tls=False",
        )
    return Settings(
        address=target, token=secret, tls=certificates, timeout_s=timeout_s, outage_s_max=outage_s_max
    )


def read_certificates(tls: Tls) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Authorities, private key and certificate chain, as gRPC wants them.

    Raises:
        InvalidRequest: a file cannot be read, or one of certificate and key is missing.
    """
    if (tls.certificate_file is None) != (tls.key_file is None):
        raise _invalid("tls", "certificate_file and key_file belong together, got only one of them")
    return _read(tls.ca_file), _read(tls.key_file), _read(tls.certificate_file)


def _address(text: str) -> str:
    replicas = [each.strip() for each in text.split(",")]
    if not all(replicas) or any(each.startswith(("http://", "https://")) for each in replicas):
        several = f"or {ADDRESS_DEFAULT},{ADDRESS_DEFAULT} for several replicas"
        raise _invalid("address", f"must be host:port, such as {ADDRESS_DEFAULT}, {several}, got {text!r}")
    return ",".join(each if ":" in each else f"{each}:{PORT_DEFAULT}" for each in replicas)


def _tls_of(environment: Mapping[str, str]) -> TlsChoice:
    switch = environment.get(TLS_VARIABLE, "").strip().lower()
    if switch:
        if switch not in SWITCH:
            raise _invalid(TLS_VARIABLE, f"must be 1 or 0, got {switch!r}")
        return SWITCH[switch]
    return True if environment.get(CA_FILE_VARIABLE) or environment.get(CERTIFICATE_FILE_VARIABLE) else None


def _certificates(chosen: TlsChoice, environment: Mapping[str, str]) -> Tls | None:
    if chosen is None or chosen is False:
        return None
    if isinstance(chosen, Tls):
        return chosen
    return Tls(
        ca_file=chosen if isinstance(chosen, str) else environment.get(CA_FILE_VARIABLE) or None,
        certificate_file=environment.get(CERTIFICATE_FILE_VARIABLE) or None,
        key_file=environment.get(KEY_FILE_VARIABLE) or None,
    )


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _invalid("tls", f"cannot read {path!r}: {error.strerror}") from error


def _invalid(field: str, description: str) -> InvalidRequest:
    return InvalidRequest.of([FieldViolation(field, description)])
