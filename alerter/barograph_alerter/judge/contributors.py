"""Finds the routes, versions or instances that account for a breach."""

from collections.abc import Mapping

from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.row import SeriesRow
from barograph_alerter.rules.rule import Rule, fixed_values
from barograph_alerter.windows.window import Window
from barograph_core.alerts.record import MAX_CONTRIBUTORS, Contributor


def contributors(
    rule: Rule, window: Window, labels: Mapping[str, str], threshold: float | None
) -> tuple[Contributor, ...]:
    """Return the greatest contributors, at most ``MAX_CONTRIBUTORS``, the greatest first.

    Series differ by the labels that the alert itself does not carry: those of their kind together, and each free
    label alone, so that a release shows whatever its routes. A free label with one value explains nothing and is
    left out. A contribution is what the leading comparison measures: errors, a status, events, a sum, or for averages
    and percentiles the values beyond the threshold. Empty when all series have the same labels.

    Args:
        rule: The rule that fires.
        window: The window in which it fires.
        labels: The alert's labels.
        threshold: Right side of the leading comparison.
    """
    own = {*rule.by, *fixed_values(rule.where)}
    values = tuple(labels[name] for name in rule.by)
    rest = tuple(name for name in rule.on.labels if name not in own)
    quantity = rule.when.accounted_quantity or Quantity("count")
    is_below = rule.when.is_below
    name = quantity.part_name(threshold, is_below=is_below)

    def shares(by: tuple[str, ...], rows: Mapping[tuple[str, ...], SeriesRow]) -> list[Contributor]:
        amounts = {part: quantity.part_of(row.series, threshold, is_below=is_below) for part, row in rows.items()}
        total = sum(amounts.values())
        return [
            Contributor(dict(zip(by, part, strict=True)), name, amount, amount / total)
            for part, amount in amounts.items()
            if amount > 0
        ]

    def parts(by: tuple[str, ...]) -> Mapping[tuple[str, ...], SeriesRow]:
        return window.parts(rule.on.name, rule.by, by, rule.where).get(values, {})

    found = shares(rest, parts(rest)) if rest else []
    for free in window.free_labels(rule.on.name):
        if free not in own and len(rows := parts((free,))) > 1:
            # Series that lack the label have it empty: no value to name.
            found += [one for one in shares((free,), rows) if one.labels[free]]
    found.sort(key=lambda one: (-one.amount, tuple(one.labels.items())))
    return tuple(found[:MAX_CONTRIBUTORS])
