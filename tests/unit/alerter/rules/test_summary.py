"""The summary line of an alert."""

import re
import sys
import time

import pytest

from barograph_alerter.rules.facts import facts_of
from barograph_alerter.rules.summary import compile_summary
from barograph_core.events.kinds import KINDS, Kind
from barograph_core.templates.compiled import TemplateError
from tests.unit.alerter.build import FixedRow

KIND = KINDS["request"]


def render(source: str, **numbers: float | None) -> tuple[str, bool]:
    row = FixedRow(**(numbers or {"count": 40.0, "error_rate": 0.125, "duration_ms.p95": 512.3456789}))
    facts = facts_of(
        KIND,
        row,
        {"route": "/predict"},
        rule="r",
        service="ranker",
        severity="error",
        value=0.125,
        threshold=0.05,
        window_ms=10_000,
        condition="error_rate > 0.05",
    )
    return compile_summary(source, KIND, ("route",)).render(facts)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ route }}: {{ error_rate | percent }} errors", "/predict: 12.5 % errors"),
        ("{{ error_rate | percent(0) }} of {{ count }}", "12 % of 40"),
        ("p95 {{ duration_ms.p95 | ms }} ({{ duration_ms.p95 }})", "p95 512 ms (512.346)"),
        ("{{ duration_ms.p99 | ms }} {{ duration_ms.avg }} {{ rate | percent }}", "no data no data no data"),
        (
            "{{ duration_ms.p95 | rounded }} {{ duration_ms.p95 | rounded(1) }} {{ rate | rounded }}",
            "512 512.3 no data",
        ),
        ("{{ rule }} {{ service }} {{ severity }} {{ window }}", "r ranker error 10s"),
        ("{{ value }} > {{ threshold }} {{ labels.route }}", "0.125 > 0.05 /predict"),
        ('{{ label["route"] }}', "/predict"),
        ("a\n  b\r\nc", "a b c"),
        ("{% if count > 20 %}busy{% endif %}", "busy"),
        ("<b>{{ route }}</b>", "<b>/predict</b>"),
        ("", "ranker (route=/predict): error_rate > 0.05, now 0.125"),
    ],
)
def test_a_summary_says_what_its_template_says(source: str, expected: str) -> None:
    """On one line, numbers fit for people."""
    assert render(source) == (expected, True)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ duration_ms.p95x }}", "duration_ms has no statistic 'p95x'; avg, sum, p95 are some"),
        ("{{ duration_ms }}", "duration_ms is a measure: name a statistic, such as duration_ms.p95"),
        ("{{ labels.nothing }}", "has no attribute 'nothing'"),
        ("{{ count / 0 }}", "ZeroDivisionError"),
        ("{{ service.__class__.__mro__ }}", "access to attribute '__class__'"),
        ("{{ duration_ms.row }}", "duration_ms has no statistic 'row'"),
        ("{{ duration_ms._row }}", "'_row'"),
        ("{{ range }}", "a function has no text"),
        ("{{ namespace(a=1) }}", "a Namespace has no text"),
        ("{{ range(10000000) | list }}", "is more than 1,000"),
        ("{{ '-' * 10 ** 9 }}", "can't multiply sequence"),
        ("{{ '-' * 1000000000 }}", "* makes more than 10,000"),
        ("{{ (('-' * 10000) * 10000) }}", "* makes more than 10,000"),
        ("{{ ('-' * 9000) + ('-' * 9000) }}", "more than 10,000 characters"),
        ("{{ ('-' * 9000) ~ ('-' * 9000) }}", "more than 10,000 characters"),
        ("{{ ('-' * 9000) | replace('-', '--') }}", "more than 10,000 characters"),
        ("{{ '-' | replace('-', '-' * 9000) }}", "takes up to 200 characters"),
        ("{{ ('-' * 200).join(['-'] * 200) }}", "'join'"),
        ("{{ ([route] * 9000) | join }}", "* makes more than 10,000"),
        ("{{ '%999999999d' % 5 }}", "% takes numbers"),
        ("{{ '{:999999999}'.format(5) }}", "use filters, not format"),
        ("{{ 'x'.ljust(999999999) }}", "is more than 1,000"),
        ("{{ 'x' | center(999999999) }}", "is more than 1,000"),
        ("{{ count | rounded(999999999) }}", "is more than 1,000"),
        ("{{ 99 ** 99 ** 99 }}", "OverflowError"),
        ("{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}", "more than 2,000 steps"),
        ("{% for a in range(999) %}{{ a }} {{ a }} {{ a }} {{ a }}{% endfor %}", "TooManyStepsError"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError"),
        (f"{{% set a = 'x' %}}{'{% set a = a ~ a %}' * 60}{{{{ a }}}}", "more than 10,000 characters"),
        (f"{{% set a %}}x{{% endset %}}{'{% set a %}{{ a }}{{ a }}{% endset %}' * 40}", "more than 10,000 characters"),
        (f"{{% set a = [1] %}}{'{% set a = [a, a] %}' * 60}{{{{ a }}}}", "a list in a template holds texts"),
    ],
)
def test_a_template_that_cannot_be_rendered_is_a_mistake_of_its_rule(source: str, reason: str) -> None:
    """It is tried once when rules are loaded, within bounds that hold whatever it does."""
    begun = time.process_time()
    with pytest.raises(TemplateError, match=re.escape(reason)):
        compile_summary(source, KIND, ("route",))
    assert time.process_time() - begun < 2


