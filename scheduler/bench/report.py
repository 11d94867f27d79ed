"""What a benchmark found: rows, as a table on the screen, Markdown, JSON and plots."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOT_INCHES = (9, 4)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measured number.

    Attributes:
        metric: with its unit.
        bound: the bar of what is judged: of the ratio if there is one, else of the value; None: not judged.
        ratio: of the value to what it is compared with.
        seconds: that the measurement took.
        detail: what else belongs to it, such as each round's numbers.
    """

    benchmark: str
    instance: str
    method: str = "placewright"
    metric: str
    value: float
    bound: float | None = None
    ratio: float | None = None
    seconds: float
    seed: int = 0
    detail: dict[str, object] = {}
    higher_is_better: bool = False

    @property
    def verdict(self) -> str:
        """Whether the bar is met; empty if there is none."""
        if self.bound is None:
            return ""
        judged = self.value if self.ratio is None else self.ratio
        meets = judged >= self.bound if self.higher_is_better else judged <= self.bound
        return "met" if meets else "MISSED"


HEADER = ("instance", "metric", "value", "ratio", "bar", "")


def cells(row: Row) -> tuple[str, ...]:
    sign = ">=" if row.higher_is_better else "<="
    return (
        row.instance,
        row.metric,
        f"{row.value:,.4g}",
        "" if row.ratio is None else f"{row.ratio:.3g}",
        "" if row.bound is None else f"{sign} {row.bound:.3g}",
        row.verdict,
    )


def show(rows: Iterable[Row], console: Console, *, title: str) -> None:
    table = Table(*HEADER, title=title)
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)


def write(
    rows: Sequence[Row],
    out: Path,
    *,
    name: str,
    notes: Sequence[str],
    plot: Callable[["Figure"], None] | None = None,
) -> None:
    """`name`.md, `name`.json and, if matplotlib is installed, `name`.png in the folder.

    `plot` draws; without it each judged number is shown as a part of its bar.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(list(rows)), indent=1))
    lines = [f"# {name}", "", *notes, "", f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|"]
    lines += [f"| {' | '.join(cells(row))} |" for row in rows]
    (out / f"{name}.md").write_text("\n".join(lines) + "\n")
    _plot(plot or partial(_draw_parts_of_bars, [row for row in rows if row.bound]), out / f"{name}.png")


def _plot(draw: Callable[["Figure"], None], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:  # the extra [bench] is not installed
        return
    figure = Figure(figsize=PLOT_INCHES, layout="constrained")
    draw(figure)
    figure.savefig(path)


def _draw_parts_of_bars(judged: Sequence[Row], figure: "Figure") -> None:
    """Each judged number as a part of its bar."""
    axes = figure.subplots()
    names = [f"{row.instance}: {row.metric}" for row in judged]
    parts = [_part_of_bar(row) for row in judged]
    colours = ["tab:green" if row.verdict == "met" else "tab:red" for row in judged]
    axes.barh(names, parts, color=colours)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlabel("of the bar; at most 1 meets it")


def _part_of_bar(row: Row) -> float:
    judged = row.value if row.ratio is None else row.ratio
    assert row.bound
    return row.bound / judged if row.higher_is_better and judged else judged / row.bound
