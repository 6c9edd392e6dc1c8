"""Title and body of a channel's messages by templates of its own; one that fails gives way to the plain words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from jinja2 import Template

from barograph_core.settings.table_entry import TableEntry
from barograph_core.templates.bounded import render_bounded
from barograph_core.templates.compiled import TemplateError, compile_template, try_template
from barograph_core.templates.numbers import shown
from barograph_core.text.one_line import one_line
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification, Status
from barograph_notifier.sample import sample_notification
from barograph_notifier.wording.digests import digest_counts, digest_place, digest_reason
from barograph_notifier.wording.words import contributor_text, labels_text, lasted, link, moment, reason_of, summary_of

# Longest template; what it makes is bounded when it is rendered.
_MOST_SOURCE: Final = 4_000
FACTS: Final = (
    *("status", "severity", "rule", "service", "label", "labels", "value", "threshold", "summary", "reason"),
    *("started", "changed", "lasted", "actor", "runbook", "console_url", "contributors", "after"),
)
DIGEST_FACTS: Final = (
    *("status", "severity", "count", "counts", "firing", "resolved", "still_firing", "rule", "service", "label"),
    *("labels", "reason", "console_url", "alerts", "left_out"),
)
_SAMPLE_MS: Final = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class MessageTemplates:
    """The templates of one channel.

    Attributes:
        title: Of the message's title; ``None`` for the plain one.
        body: Of what stands below it; ``None`` for the plain one.
        digest_title: Of the title of a message about several alerts.
        digest_body: Of what stands below that.
    """

    title: Template | None = field(default=None, repr=False)
    body: Template | None = field(default=None, repr=False)
    digest_title: Template | None = field(default=None, repr=False)
    digest_body: Template | None = field(default=None, repr=False)

    @property
    def has_digests(self) -> bool:
        """Say whether it has any for several alerts."""
        return self.digest_title is not None or self.digest_body is not None

    def apply(self, notification: Notification) -> tuple[Notification, list[str]]:
        """Return the notification with title and body, and what went wrong; a template that fails leaves it plain."""
        if self.title is None and self.body is None:
            return notification, []
        facts, failures = facts_of_templates(notification), list[str]()
        title, body = (
            _render(name, template, facts, failures) for name, template in (("title", self.title), ("body", self.body))
        )
        return replace(notification, title=one_line(title), body=body), failures

    def apply_to_digest(self, digest: Digest) -> tuple[Digest, list[str]]:
        """Return the digest with title and body; the rest is as in ``apply``. Its alerts have theirs already."""
        if not self.has_digests:
            return digest, []
        facts, failures = facts_of_digest_templates(digest), list[str]()
        templates = (("digest_title", self.digest_title), ("digest_body", self.digest_body))
        title, body = (_render(name, template, facts, failures) for name, template in templates)
        return replace(digest, title=one_line(title), body=body), failures


NO_TEMPLATES: Final = MessageTemplates()


def read_templates(entry: TableEntry, escape: Callable[[str], str] | None = None) -> MessageTemplates:
    """Return the templates in the keys ``title``, ``body`` and those of digests; record their mistakes in ``entry``.

    Args:
        entry: The channel's.
        escape: Returns a value so that the body's markup shows it as it is; ``None`` where the body has no markup.
    """
    one, several = (FACTS, _samples), (DIGEST_FACTS, _digest_samples)
    return MessageTemplates(
        _read(entry, "title", None, *one),
        _read(entry, "body", escape, *one),
        _read(entry, "digest_title", None, *several),
        _read(entry, "digest_body", escape, *several),
    )


def _read(
    entry: TableEntry,
    key: str,
    escape: Callable[[str], str] | None,
    known: Sequence[str],
    samples: Callable[[], Iterable[Mapping[str, object]]],
) -> Template | None:
    source = entry.text(key)
    if not source:
        return None

    def finalize(value: object) -> object:
        text = shown(value)
        return text if escape is None else escape(str(text))

    try:
        if len(source) > _MOST_SOURCE:
            raise TemplateError(f"is longer than {_MOST_SOURCE:,} characters")
        template = compile_template(source, known, labels=None, finalize=finalize)
        try_template(template, samples())
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


def facts_of_digest_templates(digest: Digest) -> Mapping[str, object]:
    """Return every name of a template for several alerts with its value, as ``facts_of_templates`` does for one."""
    return {
        "status": digest.status,
        "severity": digest.severity.value,
        "count": len(digest.alerts),
        "counts": digest_counts(digest),
        "firing": sum(alert.status == "firing" for alert in digest.alerts),
        "resolved": sum(alert.status == "resolved" for alert in digest.alerts),
        "still_firing": digest.still_firing,
        "rule": one_line(digest.rule),
        "service": one_line(digest.service),
        "label": {name: one_line(value) for name, value in digest.labels.items()},
        "labels": digest_place(digest),
        "reason": digest_reason(digest),
        "console_url": link(digest.console_url),
        "alerts": [facts_of_templates(alert) for alert in digest.top],
        "left_out": len(digest.alerts) - len(digest.top),
    }


def _samples() -> Iterable[Mapping[str, object]]:
    return map(_sample_facts, ("firing", "resolved"))


def _digest_samples() -> Iterable[Mapping[str, object]]:
    """Yield the facts of a digest of a beginning and an end, and of each alone."""
    for statuses in (("firing", "resolved"), ("firing", "firing"), ("resolved", "resolved")):
        facts = facts_of_digest_templates(_sample_digest(statuses))
        alerts = [_sample_facts(status) for status in statuses]
        yield {**facts, "label": _AnyLabels(), "alerts": alerts}


def _sample_digest(statuses: Iterable[str], now_ms: int = _SAMPLE_MS) -> Digest:
    """Return a digest of samples with these statuses."""
    samples = (sample_notification(cast("Status", status), now_ms) for status in statuses)
    return Digest.of((sample, f"{number:032}") for number, sample in enumerate(samples))


def _sample_facts(status: str) -> Mapping[str, object]:
    sample = sample_notification(cast("Status", status), _SAMPLE_MS)
    return {**facts_of_templates(sample), "label": _AnyLabels(sample.labels)}
