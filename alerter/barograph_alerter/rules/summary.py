"""The summary line of an alert: a Jinja template in a sandbox, compiled once when rules are loaded.

If a template fails or takes too many steps, the alert gets a plain line instead.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, cast

from jinja2 import Template

from barograph_alerter.conditions.functions import PLAIN_NAMES, Quantity
from barograph_alerter.rules.facts import FACTS, MeasureFacts, facts_of
from barograph_core.alerts.record import Severity
from barograph_core.events.kinds import Kind
from barograph_core.templates.bounded import render_bounded
from barograph_core.templates.compiled import compile_template, try_template
from barograph_core.templates.numbers import shown

log = logging.getLogger(__name__)

MAX_SUMMARY: Final = 500
# A template may take a label apart: one of these has the parts.
_SAMPLE_LABELS: Final = ("/sample/of/a/long/path/{id}", "one-1.two_2.three:3,four=4", "42")


def _shown(value: object) -> object:
    """Return the text of ``{{ value }}``.

    Raises:
        TypeError: It is a measure without a statistic, or nothing that has a text of bounded length.
    """
    if isinstance(value, MeasureFacts):
        raise TypeError(f"{value.name} is a measure: name a statistic, such as {value.name}.p95")
    return shown(value)


@dataclass(frozen=True, slots=True)
class SummaryTemplate:
    """A compiled summary.

    Attributes:
        source: As the rule has it; empty for the plain line.
    """

    source: str
    _template: Template | None = field(repr=False, compare=False)

    def render(self, facts: Mapping[str, object]) -> tuple[str, bool]:
        """Return the summary of one alert, and whether the template could be rendered.

        Args:
            facts: Names and values, from ``facts_of``.
        """
        if self._template is None:
            return _plain(facts), True
        try:
            text = " ".join(render_bounded(self._template, facts).split())
        except Exception as error:  # noqa: BLE001 - a template can raise anything, and must not cost the alert
            log.warning("summary.failed", extra={"rule": facts["rule"], "error": f"{type(error).__name__}: {error}"})
            return _plain(facts), False
        return text[:MAX_SUMMARY], True


def compile_summary(
    source: str, kind: Kind, labels: Iterable[str], sample: Mapping[str, object] = MappingProxyType({})
) -> SummaryTemplate:
    """Compile the ``summary`` of a rule.

    Args:
        source: Jinja template; empty for a plain line.
        kind: The rule's kind of events, which decides on the names of measures.
        labels: Names of the labels that the rule's alerts carry.
        sample: Further names that it may use, with a value of each.

    Raises:
        TemplateError: Wrong syntax, an unknown name, or a template that cannot be rendered.
    """
    if not source.strip():
        return SummaryTemplate("", None)
    own = tuple(labels)
    known = (*FACTS, *PLAIN_NAMES, *kind.measure_names, *sample, *own)
    template = compile_template(source, known, labels=own, finalize=_shown)
    try_template(template, ({**facts, **sample} for facts in _samples(kind, own)))
    return SummaryTemplate(source, template)


def _samples(kind: Kind, labels: Sequence[str]) -> Iterator[dict[str, object]]:
    for text in _SAMPLE_LABELS:
        yield facts_of(
            kind,
            _SampleRow(),
            dict.fromkeys(labels, text),
            rule="rule",
            service="service",
            severity=Severity.WARNING.value,
            value=1.0,
            threshold=1.0,
            window_ms=60_000,
            condition="count > 1",
        )


class _SampleRow:
    """The numbers of a row that has data for everything."""

    def number(self, quantity: Quantity) -> float | None:
        del quantity
        return 1.0


def _plain(facts: Mapping[str, object]) -> str:
    labels = cast("dict[str, str]", facts["labels"])
    where = ", ".join(f"{name}={value}" for name, value in labels.items())
    text = f"{facts['service']}{f' ({where})' if where else ''}: {facts['condition']}, now {_shown(facts['value'])}"
    return " ".join(text.split())[:MAX_SUMMARY]
