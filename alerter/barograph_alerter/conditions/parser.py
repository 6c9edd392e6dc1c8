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

from barograph_alerter.conditions.calls import Scope
from barograph_alerter.conditions.numeric import Arithmetic, Constant, Numeric, combine, divide
from barograph_alerter.conditions.quantities import QuantityError, read_quantity
from barograph_alerter.conditions.truth import COMPARISONS, Comparison, Either, Every, Negation, Truth
from barograph_core.errors import BarographError

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


_ARITHMETIC: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: divide,
}


def parse_truth(text: str, scope: Scope) -> Truth:
    """Return the tree of a condition of a rule with ``scope``.

    Raises:
        ConditionError: With every mistake and its column, counted from 1.
    """
    if len(text) > MAX_TEXT:
        raise ConditionError([f"column {MAX_TEXT + 1}: longer than {MAX_TEXT} characters"])
    if "#" in text:
        # A comment would silently remove the remainder of the condition.
        raise ConditionError([f"column {text.index('#') + 1}: a condition takes no comment"])
    flat = re.sub(r"\s", " ", text)
    source = flat.strip()
    if not source:
        raise ConditionError(["column 1: the condition is empty"])
    parser = _Parser(scope, source, len(flat) - len(flat.lstrip()))
    truth = parser.parse()
    if parser.mistakes:
        raise ConditionError(parser.mistakes)
    return truth


_ANYTHING: Final = Constant(0.0)
_ANY_TRUTH: Final = Comparison("==", _ANYTHING, _ANYTHING)


class _Parser:
    """Turns Python's tree into ours; a node that is not on the list is a mistake."""

    def __init__(self, scope: Scope, source: str, offset: int) -> None:
        self.scope = scope
        self.source = source
        self.offset = offset
        self.mistakes: list[str] = []

    def parse(self) -> Truth:
        try:
            with warnings.catch_warnings():
                # ``5or count`` warns; a mistake is reported below.
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
        # From the source, because ``ast.unparse`` fails on text that is nested a few hundred times.
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
            beyond = _beyond_ratio(left, right) or _beyond_ratio(right, left)
            if beyond:
                self._mistake(node, f"{beyond} lies between 0 and 1: 5 % is 0.05")
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
                return Constant(-operand.number)
            return Arithmetic(operator.sub, Constant(0.0), operand)
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node, depth)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
            return self._quantity(node)
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
            folded = combine(operation, left.number, right.number)
            if folded is None:
                self._mistake(node, "is not a finite number")
            return Constant(folded or 0.0)
        return Arithmetic(operation, left, right)

    def _quantity(self, node: ast.Name | ast.Attribute | ast.Subscript | ast.Call) -> Numeric:
        try:
            return read_quantity(node, self.scope)
        except QuantityError as error:
            self._mistake(error.node, str(error))
            return _ANYTHING


def _beyond_ratio(side: Numeric, other: Numeric) -> str:
    """Return the ratio that is compared with a number outside its range: such a rule never fires, or always."""
    quantity = side.sole_quantity
    is_ratio = quantity is not None and quantity.is_ratio
    is_beyond = is_ratio and isinstance(other, Constant) and not 0 <= other.number <= 1
    return quantity.name if is_beyond and quantity is not None else ""
