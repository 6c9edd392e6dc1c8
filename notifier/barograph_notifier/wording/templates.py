"""Title and body of a channel's messages by templates of its own; one that fails gives way to the plain words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast

from jinja2 import Template

from barograph_core.settings.table_entry import TableEntry
from barograph_core.templates.bounded import render_bounded
from barograph_core.templates.compiled import TemplateError, compile_template, try_template
from barograph_core.templates.numbers import shown
from barograph_core.text.one_line import one_line
from barograph_notifier.notification import Notification, Status
from barograph_notifier.sample import sample_notification
from barograph_notifier.wording.words import contributor_text, labels_text, lasted, link, moment, reason_of, summary_of

# Longest template; what it makes is bounded when it is rendered.
_MOST_SOURCE: Final = 4_000
FACTS: Final = (
    *("status", "severity", "rule", "service", "label", "labels", "value", "threshold", "summary", "reason"),
    *("started", "changed", "lasted", "actor", "runbook", "console_url", "contributors", "after"),
)


@dataclass(frozen=True, slots=True)
class MessageTemplates:
    """The templates of one channel.

    Attributes:
        title: Of the message's title; ``None`` for the plain one.
        body: Of what stands below it; ``None`` for the plain one.
    """

    title: Template | None = field(default=None, repr=False)
    body: Template | None = field(default=None, repr=False)

    def apply(self, notification: Notification) -> tuple[Notification, list[str]]:
        """Return the notification with title and body, and what went wrong; a template that fails leaves it plain."""
        if self.title is None and self.body is None:
            return notification, []
        facts, failures = facts_of_templates(notification), list[str]()
        title, body = (
            _render(name, template, facts, failures) for name, template in (("title", self.title), ("body", self.body))
        )
        return replace(notification, title=one_line(title), body=body), failures


NO_TEMPLATES: Final = MessageTemplates()


def read_templates(entry: TableEntry, escape: Callable[[str], str] | None = None) -> MessageTemplates:
    """Return the templates in the keys ``title`` and ``body``, after recording their mistakes in ``entry``.

    Args:
        entry: The channel's.
        escape: Returns a value so that the body's markup shows it as it is; ``None`` where the body has no markup.
    """
    return MessageTemplates(_read(entry, "title", None), _read(entry, "body", escape))


def _read(entry: TableEntry, key: str, escape: Callable[[str], str] | None) -> Template | None:
    source = entry.text(key)
    if not source:
        return None

    def finalize(value: object) -> object:
        text = shown(value)
        return text if escape is None else escape(str(text))

    try:
        if len(source) > _MOST_SOURCE:
            raise TemplateError(f"is longer than {_MOST_SOURCE:,} characters")
        template = compile_template(source, FACTS, labels=None, finalize=finalize)
        try_template(template, map(_sample_facts, ("firing", "resolved")))
    except TemplateError as error:
        entry.add_problem(key, str(error))
        return None
    return template


def _render(name: str, template: Template | None, facts: Mapping[str, object], failures: list[str]) -> str:
    if template is None:
        return ""
    try:
        return render_bounded(template, facts).strip()
    except Exception as error:  # noqa: BLE001 - a template can raise anything, and must not cost the alert
        failures.append(f"{name}: {type(error).__name__}: {one_line(str(error), 200)}")
        return ""


def facts_of_templates(notification: Notification) -> Mapping[str, object]:
    """Return every name of a template with its value; texts are on one line and safe for a terminal."""
    labels = {name: one_line(value) for name, value in sorted(notification.labels.items())}
    return {
        "status": notification.status,
        "severity": notification.severity.value,
        "rule": one_line(notification.rule),
        "service": one_line(notification.service),
        "label": labels,
        "labels": labels_text(notification),
        "value": notification.value,
        "threshold": notification.threshold,
        "summary": summary_of(notification),
        "reason": reason_of(notification),
        "started": moment(notification.started_at_ms),
        "changed": moment(notification.changed_at_ms),
        "lasted": lasted(notification),
        "actor": one_line(notification.actor),
        "runbook": link(notification.runbook),
        "console_url": link(notification.console_url),
        "after": one_line(notification.after, 300),
        "contributors": [contributor_text(item) for item in notification.contributors],
    }


class _AnyLabels(dict[str, str]):
    """Labels for a trial: an alert may have any."""

    def __missing__(self, name: str) -> str:
        return "value"


def _sample_facts(status: str) -> Mapping[str, object]:
    sample = sample_notification(cast("Status", status), 1_700_000_000_000)
    return {**facts_of_templates(sample), "label": _AnyLabels(sample.labels)}
