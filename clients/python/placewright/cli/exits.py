"""Exit codes, and errors as messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from placewright.client import Client
    from placewright.errors import PlacewrightError

OK = 0
JOB_FAILED = 1
INVALID = 2
NOT_FOUND = 3
UNAVAILABLE = 4
DENIED = 5
REFUSED = 6
LIMITED = 7
FAULT = 70
INTERRUPTED = 130

EPILOG = """Exit codes: 0 done; 1 a job that was waited for or watched did not succeed; 2 wrong usage or
invalid request; 3 not found; 4 service unavailable or out of time; 5 not authenticated or not allowed;
6 refused as things stand (exists already, changed meanwhile, wrong state); 7 a limit was reached, try later;
70 fault of the service; 130 interrupted.

Environment: PLACEWRIGHT_ADDRESS (host:port), PLACEWRIGHT_TOKEN, PLACEWRIGHT_TLS (1 or 0),
PLACEWRIGHT_CA_FILE, PLACEWRIGHT_CERTIFICATE_FILE, PLACEWRIGHT_KEY_FILE, NO_COLOR."""


@contextmanager
def connected(address: str | None) -> Iterator[Client]:
    """A client; what goes wrong inside is printed to stderr and becomes the exit code."""
    with reported():
        from placewright.client import Client

        with Client(address) as client:
            yield client


@contextmanager
def reported() -> Iterator[None]:
    """What goes wrong inside is printed to stderr and becomes the exit code."""
    from placewright.errors import PlacewrightError

    try:
        yield
    except PlacewrightError as error:
        tell_error(error)
        raise typer.Exit(code_of(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def code_of(error: PlacewrightError) -> int:
    """The exit code for an error."""
    from placewright import errors

    table: list[tuple[type[PlacewrightError], int]] = [
        (errors.InvalidRequest, INVALID),
        (errors.NotFound, NOT_FOUND),
        (errors.Unavailable, UNAVAILABLE),
        (errors.DeadlineExceeded, UNAVAILABLE),
        (errors.Unauthenticated, DENIED),
        (errors.PermissionDenied, DENIED),
        (errors.AlreadyExists, REFUSED),
        (errors.FailedPrecondition, REFUSED),
        (errors.Aborted, REFUSED),
        (errors.OutOfRange, REFUSED),
        (errors.ResourceExhausted, LIMITED),
    ]
    return next((code for kind, code in table if isinstance(error, kind)), FAULT)


def tell_error(error: PlacewrightError) -> None:
    """Print an error with its fields, and how to repeat a write safely."""
    from placewright import errors

    lines = [str(violation) for violation in error.fields] or [error.message]
    if error.fields and error.reason != "INVALID_REQUEST":
        lines.insert(0, error.message)
    for line in lines:
        tell(f"error: {line}")
    if error.retry_after is not None:
        tell(f"try again after {error.retry_after.total_seconds():g} s")
    if error.request_id and isinstance(error, (errors.Unavailable, errors.DeadlineExceeded)):
        tell(f"the outcome is unknown; to repeat it safely: --request-id {error.request_id}")


def tell(line: str) -> None:
    """Print a line for people, to stderr."""
    typer.echo(line, err=True)


def refuse(line: str) -> NoReturn:
    """Print what is wrong with the input and exit."""
    tell(f"error: {line}")
    raise typer.Exit(INVALID)
