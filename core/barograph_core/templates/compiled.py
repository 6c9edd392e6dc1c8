"""Compiles a template and checks the names in it, so that a mistake is found when the configuration is loaded."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta, nodes

from barograph_core.settings.config_file import suggestion
from barograph_core.templates.bounded import BoundedEnvironment, render_bounded
from barograph_core.templates.numbers import ms, percent, rounded
from barograph_core.text.one_line import one_line


class TemplateError(ValueError):
    """A template cannot be compiled or rendered, or names something that there is not."""


def compile_template(
    source: str, known: Iterable[str], *, labels: Sequence[str] | None, finalize: Callable[[object], object]
) -> Template:
    """Compile ``source``, for ``render_bounded``.

    Args:
        source: A Jinja template.
        known: The names that it may use.
        labels: The labels that it may name by ``label["…"]``; ``None`` for any.
        finalize: Returns what is shown for a value, escaped for where it goes.

    Raises:
        TemplateError: Wrong syntax, or an unknown name.
    """
    # Plain text, which `finalize` escapes: Jinja's own escaping knows only HTML.
    environment = BoundedEnvironment(autoescape=False, undefined=StrictUndefined, finalize=finalize)
    for one in (percent, ms, rounded):
        environment.add_filter(one.__name__, one)
    try:
        tree = environment.parse(source)
        used = meta.find_undeclared_variables(tree)
        template = environment.from_string(source)
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from error
    # SyntaxError: of the Python that Jinja makes of it, which has bounds of its own.
    except (RecursionError, SyntaxError) as error:
        raise TemplateError("is nested too deeply") from error
    names = (*known, *environment.globals)
    for name in sorted(used):
        if name not in names:
            raise TemplateError(f"unknown name {name!r}{suggestion(name, names)}")
    for name in _named_labels(tree):
        if labels is not None and name not in labels:
            raise TemplateError(f"unknown label {name!r}{suggestion(name, labels) if labels else ''}")
    return template


def try_template(template: Template, samples: Iterable[Mapping[str, object]]) -> None:
    """Render a template on samples, so that one that never can is found now and not in the night when it is needed.

    Args:
        template: From ``compile_template``.
        samples: Names and values; one of them must do.

    Raises:
        TemplateError: It fails on every sample.
    """
    failure = ""
    for facts in samples:
        try:
            render_bounded(template, facts)
        except Exception as error:  # noqa: BLE001 - a template can raise anything
            failure = failure or f"{type(error).__name__}: {error}"
        else:
            return
    raise TemplateError(f"cannot be rendered: {one_line(failure, 200)}")


def _named_labels(tree: nodes.Template) -> Iterator[str]:
    """Yield the names in ``label["…"]``, by which labels are named that are no plain words."""
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.node, nodes.Name) and item.node.name == "label" and isinstance(item.arg, nodes.Const):
            yield str(item.arg.value)