def test_a_template_that_fails_for_want_of_data_falls_back_to_a_plain_line() -> None:
    """It is reported, and the alert goes out all the same."""
    plain = "ranker (route=/predict): error_rate > 0.05, now 0.125"
    assert render("{{ duration_ms.p99 + 1 }}") == (plain, False)


@pytest.mark.parametrize("source", ["{{ route.split('/')[4] }}", "{{ route.split('-')[1] }}", "{{ route | int }}"])
def test_a_template_may_take_a_label_apart(source: str) -> None:
    """Whether it can be rendered depends on the label: no mistake."""
    compile_summary(source, KIND, ("route",))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_measure_of_every_kind_has_its_statistics(kind: Kind) -> None:
    """The measure `value` of custom events too, next to the alert's own value."""
    row = FixedRow(**{f"{name}.sum": 12.0 for name in kind.measure_names})
    facts = facts_of(
        kind,
        row,
        {},
        rule="r",
        service="s",
        severity="error",
        value=0.5,
        threshold=0.25,
        window_ms=1_000,
        condition="c",
    )
    for name in kind.measure_names:
        source = f"{{{{ {name}.sum }}}} of {{{{ {name}.p95 }}}}, {{{{ value | percent }}}} {{{{ value > threshold }}}}"
        assert compile_summary(source, kind, ()).render(facts) == ("12 of no data, 50.0 % True", True)


def test_an_absent_value_of_custom_events_is_no_data() -> None:
    facts = facts_of(
        KINDS["custom"],
        FixedRow(value__sum=3.0),
        {},
        rule="r",
        service="s",
        severity="error",
        value=None,
        threshold=None,
        window_ms=1_000,
        condition="c",
    )
    source = "{{ value }} {{ value | percent }} {{ value | ms }} {{ value | rounded }} {{ value.sum }} {{ threshold }}"
    text = "no data no data no data no data 3 no data"
    assert compile_summary(source, KINDS["custom"], ()).render(facts) == (text, True)


def test_arithmetic_and_loops_within_the_bound_go_on() -> None:
    """Numbers of events are large, and what loops over labels is short."""
    loop = "{% for name, value in labels.items() %}{{ name }}={{ value }}{% endfor %}"
    squares = f"{{% set a = 3 %}}{'{% set a = a * a %}' * 60}{{{{ a }}}} "
    source = "{{ count * 1000000 }} {{ 2 ** 10 }} {{ count % 7 }} " + squares + loop
    text, has_rendered = render(source)
    assert has_rendered
    assert text.endswith("route=/predict")


def test_tracing_goes_on_as_before() -> None:
    """A debugger or a measurement of coverage may be at work."""
    before = sys.gettrace()
    render("{{ count }}")
    with pytest.raises(TemplateError):
        render("{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}")
    assert sys.gettrace() is before


def test_a_summary_is_of_bounded_length() -> None:
    """Channels have limits, and so has the stream."""
    assert len(render("{{ 'x' * 10000 }}")[0]) == 500


@pytest.mark.parametrize(
    "source",
    [
        "{{ rout }}",
        '{{ label["rout"] }}',
        "{{ count",
        "{% for x in y %}{% endfor %}",
        "{{ count | nope }}",
        "{{ '%9d' | format(5) }}",
        f"{{{{ {'(' * 900}1{')' * 900} }}}}",
        f"{{{{ {'-' * 1_900}1 }}}}",
        "{% if 1 %}" * 105 + "{%endif%}" * 105,
        "{% for a in labels %}" * 40 + "{% endfor %}" * 40,
    ],
)
def test_mistakes_are_found_when_rules_are_loaded(source: str) -> None:
    """Not in the night when it fires."""
    with pytest.raises(TemplateError):
        compile_summary(source, KIND, ("route",))
