"""What a pushed alert means here."""

import pytest

from barograph_core.alerts.record import Severity
from barograph_core.pushed.pushed_alert import PushedAlert


def pushed(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> PushedAlert:
    return PushedAlert(
        service="node",
        alertname="DiskFull",
        labels=labels or {},
        starts_ms=0,
        ends_ms=1,
        annotations=annotations or {},
    )


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("page", Severity.CRITICAL),
        ("critical", Severity.CRITICAL),
        ("Critical", Severity.CRITICAL),
        ("error", Severity.ERROR),
        ("warning", Severity.WARNING),
        ("info", Severity.INFO),
        ("none", Severity.INFO),
        ("ticket", Severity.WARNING),
    ],
)
def test_severities_of_other_programs_have_a_place(label: str, severity: Severity) -> None:
    assert pushed({"severity": label}).severity is severity


def test_without_a_severity_it_is_a_warning() -> None:
    assert pushed().severity is Severity.WARNING


def test_its_identity_is_made_of_labels_not_of_texts() -> None:
    one = pushed({"instance": "a"}, {"summary": "1"})
    assert one.alert_id == pushed({"instance": "a"}, {"summary": "2"}).alert_id
    assert one.alert_id != pushed({"instance": "b"}).alert_id
    assert len(one.alert_id) == 16


def test_the_summary_is_the_first_text_that_says_what_is_wrong() -> None:
    assert pushed(annotations={"description": "long\n  text", "summary": "short"}).summary == "short"
    assert pushed(annotations={"description": "long\n  text"}).summary == "long text"
    assert pushed(annotations={"dashboard": "d"}).summary == ""


def test_a_runbook_goes_by_two_names() -> None:
    assert pushed(annotations={"runbook": "https://r.example"}).runbook == "https://r.example"
