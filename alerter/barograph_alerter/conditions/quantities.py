"""Reads what a condition measures: ``error_rate``, ``duration_ms.p95``, ``status[429]``, ``baseline("1h").count``.

Also ``share["duration_ms < 300"]``, the part of the events that pass a test of each.
"""

import ast
from typing import Final

from barograph_alerter.conditions.calls import CALLS, CallError, OfQuantity, Scope
from barograph_alerter.conditions.functions import PLAIN, STATISTICS, Quantity, parse_quantity, plain_names
from barograph_alerter.conditions.numeric import Lookup, Numeric
from barograph_core.objectives.event_test import EventTest, EventTestError
from barograph_core.settings.config_file import suggestion

_SHARE_EXAMPLE: Final = 'share["duration_ms < 300"]'


class QuantityError(ValueError):
    """A node names no quantity.

    Attributes:
        node: Where the mistake is.
    """

    def __init__(self, node: ast.expr, message: str) -> None:
        self.node = node
        super().__init__(message)


def read_quantity(node: ast.Name | ast.Attribute | ast.Subscript | ast.Call, scope: Scope) -> Numeric:
    """Return the number that ``node`` stands for.

    Raises:
        QuantityError: It stands for none.
    """
    call, names, code = _taken_apart(node)
    of_quantity: OfQuantity = Lookup if call is None else _read_call(call, scope)
    if code is not None:
        indexed = _share if names == ["share"] else _status
        return of_quantity(indexed(node, names, code, scope))
    match names:
        case [name]:
            return of_quantity(_plain(node, name, scope))
        case [name, statistic]:
            return of_quantity(_statistic(node, name, statistic, scope))
        case []:
            raise QuantityError(node, "needs a quantity of that window or series: add one, as in '.count'")
        case _:
            raise QuantityError(node, f"{'.'.join(names)[:40]!r} has no place in a condition")


def _taken_apart(node: ast.expr) -> tuple[ast.Call | None, list[str], ast.expr | None]:
    """Return the call at the beginning of ``call(…).name.statistic[code]``, the names, and the code."""
    code: ast.expr | None = None
    rest = node
    if isinstance(rest, ast.Subscript):
        code, rest = rest.slice, rest.value
    names: list[str] = []
    while isinstance(rest, ast.Attribute):
        names.insert(0, rest.attr)
        rest = rest.value
    if isinstance(rest, ast.Name):
        return None, [rest.id, *names], code
    if isinstance(rest, ast.Call):
        return rest, names, code
    raise QuantityError(node, "has no place in a condition")


def _read_call(call: ast.Call, scope: Scope) -> OfQuantity:
    if not isinstance(call.func, ast.Name):
        raise QuantityError(call, f"only a name can be called, as in '{CALLS['baseline'].example}.count'")
    name = call.func.id
    found = CALLS.get(name)
    if found is None:
        raise QuantityError(call, f"unknown name {name!r}{suggestion(name, (*CALLS, *_names(scope)))}")
    try:
        return found.read(call, scope)
    except CallError as error:
        raise QuantityError(call, f"{name}: {error}") from error


def _names(scope: Scope) -> tuple[str, ...]:
    return (*plain_names(scope.kind), *scope.kind.measure_names)


def _status(node: ast.expr, names: list[str], code: ast.expr, scope: Scope) -> Quantity:
    value = code.value if isinstance(code, ast.Constant) else None
    if names != ["status"] or isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 999:
        wanted = f"a code from 0 to 999 as in 'status[429]', and 'share' with a test as in {_SHARE_EXAMPLE!r}"
        raise QuantityError(node, f"only 'status' takes [ ], with {wanted}")
    if not scope.kind.has_status:
        raise QuantityError(node, f"events of kind {scope.kind.name!r} have no status")
    return Quantity("status", code=value)


def _share(node: ast.expr, names: list[str], test: ast.expr, scope: Scope) -> Quantity:
    text = test.value if isinstance(test, ast.Constant) else None
    if not isinstance(text, str):
        raise QuantityError(node, f"{names[0]!r} takes a test in quotes, as in {_SHARE_EXAMPLE!r}")
    try:
        return Quantity("share", test=EventTest.parse(text, scope.kind))
    except EventTestError as error:
        raise QuantityError(node, f"share: {error}") from error


def _plain(node: ast.expr, name: str, scope: Scope) -> Quantity:
    kind = scope.kind
    if name in plain_names(kind):
        return Quantity(name)
    if name in kind.measure_names:
        message = f"{name!r} needs a statistic, as in '{name}.avg' or '{name}.p95'"
    elif name == "status" and kind.has_status:
        message = "'status' needs a code, as in 'status[429]'"
    elif name == "share":
        message = f"'share' needs a test of one event, as in {_SHARE_EXAMPLE!r}"
    elif name in PLAIN:
        message = f"events of kind {kind.name!r} have no status, so no {name!r}"
    elif name in CALLS:
        message = f"{name!r} takes arguments, as in '{CALLS[name].example}.count'"
    else:
        message = f"unknown name {name!r}{suggestion(name, (*CALLS, *_names(scope)))}"
    raise QuantityError(node, message)


def _statistic(node: ast.expr, name: str, statistic: str, scope: Scope) -> Quantity:
    if name not in scope.kind.measure_names:
        raise QuantityError(node, f"unknown measure {name!r}{suggestion(name, scope.kind.measure_names)}")
    quantity = parse_quantity(name, statistic)
    if quantity is None:
        hint = suggestion(statistic, (*STATISTICS, "p50", "p95", "p99", "p99_9"))
        raise QuantityError(node, f"unknown statistic {statistic!r} of {name!r}{hint}")
    return quantity
