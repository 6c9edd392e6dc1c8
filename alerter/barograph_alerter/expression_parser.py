"""Reads a condition: Python's own syntax, parsed with ``ast``, node by node against a short list.

Nothing of it is ever evaluated as Python.
"""

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable
from typing import Final

from barograph_alerter.expression import (
    COMPARISONS,
    STATISTICS,
    Arithmetic,
    Comparison,
    Constant,
    Either,
    Every,
    Lookup,
    Negation,
    Numeric,
    Quantity,
    Truth,
    combine,
    parse_quantity,
)
from barograph_core.errors import BarographError
from barograph_core.events import Kind
from barograph_core.settings import suggestion

MAX_TEXT: Final = 1_000
MAX_DEPTH: Final = 30
_MAX_QUOTED: Final = 40


class ConditionError(BarographError):
    """A condition cannot be read. ``parse_rules`` makes a problem of each mistake.

    Attributes:
        mistakes: Each begins with its column.
    """

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(mistakes))


_SYMBOLS: Final[dict[type[ast.cmpop], str]] = {
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def _divide(left: float, right: float) -> float:
    return left / right


_ARITHMETIC: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
}


def parse_truth(text: str, kind: Kind) -> Truth:
    """Return the tree of a condition over events of ``kind``.

    Raises:
        ConditionError: With every mistake and its column, counted from 1.
    """
    if len(text) > MAX_TEXT:
        raise ConditionError([f"column {MAX_TEXT + 1}: longer than {MAX_TEXT} characters"])
    if "#" in text:
        # A comment would silently swallow the rest of the condition.
        raise ConditionError([f"column {text.index('#') + 1}: a condition takes no comment"])
    flat = re.sub(r"\s", " ", text)
    source = flat.strip()
    if not source:
        raise ConditionError(["column 1: the condition is empty"])
    parser = _Parser(kind, source, len(flat) - len(flat.lstrip()))
    truth = parser.parse()
    if parser.mistakes:
        raise ConditionError(parser.mistakes)
    return truth


_ANYTHING: Final = Constant(0.0)
_ANY_TRUTH: Final = Comparison("==", _ANYTHING, _ANYTHING)


