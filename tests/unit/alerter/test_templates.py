"""The summary line of an alert."""

import pytest

from barograph_alerter.templates import TemplateError, compile_summary, facts_of, ms, percent
from barograph_core.events import KINDS
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
    "source",
    [
        "{{ duration_ms.p95x }}",
        "{{ labels.nothing }}",
        "{{ count / 0 }}",
        "{{ duration_ms.p99 + 1 }}",
        "{{ service.__class__.__mro__ }}",
        "{{ duration_ms.row }}{{ duration_ms._x }}",
        "{{ range(10000000) | list }}",
    ],
)
def test_a_failing_template_falls_back_to_a_plain_line(source: str) -> None:
    """It is reported, and the alert goes out all the same."""
    assert render(source) == ("ranker (route=/predict): error_rate > 0.05, now 0.125", False)


def test_a_summary_is_of_bounded_length() -> None:
    """Channels have limits, and so has the stream."""
    assert len(render("{{ 'x' * 100000 }}")[0]) == 500


@pytest.mark.parametrize("source", ["{{ rout }}", "{{ count", "{% for x in y %}{% endfor %}", "{{ count | nope }}"])
def test_mistakes_are_found_when_rules_are_loaded(source: str) -> None:
    """Not in the night when it fires."""
    with pytest.raises(TemplateError):
        compile_summary(source, KIND, ("route",))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.84, "0.8 ms"), (512.4, "512 ms"), (1_500.0, "1.50 s"), (None, "no data")],
)
def test_milliseconds_are_shown_in_a_fitting_unit(value: float | None, expected: str) -> None:
    assert ms(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.12345, "12.3 %"), (1.0, "100.0 %"), (None, "no data")])
def test_ratios_are_shown_as_percentages(value: float | None, expected: str) -> None:
    assert percent(value) == expected
