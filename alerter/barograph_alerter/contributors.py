"""Which routes, versions or instances account for a breach."""

from collections.abc import Mapping

from barograph_alerter.expression import Quantity
from barograph_alerter.rules import Rule
from barograph_alerter.windows import SeriesRow, Window
from barograph_core.alerts import MAX_CONTRIBUTORS, Contributor
from barograph_core.sketch import bin_values


def contributors(
    rule: Rule, window: Window, labels: Mapping[str, str], threshold: float | None
) -> tuple[Contributor, ...]:
    """Return the greatest contributors, at most ``MAX_CONTRIBUTORS``, the greatest first.

    Series are told apart by the labels that the alert itself does not carry. What counts is what the
    leading comparison measures: errors, a status, events, a sum, or for averages and percentiles the
    values beyond the threshold. Empty when nothing is left to tell apart.

    Args:
        rule: The rule that fires.
        window: What it saw.
        labels: The alert's labels.
        threshold: Right side of the leading comparison.
    """
    where = {**rule.where, **labels}
    rest = tuple(name for name in rule.on.labels if name not in where)
    if not rest:
        return ()
    quantity = rule.when.leading_quantity or Quantity("count")
    is_lower = rule.when.is_below
    amounts = [
        (values, _amount(row, quantity, threshold, is_lower=is_lower))
        for values, row in window.rows(rule.on.name, rest, where).items()
    ]
    total = sum(amount for _, amount in amounts)
    if total <= 0:
        return ()
    amounts.sort(key=lambda item: (-item[1], item[0]))
    name = _name(quantity, threshold, is_lower=is_lower)
    return tuple(
        Contributor(dict(zip(rest, values, strict=True)), name, amount, amount / total)
        for values, amount in amounts[:MAX_CONTRIBUTORS]
        if amount > 0
    )


def _amount(row: SeriesRow, quantity: Quantity, threshold: float | None, *, is_lower: bool) -> float:
    series = row.series
    if quantity.code is not None:
        return float(series.status.get(quantity.code, 0))
    if quantity.name in ("errors", "error_rate"):
        return float(series.errors)
    if not quantity.statistic:
        return float(series.count)
    summary = series.measures.get(quantity.name)
    if summary is None or not summary.count:
        return 0.0
    if quantity.statistic == "count":
        return float(summary.count)
    if quantity.statistic == "sum" or threshold is None:
        return max(0.0, summary.sum)
    middles = bin_values(summary.bins)
    is_beyond = middles < threshold if is_lower else middles > threshold
    return float(summary.bin_counts[is_beyond].sum())


def _name(quantity: Quantity, threshold: float | None, *, is_lower: bool) -> str:
    if quantity.name == "error_rate":
        return "errors"
    if quantity.name == "rate":
        return "count"
    if quantity.statistic in ("", "count", "sum") or threshold is None:
        return str(quantity)
    return f"{quantity.name} {'<' if is_lower else '>'} {threshold:g}"
