"""The charts, as Vega-Lite specifications made with Altair. They hold no data and no range: those come with the rows.

A specification that stays the same lets the browser change the data in place; another one would be drawn from nothing.
"""

from collections.abc import Sequence
from typing import Final

import altair as alt

from barograph_cli.explore.theme import FONT, Palette

Spec = dict[str, object]

_STRIP_HEIGHT: Final = 150
_LANE_HEIGHT: Final = 26
# Charts below each other have one time axis only if their labels take the same room.
_GUTTER: Final = 58
_PERCENTILES: Final = ["p50", "p95", "p99"]
# Vega's own labels have hours of 1 to 12 without saying which half of the day.
_CLOCK: Final = (
    "timeFormat(datum.value, seconds(datum.value) ? '%H:%M:%S'"
    " : hours(datum.value) || minutes(datum.value) ? '%H:%M' : '%d %b')"
)


def rate_chart(palette: Palette) -> Spec:
    """Return the chart of requests per minute."""
    line = alt.MarkConfig(color=palette.rate, strokeWidth=1.5)
    area = alt.Chart().mark_area(line=line, color=palette.rate_fill)
    drawn = area.encode(_time(), _count_axis("per_minute", ",.4~g"))
    tooltip = [_at(), _figure("per_minute", "Requests per minute", ",.4~g"), _figure("requests", "Requests", ",.0f")]
    return _finished(_with_cursor(drawn, tooltip, palette), palette)


def error_chart(palette: Palette) -> Spec:
    """Return the chart of the share of requests that failed. Its axis reaches at least 1 %, so that calm looks calm."""
    line = alt.MarkConfig(color=palette.error, strokeWidth=1.5)
    area = alt.Chart().mark_area(line=line, color=palette.error_fill)
    drawn = area.encode(_time(), _count_axis("error_ratio", ".1~%", least=0.01))
    tooltip = [_at(), _figure("error_ratio", "Failed", ".2~%"), _figure("errors", "Errors", ",.0f")]
    return _finished(_with_cursor(drawn, tooltip, palette), palette)


def duration_chart(palette: Palette) -> Spec:
    """Return the chart of percentiles, on a logarithmic axis: higher ones are darker, and have another stroke."""
    folded = alt.Chart().transform_fold([*_PERCENTILES], ["figure", "value"]).transform_filter("datum.value > 0")
    drawn = folded.mark_line().encode(
        _time(),
        alt.Y("value:Q", title=None, scale=alt.Scale(type="log", nice=True), axis=_LOG_AXIS),
        alt.Color(
            "figure:N",
            title=None,
            sort=_PERCENTILES,
            scale=alt.Scale(domain=_PERCENTILES, range=[palette.p50, palette.p95, palette.p99]),
        ),
        alt.StrokeDash("figure:N", title=None, sort=_PERCENTILES, scale=alt.Scale(domain=_PERCENTILES, range=_DASHES)),
    )
    tooltip = [_at(), *(_figure(name, f"{name}, ms", ",.4~r") for name in _PERCENTILES)]
    return _finished(_with_cursor(drawn, tooltip, palette), palette)


_DASHES: Final = [[2, 2], [1, 0], [6, 2]]
_LOG_AXIS: Final = alt.Axis(
    format="~s", values=[10.0**power for power in range(-3, 7)], minExtent=_GUTTER, maxExtent=_GUTTER
)


def series_chart(
    palette: Palette, names: Sequence[str], title: str, number_format: str, *, field: str = "average"
) -> Spec:
    """Return a chart of a figure over time, a line for each of ``names``; of means unless ``field`` is another one."""
    drawn = (
        alt.Chart()
        .mark_line(point=alt.OverlayMarkDef(size=12, filled=True), strokeWidth=1.8)
        .encode(_time(), _count_axis(field, number_format), _colour_by_series(palette, names))
    )
    tooltip = [
        _at(),
        alt.Tooltip("series:N", title="Of"),
        _figure(field, title, number_format),
        *([_figure("maximum", "Highest", ",.4~r")] if field == "average" else []),
        _figure("count", "Values" if field == "average" else "Errors", ",.0f"),
    ]
    return _finished(_with_cursor(drawn, tooltip, palette), palette)


