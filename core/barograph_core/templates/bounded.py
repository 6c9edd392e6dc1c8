"""Renders a template within a bound: every rule of every service waits for a summary, and every channel for its text.

The bound is a number of steps and not a time, so that a template either always renders or never does.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any, Final, cast

from jinja2 import Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace

# Lines of the compiled template. One that shows ten values takes some thirty, a loop over all labels some hundred.
MOST_STEPS: Final = 2_000
# Limit of the length of every text and list that a template makes; a summary has 500 characters.
MOST_LENGTH: Final = 10_000
# Limits of a number and of a text that a function or a filter takes: of `range`, of a width, of what replaces a letter.
MOST_NUMBER: Final = 1_000
MOST_ARGUMENT: Final = 200
# A whole number beyond this is computed as a float: digits of squares of squares grow without end.
_MOST_WHOLE: Final = 2**63
# Methods of texts whose result depends on more than the lengths of the text and one argument.
_UNBOUNDED_METHODS: Final = frozenset({"join", "expandtabs", "format_map", "translate"})
# Filters that show or nest whatever they are given.
_UNBOUNDED_FILTERS: Final = ("format", "indent", "pprint", "tojson", "urlize", "wordwrap", "xmlattr")
_FUNCTIONS: Final = ("range", "namespace")
_SOURCE: Final = "<template>"


class TooManyStepsError(Exception):
    """A template takes more than ``MOST_STEPS``. Caught by what renders."""


class _BoundedCode(CodeGenerator):
    """Makes ``~`` and the brackets of lists and tables calls of the environment, which bounds their result."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        self._bounded("joined", lambda: self.visit_Tuple(nodes.Tuple(node.nodes, "load"), frame))

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        self._bounded("flat", lambda: super(_BoundedCode, self).visit_List(node, frame))

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        self._bounded("flat", lambda: super(_BoundedCode, self).visit_Dict(node, frame))

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        if node.ctx != "load":  # names that get a value
            super().visit_Tuple(node, frame)
            return
        self._bounded("flat", lambda: super(_BoundedCode, self).visit_Tuple(node, frame))

    def _bounded(self, function: str, write_argument: Callable[[], None]) -> None:
        self.write(f"environment.{function}(")
        write_argument()
        self.write(")")


class BoundedEnvironment(SandboxedEnvironment):
    """A sandbox in which no text and no list is longer than ``MOST_LENGTH``, and no list holds another."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    code_generator_class = _BoundedCode

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.filters = {name: _bounded(one) for name, one in self.filters.items() if name not in _UNBOUNDED_FILTERS}
        self.globals = {name: self.globals[name] for name in _FUNCTIONS}

    def add_filter(self, name: str, function: Callable[..., Any]) -> None:
        """Add a filter, with its arguments and its result bounded."""
        self.filters[name] = _bounded(function)

    @staticmethod
    def concat(texts: Iterable[str]) -> str:
        """Join the parts of the result, or of a block, up to the bound. Jinja calls it by this name."""
        parts: list[str] = []
        left = MOST_LENGTH
        for text in texts:
            left -= len(text)
            if left < 0:
                raise SecurityError(f"it makes more than {MOST_LENGTH:,} characters")
            parts.append(text)
        return "".join(parts)

    def joined(self, values: tuple[object, ...]) -> str:
        """Compute ``~``."""
        return self.concat(str(value) for value in values)

    def flat(self, value: Any) -> Any:
        """Check a list, tuple or table of the template."""
        _check_length(value)
        return value

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute ``left operator right`` of numbers; ``*`` of texts and lists would repeat, ``%`` format them."""
        if operator == "*" and _length(left) * _repeats(right) + _length(right) * _repeats(left) > MOST_LENGTH:
            raise SecurityError(f"* makes more than {MOST_LENGTH:,}")
        if operator == "%" and isinstance(left, str):
            raise SecurityError("% takes numbers")
        if operator in ("*", "**") and isinstance(left, int) and not isinstance(right, str | list | tuple):
            # A power of floats overflows; one of whole numbers grows without end.
            left = float(left) if operator == "**" or abs(left) > _MOST_WHOLE else left
        result = super().call_binop(context, operator, left, right)
        _check_length(result)
        return result

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Refuse methods whose result is not bounded by the lengths of the text and one argument."""
        return super().is_safe_attribute(obj, attr, value) and not (isinstance(obj, str) and attr in _UNBOUNDED_METHODS)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Refuse ``format`` of a text, whose widths stand in the text; leave anything else as it is."""
        if super().wrap_str_format(value) is not None:
            raise SecurityError("use filters, not format")
        return None

    def call(self, context: Context, obj: Any, *args: Any, **options: Any) -> Any:
        """Call a function, a macro or a method with arguments and a result within the bounds."""
        _check(args, options)
        result = super().call(context, obj, *args, **options)
        _check_length(result)
        return result


def render_bounded(template: Template, facts: Mapping[str, object]) -> str:
    """Return the text.

    Raises:
        TooManyStepsError: It takes more than ``MOST_STEPS``.
        Exception: Whatever else the template raises.
    """
    steps = 0

    def count(_frame: FrameType, event: str, _arg: object) -> Callable[..., Any]:
        nonlocal steps
        steps += event == "line"
        if steps > MOST_STEPS:
            raise TooManyStepsError(f"it takes more than {MOST_STEPS:,} steps")
        return count

    def enter(frame: FrameType, _event: str, _arg: object) -> Callable[..., Any] | None:
        return count if frame.f_code.co_filename == _SOURCE else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        return template.render(facts)
    finally:
        sys.settrace(before)


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    # Jinja marks filters that want the environment or the context by an attribute.
    marked = hasattr(function, "jinja_pass_arg")

    def bounded(*args: Any, **options: Any) -> Any:
        # What is shown comes first, or after the environment.
        _check(args[2 if marked else 1 :], options)
        result = function(*args, **options)
        _check_length(result)
        return result

    bounded.__dict__.update(getattr(function, "__dict__", {}))
    return bounded


def _length(value: object) -> int:
    """Return the length of a text, or of a list's or table's items together; 0 for anything else.

    Raises:
        SecurityError: A list holds a list: shown, a few of them are of any length.
    """
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return _length([*cast("dict[object, object]", value), *cast("dict[object, object]", value).values()])
    if not isinstance(value, list | tuple):
        return 0
    items = cast("list[object]", value)
    if any(isinstance(item, list | tuple | dict | Namespace) for item in items):
        raise SecurityError("a list in a template holds texts and numbers")
    return len(items) + sum(len(item) for item in items if isinstance(item, str))


def _repeats(value: object) -> int:
    return value if isinstance(value, int) else 0


def _check_length(value: object) -> None:
    if _length(value) > MOST_LENGTH:
        raise SecurityError(f"it makes more than {MOST_LENGTH:,} characters")


def _check(args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
    for one in (*args, *options.values()):
        if isinstance(one, int | float) and abs(one) > MOST_NUMBER:
            raise SecurityError(f"{one} is more than {MOST_NUMBER:,}")
        if isinstance(one, str) and len(one) > MOST_ARGUMENT:
            raise SecurityError(f"a function takes up to {MOST_ARGUMENT} characters")
