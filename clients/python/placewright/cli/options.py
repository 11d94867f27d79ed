"""Options that commands share."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from placewright.cli.output import Output

AddressOption = Annotated[
    Optional[str],  # noqa: UP045  (typer evaluates it under 3.10)
    typer.Option(
        "--address",
        help="host:port of the service, or of several replicas with commas; also before the command.",
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Form of the data on stdout.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for people.")]
RequestIdOption = Annotated[str, typer.Option("--request-id", help="To repeat a call safely.")]