def histogram_chart(palette: Palette, names: Sequence[str], title: str) -> Spec:
    """Return the distribution of a value, as steps of one colour for each of ``names``."""
    drawn = (
        alt.Chart()
        .mark_area(interpolate="step-after", line=True, fillOpacity=0.15)
        .encode(
            alt.X("low:Q", title=title, scale=alt.Scale(zero=False, nice=False), axis=_axis(",.4~g")),
            alt.Y("share:Q", title=None, stack=None, axis=_axis(".0%")),
            _colour_by_series(palette, names),
            tooltip=[
                alt.Tooltip("series:N", title="Of"),
                _figure("low", "From", ",.4~g"),
                _figure("high", "To", ",.4~g"),
                _figure("share", "Share", ".1%"),
            ],
        )
    )
    return _finished(drawn, palette)


def episode_chart(palette: Palette, rules: Sequence[str]) -> Spec:
    """Return a lane for each rule, with a bar for each time that it was pending (faint) or firing."""
    severities = list(palette.severity)
    bars = (
        alt.Chart()
        .mark_bar(height=12, cornerRadius=2)
        .encode(
            _time(),
            alt.X2("end:Q"),
            alt.Y("rule:N", title=None, sort=list(rules), axis=alt.Axis(labelLimit=180)),
            alt.Color(
                "severity:N",
                title=None,
                scale=alt.Scale(domain=severities, range=[palette.severity[name] for name in severities]),
                legend=alt.Legend(symbolType="square", symbolSize=120),
            ),
            alt.Opacity("state:O", scale=alt.Scale(domain=["pending", "firing"], range=[0.35, 1]), legend=None),
            tooltip=[
                alt.Tooltip("rule:N", title="Rule"),
                alt.Tooltip("state:N", title="State"),
                _at(),
                _figure("minutes", "Minutes", ",.1f"),
            ],
        )
    )
    return _finished(bars, palette, height=alt.Step(_LANE_HEIGHT))


def _time() -> alt.X:
    return alt.X(
        "t:T", title=None, axis=alt.Axis(grid=False, labelExpr=_CLOCK, labelOverlap=True, labelFlush=False, tickCount=8)
    )


def _count_axis(field: str, number_format: str, *, least: float | None = None) -> alt.Y:
    """Return an axis that begins at 0 and, where ``least`` is given, reaches at least so far."""
    scale = alt.Scale(zero=True) if least is None else alt.Scale(zero=True, domain=alt.DomainUnionWith([0, least]))
    return alt.Y(f"{field}:Q", title=None, scale=scale, axis=_axis(number_format))


def _axis(number_format: str) -> alt.Axis:
    return alt.Axis(format=number_format, tickCount=4, minExtent=_GUTTER, maxExtent=_GUTTER)


def _colour_by_series(palette: Palette, names: Sequence[str]) -> alt.Color:
    """Return a colour for each name; after the last one they begin again."""
    colours = [palette.series[index % len(palette.series)] for index in range(len(names))]
    return alt.Color("series:N", title=None, sort=list(names), scale=alt.Scale(domain=list(names), range=colours))


def _at() -> alt.Tooltip:
    return alt.Tooltip("t:T", title="At", format="%d %b %H:%M:%S")


def _figure(field: str, title: str, number_format: str) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:Q", title=title, format=number_format)


def _with_cursor(drawn: alt.Chart, tooltip: list[alt.Tooltip], palette: Palette) -> alt.LayerChart | alt.FacetChart:
    """Add a line at the point nearest to the pointer, with the figures of that point."""
    nearest = alt.selection_point(nearest=True, on="pointermove", fields=["t"], empty=False)
    cursor = (
        alt.Chart()
        .mark_rule(color=palette.ink_3)
        .encode(_time(), opacity=alt.condition(nearest, alt.value(0.7), alt.value(0)), tooltip=tooltip)
        .add_params(nearest)
    )
    return alt.layer(drawn, cursor)


def _finished(
    chart: alt.Chart | alt.LayerChart | alt.FacetChart, palette: Palette, *, height: int | alt.Step = _STRIP_HEIGHT
) -> Spec:
    """Return the specification with the size and the colours that all charts have in common."""
    styled = (
        chart.properties(height=height)
        .configure(background="transparent", font=FONT, padding={"left": 0, "top": 6, "right": 12, "bottom": 2})
        .configure_view(stroke=None)
        .configure_axis(
            gridColor=palette.line,
            domainColor=palette.line,
            tickColor=palette.line,
            labelColor=palette.ink_2,
            titleColor=palette.ink_2,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_legend(
            orient="top",
            labelColor=palette.ink_2,
            labelFontSize=12,
            labelLimit=260,
            symbolType="stroke",
            symbolSize=300,
        )
    )
    spec: Spec = styled.to_dict(validate=False)
    return spec
