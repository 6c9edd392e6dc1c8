"""What another program says of one alert, within bounds: its labels, its texts, and until when it stands. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from barograph_core.alerts.record import PUSHED_PREFIX, Severity, alert_id

MOST_SUMMARY: Final = 500
# Annotations whose text is the alert's summary, the best first.
_SUMMARIES: Final = ("summary", "description", "message", "title")
_RUNBOOKS: Final = ("runbook_url", "runbook")
_SEVERITIES: Final = {
    "page": Severity.CRITICAL,
    "critical": Severity.CRITICAL,
    "error": Severity.ERROR,
    "info": Severity.INFO,
    "none": Severity.INFO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedAlert:
    """One alert as another program pushes it.

    Attributes:
        service: The service that it is about.
        alertname: Its name there; the rule's name here begins with ``PUSHED_PREFIX``.
        labels: Its other labels. They are its identity, together with service and name.
        starts_ms: Wall time at which it began.
        ends_ms: Wall time at which it ends unless it is pushed again; one that is past ends it now.
        annotations: What the other program says of it.
        source_url: Where the other program shows it; empty when it does not say so.
    """

    service: str
    alertname: str
    labels: Mapping[str, str]
    starts_ms: int
    ends_ms: int
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    source_url: str = ""

    @property
    def rule(self) -> str:
        return f"{PUSHED_PREFIX}{self.alertname}"

    @property
    def alert_id(self) -> str:
        return alert_id(self.rule, self.service, self.labels)

    @property
    def severity(self) -> Severity:
        """Return the severity here: the label's where it means one, else warning."""
        return _SEVERITIES.get(self.labels.get("severity", "").lower(), Severity.WARNING)

    @property
    def summary(self) -> str:
        """Return the first annotation that says what is wrong, on one line; empty when none does."""
        text = next((self.annotations[name] for name in _SUMMARIES if self.annotations.get(name)), "")
        return " ".join(text.split())[:MOST_SUMMARY]

    @property
    def runbook(self) -> str:
        """Return the address of the instructions; empty when there is none."""
        return next((self.annotations[name] for name in _RUNBOOKS if self.annotations.get(name)), "")
