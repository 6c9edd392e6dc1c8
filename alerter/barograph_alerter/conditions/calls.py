"""The functions that take a quantity from elsewhere, in one table: ``baseline("1h").error_rate``.

A further function is a further entry: how its arguments are read, and what it makes of a quantity.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from barograph_alerter.conditions.elsewhere import Extreme, OfSibling, Past
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.numeric import Arithmetic, Lookup, Numeric
from barograph_alerter.conditions.row import Look
from barograph_core.events.kinds import Kind
from barograph_core.settings.config_file import suggestion
from barograph_core.text.durations import format_duration, parse_duration_ms

_DAY_MS: Final = 86_400_000
_LONGEST_MS: Final = 30 * _DAY_MS
# Limit of the windows that one function looks at, because each is merged at every moment.
_MOST_WINDOWS: Final = 60
OfQuantity = Callable[[Quantity], Numeric]


@dataclass(frozen=True, slots=True)
class Scope:
    """What the conditions of one rule may refer to.

    Attributes:
        kind: Of the events.
        window_ms: Length of the rule's window.
        labels: Names of the labels of ``by`` and ``where``.
    """

    kind: Kind
    window_ms: int
    labels: tuple[str, ...] = ()


class CallError(ValueError):
    """The arguments of a function cannot be read; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the language.

    Attributes:
        example: How it is written.
        read: Reads the arguments, and returns what makes a number of a quantity.
    """

    example: str
    read: Callable[[ast.Call, Scope], OfQuantity]


def _baseline(call: ast.Call, scope: Scope) -> OfQuantity:
    """Return the window just before the rule's own, or for whole days the same span so many days before."""
    span_ms = _duration_ms(call, "baseline")
    if span_ms % _DAY_MS == 0:
        look = Look(scope.window_ms, span_ms)
    elif span_ms < _DAY_MS:
        look = Look(span_ms, scope.window_ms)
    else:
        raise CallError('looks at up to a day before the window, or whole days back: "12h", "1d", "7d"')
    return lambda quantity: Past(quantity, look)


def _over(call: ast.Call, scope: Scope) -> OfQuantity:
    span_ms = _duration_ms(call, "over")
    if span_ms == scope.window_ms:
        return Lookup
    look = Look(span_ms)
    return lambda quantity: Past(quantity, look)


def _change(call: ast.Call, scope: Scope) -> OfQuantity:
    look = Look(scope.window_ms, _duration_ms(call, "change"))
    return lambda quantity: Arithmetic(operator.sub, Lookup(quantity), Past(quantity, look))


def _extreme(name: str, choose: Callable[[list[float]], float]) -> Callable[[ast.Call, Scope], OfQuantity]:
    def read(call: ast.Call, scope: Scope) -> OfQuantity:
        span_ms = _duration_ms(call, name)
        windows = span_ms // scope.window_ms
        if span_ms % scope.window_ms or not 2 <= windows <= _MOST_WINDOWS:
            span, window = format_duration(span_ms), format_duration(scope.window_ms)
            raise CallError(f"{span} must hold 2 to {_MOST_WINDOWS} whole windows of the rule, of {window} each")
        earlier = tuple(Look(scope.window_ms, index * scope.window_ms) for index in range(1, windows))
        return lambda quantity: Extreme(choose, quantity, earlier)

    return read


def _other(call: ast.Call, scope: Scope) -> OfQuantity:
    found = dict([*map(_keyword, call.keywords), *map(_label_pair, call.args)])
    if not found or len(found) < len(call.keywords) + len(call.args):
        raise CallError(f"names each label in which the other series differs once: {CALLS['other'].example}")
    for name in found:
        if name not in scope.labels:
            hint = suggestion(name, scope.labels) if scope.labels else ""
            raise CallError(f"{name!r} is no label of 'by' or 'where', by which the rule's series differ{hint}")
    labels = tuple(sorted(found.items()))
    return lambda quantity: OfSibling(quantity, labels)


def _keyword(keyword: ast.keyword) -> tuple[str, str]:
    # Python changes the form of such a name (NFKC), and it would be another label than the producer's.
    if keyword.arg is None or not keyword.arg.isascii():
        raise CallError('takes a name of other letters as in other(label["région"] == "eu")')
    return keyword.arg, _literal(keyword.value)


def _label_pair(node: ast.expr) -> tuple[str, str]:
    """Read ``label["région"] == "eu"``."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
        left = node.left
        if isinstance(left, ast.Subscript) and isinstance(left.value, ast.Name) and left.value.id == "label":
            return _literal(left.slice), _literal(node.comparators[0])
    raise CallError('takes labels, as in other(version="6") or other(label["région"] == "eu")')


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        return node.value
    raise CallError('takes label values in quotes, as in other(version="6")')


def _duration_ms(call: ast.Call, name: str) -> int:
    example = CALLS[name].example
    if len(call.args) != 1 or call.keywords or not isinstance(call.args[0], ast.Constant):
        raise CallError(f"takes one duration in quotes, as in {example}")
    given = call.args[0].value
    try:
        duration_ms = parse_duration_ms(given) if isinstance(given, str) else 0
    except ValueError as error:
        raise CallError(f"{error}; write it as in {example}") from error
    if duration_ms % 1_000 or not 1_000 <= duration_ms <= _LONGEST_MS:
        raise CallError(f"takes whole seconds from 1s to 30d in quotes, as in {example}")
    return duration_ms


CALLS: Final[Mapping[str, Call]] = {
    "baseline": Call('baseline("1h")', _baseline),
    "change": Call('change("5m")', _change),
    "max_over": Call('max_over("5m")', _extreme("max_over", max)),
    "min_over": Call('min_over("5m")', _extreme("min_over", min)),
    "other": Call('other(version="6")', _other),
    "over": Call('over("1h")', _over),
}
