"""The commands `state export`, `state import` and `state check`; what they need is loaded when they run."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from scheduler.model.errors import PlacewrightError

if TYPE_CHECKING:
    from scheduler.settings import Settings

app = typer.Typer(help="Export, import and check the state of a cell.", no_args_is_help=True)

EXIT_FINDINGS = 1
EXIT_BAD_SETTINGS = 2

T = TypeVar("T")

RedisUrl = Annotated[str | None, typer.Option(help="The store; else the embedded one, service stopped.")]
DataDir = Annotated[Path | None, typer.Option(help="State of the embedded Valkey.")]
Cell = Annotated[str | None, typer.Option(help="Name of the scheduler. [default: main]")]
Durability = Annotated[str | None, typer.Option(help="As the service's. [default: always]")]


@app.command("export")
def export_state(
    file: Path,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
    cell: Cell = None,
    durability: Durability = None,
) -> None:
    """Write all records of a cell to FILE: a header and one JSON line each. It holds jobs' environments."""
    from scheduler import state_transfer

    settings = _settings(redis_url, data_dir, cell, durability)
    typer.echo(f"{_run(state_transfer.export_state(settings, file))} records exported to {file}")


@app.command("import")
def import_state(
    file: Path,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
    cell: Cell = None,
    durability: Durability = None,
) -> None:
    """Write the records of FILE into an empty store, in a new history. No service may lead it."""
    from scheduler import state_transfer

    settings = _settings(redis_url, data_dir, cell, durability)
    typer.echo(f"{_run(state_transfer.import_state(settings, file))} records imported from {file}")


@app.command("check")
def check_state(
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
    cell: Cell = None,
    durability: Durability = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Mend what can be mended, in a new history. No service may lead it."),
    ] = False,
) -> None:
    """Check that the records agree with each other; prints one row per fault and then exits with 1.

    With --repair the rows of what was changed come first. Records that belong to nothing are removed,
    replicas follow what their runs say; what would need a guess stays.
    """
    from scheduler import state_transfer
    from scheduler.model.invariants import findings_of

    settings = _settings(redis_url, data_dir, cell, durability)
    for mended in _run(state_transfer.repair(settings)) if repair else ():
        typer.echo(f"{mended.key.kind:<10} {mended.key.id:<63} {mended.said}")
    state = _run(state_transfer.load(settings))
    findings = sorted(findings_of(state), key=lambda finding: (finding.kind, finding.id))
    for finding in findings:
        typer.echo(f"{finding.kind:<10} {finding.id:<63} {finding.fault}")
    typer.echo(f"{len(findings)} faults at revision {state.revision}")
    if findings:
        raise typer.Exit(EXIT_FINDINGS)


def _settings(
    redis_url: str | None, data_dir: Path | None, cell: str | None, durability: str | None
) -> "Settings":
    from scheduler.settings import load_settings

    try:
        return load_settings(redis_url=redis_url, data_dir=data_dir, cell=cell, durability=durability)
    except PlacewrightError as error:
        raise _told(error) from None


def _told(error: PlacewrightError) -> typer.Exit:
    typer.echo(f"placewright-scheduler: {error}", err=True)
    return typer.Exit(EXIT_BAD_SETTINGS)


def _run(work: Coroutine[object, object, T]) -> T:
    try:
        return asyncio.run(work)
    except PlacewrightError as error:
        raise _told(error) from None