class _Parser:
    """Turns Python's tree into ours; whatever is not on the list is a mistake."""

    def __init__(self, kind: Kind, source: str, offset: int) -> None:
        self.kind = kind
        self.source = source
        self.offset = offset
        self.mistakes: list[str] = []

    def parse(self) -> Truth:
        try:
            with warnings.catch_warnings():
                # ``5or count`` warns; the mistake, if any, is told below.
                warnings.simplefilter("ignore")
                tree = ast.parse(self.source, mode="eval")
        except SyntaxError as error:
            column = min(error.offset or 1, len(self.source) + 1)
            raise ConditionError([f"column {self.offset + column}: {error.msg}"]) from error
        except (ValueError, MemoryError, RecursionError) as error:
            raise ConditionError([f"column {self.offset + 1}: cannot be read: {error}"]) from error
        return self._truth(tree.body, 0)

    def _mistake(self, node: ast.expr, message: str) -> None:
        # ``ast`` counts bytes of UTF-8, people count characters.
        column = len(self.source.encode()[: node.col_offset].decode(errors="replace"))
        self.mistakes.append(f"column {self.offset + column + 1}: {message}")

    def _quote(self, node: ast.expr) -> str:
        # As it was written: ``ast.unparse`` gives up on what is nested a few hundred times.
        text = self.source.encode()[node.col_offset : node.end_col_offset].decode(errors="replace")
        return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"

    def _is_too_deep(self, node: ast.expr, depth: int) -> bool:
        if depth > MAX_DEPTH:
            self._mistake(node, f"nested deeper than {MAX_DEPTH}")
        return depth > MAX_DEPTH

    def _truth(self, node: ast.expr, depth: int) -> Truth:
        if self._is_too_deep(node, depth):
            return _ANY_TRUTH
        if isinstance(node, ast.BoolOp):
            parts = tuple(self._truth(value, depth + 1) for value in node.values)
            return Every(parts) if isinstance(node.op, ast.And) else Either(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Negation(self._truth(node.operand, depth + 1))
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth)
        mistakes = len(self.mistakes)
        self._number(node, depth)
        if len(self.mistakes) == mistakes:
            self._mistake(node, "is a number; a condition compares it, as in 'count > 20'")
        return _ANY_TRUTH

    def _comparison(self, node: ast.Compare, depth: int) -> Truth:
        operands = [self._number(operand, depth + 1) for operand in (node.left, *node.comparators)]
        pairs: list[Truth] = []
        for index, op in enumerate(node.ops):
            symbol = _SYMBOLS.get(type(op))
            if symbol is None:
                self._mistake(node.comparators[index], f"compare with one of {' '.join(COMPARISONS)}")
                continue
            left, right = operands[index], operands[index + 1]
            if isinstance(left, Constant) and isinstance(right, Constant) and not self.mistakes:
                self._mistake(node, "compares numbers only, nothing measured")
            if _is_beyond_ratio(left, right) or _is_beyond_ratio(right, left):
                self._mistake(node, "error_rate lies between 0 and 1: 5 % is 0.05")
            pairs.append(Comparison(symbol, left, right))
        return pairs[0] if len(pairs) == 1 else Every(tuple(pairs) or (_ANY_TRUTH,))

    def _number(self, node: ast.expr, depth: int) -> Numeric:
        if self._is_too_deep(node, depth):
            return _ANYTHING
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            operand = self._number(node.operand, depth + 1)
            if isinstance(node.op, ast.UAdd):
                return operand
            if isinstance(operand, Constant):
                return Constant(-operand.value)
            return Arithmetic(operator.sub, Constant(0.0), operand)
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node, depth)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self._quantity(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Compare | ast.BoolOp | ast.UnaryOp):
            self._mistake(node, "is true or false, where a number is needed")
        else:
            self._mistake(node, f"{self._quote(node)!r} has no place in a condition")
        return _ANYTHING

    def _constant(self, node: ast.Constant) -> Numeric:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self._mistake(node, f"{node.value!r} is not a number")
            return _ANYTHING
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            self._mistake(node, "the number is too large")
            return _ANYTHING
        return Constant(value)

    def _arithmetic(self, node: ast.BinOp, depth: int) -> Numeric:
        operation = _ARITHMETIC.get(type(node.op))
        if operation is None:
            self._mistake(node, "only + - * / are known")
            return _ANYTHING
        left, right = self._number(node.left, depth + 1), self._number(node.right, depth + 1)
        if isinstance(left, Constant) and isinstance(right, Constant):
            folded = combine(operation, left.value, right.value)
            if folded is None:
                self._mistake(node, "is not a finite number")
            return Constant(folded or 0.0)
        return Arithmetic(operation, left, right)

    def _quantity(self, node: ast.Name | ast.Attribute | ast.Subscript) -> Numeric:
        if isinstance(node, ast.Name):
            return self._plain_name(node)
        if isinstance(node, ast.Attribute):
            return self._statistic(node)
        is_status = isinstance(node.value, ast.Name) and node.value.id == "status"
        code = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if not is_status or isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= 999:
            self._mistake(node, "only 'status' takes [ ], with a code from 0 to 999 as in 'status[429]'")
        elif not self.kind.has_status:
            self._mistake(node, f"events of kind {self.kind.name!r} have no status")
        else:
            return Lookup(Quantity("status", code=code))
        return _ANYTHING

    def _plain_name(self, node: ast.Name) -> Numeric:
        if node.id in plain_names(self.kind):
            return Lookup(Quantity(node.id))
        if node.id in self.kind.measure_names:
            self._mistake(node, f"{node.id!r} needs a statistic, as in '{node.id}.avg' or '{node.id}.p95'")
        elif node.id == "status" and self.kind.has_status:
            self._mistake(node, "'status' needs a code, as in 'status[429]'")
        elif node.id in ("errors", "error_rate", "status"):
            self._mistake(node, f"events of kind {self.kind.name!r} have no status, so no {node.id!r}")
        else:
            self._mistake(node, f"unknown name {node.id!r}{self._suggestion(node.id)}")
        return _ANYTHING

    def _statistic(self, node: ast.Attribute) -> Numeric:
        if isinstance(node.value, ast.Call):
            return self._call(node.value)
        if not isinstance(node.value, ast.Name):
            self._mistake(node, f"{self._quote(node)!r} has no place in a condition")
            return _ANYTHING
        name = node.value.id
        if name not in self.kind.measure_names:
            self._mistake(node, f"unknown measure {name!r}{suggestion(name, self.kind.measure_names)}")
            return _ANYTHING
        quantity = parse_quantity(name, node.attr)
        if quantity is None:
            hint = suggestion(node.attr, (*STATISTICS, "p50", "p95", "p99", "p99_9"))
            self._mistake(node, f"unknown statistic {node.attr!r} of {name!r}{hint}")
            return _ANYTHING
        return Lookup(quantity)

    def _call(self, node: ast.Call) -> Numeric:
        name = self._quote(node.func)
        self._mistake(node, f"unknown name {name!r}{self._suggestion(name)}")
        return _ANYTHING

    def _suggestion(self, name: str) -> str:
        return suggestion(name, (*plain_names(self.kind), *self.kind.measure_names))


def _is_beyond_ratio(side: Numeric, other: Numeric) -> bool:
    """Say whether ``error_rate`` is compared with what it can never be: such a rule never fires, or always."""
    is_ratio = isinstance(side, Lookup) and side.quantity.name == "error_rate"
    return is_ratio and isinstance(other, Constant) and not 0 <= other.value <= 1


def plain_names(kind: Kind) -> tuple[str, ...]:
    """Return the names a condition over ``kind`` may use that are not measures."""
    return ("count", "rate", "errors", "error_rate") if kind.has_status else ("count", "rate")
