"""The summary line of an alert: a Jinja template in a sandbox, compiled once when rules are loaded.

A template that fails never costs the alert: a plain line takes its place.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment

from barograph_alerter.expression import Quantity, Row, parse_quantity
from barograph_core.durations import format_duration
from barograph_core.events import Kind
from barograph_core.settings import suggestion

log = logging.getLogger(__name__)

MAX_SUMMARY: Final = 500
FACTS: Final = ("rule", "service", "severity", "labels", "value", "threshold", "window", "condition")
NO_DATA: Final = "no data"


class TemplateError(ValueError):
    """A template cannot be compiled, or names something that no alert of the rule has."""


def percent(ratio: float | None, digits: int = 1) -> str:
    """Return a ratio from 0 to 1 as a percentage: ``0.1234`` gives ``12.3 %``."""
    return NO_DATA if ratio is None else f"{ratio * 100:.{digits}f} %"


def ms(duration_ms: float | None) -> str:
    """Return milliseconds for people: ``0.8 ms``, ``512 ms``, ``1.50 s``."""
    if duration_ms is None:
        return NO_DATA
    if abs(duration_ms) >= 1_000:
        return f"{duration_ms / 1_000:.2f} s"
    return f"{duration_ms:.0f} ms" if abs(duration_ms) >= 10 else f"{duration_ms:.1f} ms"


def rounded(value: float | None, digits: int = 0) -> str:
    """Return a number with so many digits behind the point. Jinja's ``round`` fails where there is no value."""
    return NO_DATA if value is None else f"{value:.{digits}f}"


def _shown(value: object) -> object:
    """Return what ``{{ value }}`` prints: six digits are enough for a person."""
    if value is None:
        return NO_DATA
    return f"{value:.6g}" if isinstance(value, float) else value


def _environment() -> SandboxedEnvironment:
    # Plain text for chat, mail and terminals; a channel that makes HTML escapes for itself.
    environment = SandboxedEnvironment(autoescape=False, undefined=StrictUndefined, finalize=_shown)
    environment.filters["percent"] = percent
    environment.filters["ms"] = ms
    environment.filters["rounded"] = rounded
    return environment


@dataclass(frozen=True, slots=True)
class _MeasureFacts:
    """What a template sees of a measure: ``{{ duration_ms.p95 | ms }}``."""

    name: str
    row: Row = field(repr=False)

    def __getattr__(self, statistic: str) -> float | None:
        quantity = parse_quantity(self.name, statistic)
        if quantity is None:
            raise AttributeError(statistic)
        return self.row.number(quantity)


@dataclass(frozen=True, slots=True)
class SummaryTemplate:
    """A compiled summary.

    Attributes:
        source: As the rule has it; empty for the plain line.
    """

    source: str
    _template: Template | None = field(repr=False, compare=False)

    def render(self, facts: Mapping[str, object]) -> tuple[str, bool]:
        """Return the summary of one alert, and whether the template did what it should.

        Args:
            facts: What ``facts_of`` returned.
        """
        if self._template is None:
            return _plain(facts), True
        try:
            text = " ".join(self._template.render(facts).split())
        except Exception as error:  # noqa: BLE001 - a template can raise anything, and must not cost the alert
            log.warning("summary.failed", extra={"rule": facts["rule"], "error": f"{type(error).__name__}: {error}"})
            return _plain(facts), False
        return text[:MAX_SUMMARY], True


def compile_summary(source: str, kind: Kind, labels: Iterable[str]) -> SummaryTemplate:
    """Compile the ``summary`` of a rule.

    Args:
        source: Jinja template; empty for a plain line.
        kind: What the rule looks at: gives ``count``, ``error_rate``, measures.
        labels: Names of the labels that the rule's alerts carry.

    Raises:
        TemplateError: Wrong syntax, or an unknown name.
    """
    if not source.strip():
        return SummaryTemplate("", None)
    environment = _environment()
    try:
        used = meta.find_undeclared_variables(environment.parse(source))
        template = environment.from_string(source)
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from error
    known = (*FACTS, "count", "rate", "errors", "error_rate", *kind.measure_names, *labels, *environment.globals)
    for name in sorted(used):
        if name not in known:
            raise TemplateError(f"unknown name {name!r}{suggestion(name, known)}")
    return SummaryTemplate(source, template)


def facts_of(
    kind: Kind,
    row: Row,
    labels: Mapping[str, str],
    *,
    rule: str,
    service: str,
    severity: str,
    value: float | None,
    threshold: float | None,
    window_ms: int,
    condition: str,
) -> dict[str, object]:
    """Return all that a template can name. A label called like a quantity is found in ``labels`` only."""
    facts: dict[str, object] = dict(labels)
    for name in ("count", "rate", "errors", "error_rate"):
        facts[name] = row.number(Quantity(name))
    facts |= {name: _MeasureFacts(name, row) for name in kind.measure_names}
    facts |= {
        "rule": rule,
        "service": service,
        "severity": severity,
        "labels": dict(labels),
        "value": value,
        "threshold": threshold,
        "window": format_duration(window_ms),
        "condition": condition,
    }
    return facts


def _plain(facts: Mapping[str, object]) -> str:
    labels = cast("dict[str, str]", facts["labels"])
    where = ", ".join(f"{name}={value}" for name, value in labels.items())
    text = f"{facts['service']}{f' ({where})' if where else ''}: {facts['condition']}, now {_shown(facts['value'])}"
    return " ".join(text.split())[:MAX_SUMMARY]
