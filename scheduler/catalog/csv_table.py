"""CSV files checked cell by cell: an error names file, line, column, value and what is allowed."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.resources.abc import Traversable
from typing import NoReturn

from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import is_id


class InvalidCatalogue(PlacewrightError):
    """A data file of the catalogue cannot be read as it is."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file, read column by column."""

    file: str
    line: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        return self.cells[column]

    def required(self, column: str) -> str:
        value = self.cells[column]
        return value if value.strip() else self.fail(column, "must not be empty")

    def id(self, column: str) -> str:
        value = self.cells[column]
        return value if is_id(value) else self.fail(column, "must be [a-z0-9-]{1,63}")

    def count(self, column: str) -> int:
        value = self.cells[column]
        if value.isascii() and value.isdigit() and int(value) >= 1:
            return int(value)
        return self.fail(column, "must be a whole number of at least 1")

    def usd_micros(self, column: str) -> int:
        """Dollars with at most six decimals, as micro-dollars."""
        micros = self._micros(column)
        if micros is None or micros != int(micros) or micros < 0:
            return self.fail(column, "must be dollars, at least 0, with at most six decimals")
        return int(micros)

    def optional_price_usd_micros(self, column: str) -> int | None:
        """As `usd_micros`, above 0; None where the cell is empty."""
        if not self.cells[column]:
            return None
        return self.usd_micros(column) or self.fail(column, "must be above 0, or empty when not offered")

    def _micros(self, column: str) -> Decimal | None:
        try:
            micros = Decimal(self.cells[column]) * 1_000_000
        except InvalidOperation:
            return None
        return micros if micros.is_finite() else None

    def fail(self, column: str, allowed: str) -> NoReturn:
        raise InvalidCatalogue(f"{self.file}:{self.line}: {column} is {self.cells[column]!r}: {allowed}")


def read_rows(file: Traversable, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a file that has exactly these columns."""
    text = io.StringIO(file.read_text(encoding="utf-8"), newline="")
    reader = csv.reader(text, strict=True)
    header = next(reader, [])
    if header != list(columns):
        raise InvalidCatalogue(f"{file.name}:1: the columns are {header}: must be {list(columns)}")
    for cells in reader:
        if len(cells) != len(columns):
            where = f"{file.name}:{reader.line_num}"
            raise InvalidCatalogue(f"{where}: there are {len(cells)} cells: must be {len(columns)}")
        yield Row(file.name, reader.line_num, dict(zip(columns, cells, strict=True)))
