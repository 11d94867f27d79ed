"""Panels in the house style: each has a title, a description, a unit and queries against `$datasource`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeNamePlacement,
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

AnyPanel: TypeAlias = timeseries.Panel | stat.Panel | bargauge.Panel
P = TypeVar("P", timeseries.Panel, stat.Panel, bargauge.Panel)


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL query and how its series are called; {{label}} stands for a label's value."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class About:
    """What every panel says.

    Attributes:
        width, height: on a grid of 24 columns.
    """

    title: str
    description: str
    unit: str
    width: int
    height: int = field(default=8, kw_only=True)


@dataclass(frozen=True, slots=True)
class Limit:
    """From this value on the figure has this colour; None for the lowest."""

    value: float | None
    colour: str


NEUTRAL = (Limit(None, "blue"),)


def lines(about: About, *queries: Query, at_least: float | None = None) -> timeseries.Panel:
    """Values over time; the scale goes to `at_least`."""
    panel = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(8)
        .show_points(VisibilityMode.NEVER)
        .axis_soft_min(0)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    if at_least is not None:
        panel = panel.axis_soft_max(at_least)
    return _described(panel, about, queries)


def stacked(about: About, *queries: Query) -> timeseries.Panel:
    """Values over time, one on the other, so that the top is their sum."""
    stacking = common.StackingConfig().mode(StackingMode.NORMAL).group("A")
    return lines(about, *queries).stacking(stacking).fill_opacity(35)


def figure(about: About, query: Query, *, limits: Sequence[Limit] = NEUTRAL) -> stat.Panel:
    """One number as it is now."""
    panel = (
        stat.Panel()
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(_last())
        .thresholds(_thresholds(limits))
    )
    return _described(panel, about, [query])


def bars(
    about: About,
    query: Query,
    *,
    limits: Sequence[Limit] = NEUTRAL,
    largest: float | None = None,
    decimals: int | None = None,
) -> bargauge.Panel:
    """One bar a series as it is now; `largest` is the end of the scale."""
    panel = (
        bargauge.Panel()
        .orientation(VizOrientation.HORIZONTAL)
        .display_mode(BarGaugeDisplayMode.GRADIENT)
        .name_placement(BarGaugeNamePlacement.LEFT)
        .reduce_options(_last())
        .thresholds(_thresholds(limits))
        .min(0)
    )
    if largest is not None:
        panel = panel.max(largest)
    if decimals is not None:
        panel = panel.decimals(decimals)
    return _described(panel, about, [query])


def row(title: str) -> dashboard.Row:
    """A heading between panels."""
    return dashboard.Row(title)


def _described(panel: P, about: About, queries: Iterable[Query]) -> P:
    panel = (
        panel.title(about.title)
        .description(about.description)
        .unit(about.unit)
        .span(about.width)
        .height(about.height)
        .datasource(DATASOURCE)
    )
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(query, ref_id=chr(ord("A") + number)))
    return panel


def _target(query: Query, *, ref_id: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(DATASOURCE)
        .expr(query.expr)
        .legend_format(query.legend)
        .ref_id(ref_id)
        .range()
    )


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _thresholds(limits: Sequence[Limit]) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=limit.value, color=limit.colour) for limit in limits]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
