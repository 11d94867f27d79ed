"""Values on stdout as table, JSON, YAML or names."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeVar

import typer

from placewright.strings import Location, duration_text

T = TypeVar("T")
WIDTH_WHEN_PIPED = 1_000  # a pipe has no width: nothing is cut


class Output(str, Enum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def plain(value: object) -> object:
    """The value as JSON and YAML know it; the keys are the attributes of the Python client."""
    if isinstance(value, Location):
        return str(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def print_one(value: T, output: Output, *, name: str, table: Callable[[T], None]) -> None:
    """One value, in the wanted form."""
    if output is Output.NAME:
        typer.echo(name)
    elif output is Output.TABLE:
        table(value)
    else:
        _print_data(plain(value), output)


def print_many(
    values: Sequence[T], output: Output, *, name: Callable[[T], str], table: Callable[[Sequence[T]], None]
) -> None:
    """A list of values, in the wanted form."""
    if output is Output.NAME:
        for value in values:
            typer.echo(name(value))
    elif output is Output.TABLE:
        table(values)
    else:
        _print_data([plain(value) for value in values], output)


def print_event(value: object, output: Output) -> None:
    """One of a stream: a JSON line, or a YAML document."""
    if output is Output.JSON:
        typer.echo(json.dumps(plain(value)))
    else:
        typer.echo("---")
        _print_data(plain(value), output)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """An aligned table without lines; the last but one column gives way on a narrow terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else WIDTH_WHEN_PIPED, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        gives_way = column == "WAITING-WHY"
        table.add_column(column, no_wrap=True, overflow="ellipsis" if gives_way else "fold", ratio=None)
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console.print(table)


STYLES = {
    "pending": "yellow",
    "active": "cyan",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "dim",
    "cordoned": "yellow",
    "deleting": "yellow",
    "no launcher": "red",
}


def _print_data(data: object, output: Output) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(data, indent=2))
        return
    import yaml

    typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
