"""Title, headline, facts and plain text of a notification. Pure; everything is on one line and safe for a terminal."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from barograph_core.alerts.record import Contributor, alertname_of
from barograph_core.text.ages import format_age
from barograph_core.text.one_line import one_line
from barograph_core.text.timestamps import LATEST_MS
from barograph_notifier.notification import Notification

# What the causes of a transition mean. An unknown one, of a later version, is shown with spaces.
_REASONS: Final = {
    "already_firing": "It was firing already when this channel started.",
    "reminder": "It has been firing unannounced: an earlier notification muted this one.",
    "no_data": "There has been no data for the condition.",
    "no_events": "There have been no events.",
    "no_traffic": "There has been no traffic.",
    "producers_dead": "No process of the service sends any more.",
    "lagging": "The service's processes lag behind.",
    "late": "Events that came late changed the verdict.",
    "recovered_partly": "It has recovered as far as is known: some processes do not report.",
    "series_gone": "Its label set has not been seen for long.",
    "repeat": "It is still firing.",
    "ack_expired": "Its acknowledgement has expired, and it still fires.",
    "silence_ended": "The silence that held it back is over, and it still fires.",
    "inhibition_ended": "The alert that held it back is over, and it still fires.",
    "flapping": "It fires and resolves again and again: until it is calm there are updates only.",
    "flapping_ended": "It no longer flaps.",
    "escalated": "No one has acknowledged it.",
    "fallback": "The channel that it was for did not take it.",
    "test": "It was sent by hand, to try the channel.",
    "resolved_by_hand": "It was resolved by hand.",
    "not_pushed_again": "The program that pushed it has not repeated it in time.",
    "rule_removed": "Its rule is gone or was renamed.",
    "service_retired": "Its service was retired.",
}
_LINK: Final = re.compile(r"https?://[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]{1,2000}\Z", re.IGNORECASE)
_TITLE_LIMIT: Final = 200
BODY_LINES: Final = 50


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a notification's details."""

    name: str
    value: str


def title_of(notification: Notification) -> str:
    """Return ``high-error-rate on ranker (route=/predict)``, or what the channel's template makes of it.

    It stays the same for every message about an episode, unless the template says otherwise.
    """
    if notification.title:
        return one_line(notification.title, _TITLE_LIMIT)
    labels = labels_text(notification)
    where = f" ({labels})" if labels else ""
    return one_line(f"{alertname_of(notification.rule)} on {notification.service}{where}", _TITLE_LIMIT)


def headline_of(notification: Notification) -> str:
    """Return ``FIRING error: high-error-rate on ranker (route=/predict)``."""
    if notification.status == "resolved":
        return f"RESOLVED after {lasted(notification)}: {title_of(notification)}"
    return f"FIRING {notification.severity.value}: {title_of(notification)}"


def labels_text(notification: Notification) -> str:
    """Return ``model=ctr, route=/predict``, empty without labels."""
    return one_line(", ".join(f"{name}={value}" for name, value in sorted(notification.labels.items())), 300)


def summary_of(notification: Notification) -> str:
    """Return the rule's text on one line."""
    return one_line(notification.summary, 500)


def body_of(notification: Notification) -> list[str]:
    """Return the lines below the title: the channel's own, or the rule's text and a sentence about the cause."""
    if notification.body:
        return [one_line(line, 1_000) for line in notification.body.splitlines()[:BODY_LINES]]
    return [line for line in (summary_of(notification), reason_of(notification)) if line]


def reason_of(notification: Notification) -> str:
    """Return a sentence about the cause, empty when it is the condition itself."""
    if not notification.reason:
        return ""
    known = _REASONS.get(notification.reason)
    return known or one_line(notification.reason.replace("_", " "), 100).capitalize() + "."


def facts_of(notification: Notification) -> list[Fact]:
    """Return what there is to know besides title and summary, most important first."""
    facts = [
        Fact("Severity", notification.severity.value),
        Fact("Service", one_line(notification.service, 64)),
        Fact("Rule", one_line(notification.rule, 100)),
        Fact("Labels", labels_text(notification)),
        Fact("Value", _value(notification)),
        Fact("Since", moment(notification.started_at_ms)),
        Fact("After", one_line(notification.after, 300)),
    ]
    if notification.status == "resolved":
        facts += [Fact("Until", moment(notification.changed_at_ms)), Fact("Lasted", lasted(notification))]
    facts.append(Fact("Not reporting", one_line(", ".join(notification.missing), 500)))
    facts.append(Fact("By", one_line(notification.actor, 100)))
    return [fact for fact in facts if fact.value]


def _value(notification: Notification) -> str:
    if notification.value is None:
        return ""
    if notification.threshold is None:
        return number(notification.value)
    return f"{number(notification.value)} (threshold {number(notification.threshold)})"


def contributor_text(contributor: Contributor) -> str:
    """Return ``instance=i1: 12 errors, 80 %``."""
    return f"{contributor_name(contributor)}: {contributor_amount(contributor)}"


def contributor_name(contributor: Contributor) -> str:
    """Return ``instance=i1``."""
    return one_line(", ".join(f"{name}={value}" for name, value in sorted(contributor.labels.items())), 120)


def contributor_amount(contributor: Contributor) -> str:
    """Return ``12 errors, 80 %``."""
    return f"{number(contributor.amount)} {one_line(contributor.of, 40)}, {percent(contributor)} %"


def percent(contributor: Contributor) -> int:
    """Return the share of ``contributor``, 0 to 100."""
    return round(100 * min(max(contributor.share_ratio, 0.0), 1.0))


def number(value: float) -> str:
    """Return ``value`` with three digits at most after the point, and three significant ones below 1: ``0.213``."""
    if not math.isfinite(value):
        return str(value)
    if value == 0 or abs(value) >= 1e15 or abs(value) < 1e-6:
        return f"{value:.3g}"
    digits = 3 if abs(value) >= 1 else 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def moment(ms: int) -> str:
    """Return ``2023-11-14 22:13:20 UTC``; the number itself beyond the year 9999."""
    if not 0 <= ms <= LATEST_MS:
        return f"{ms} ms"
    return f"{datetime.fromtimestamp(ms // 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def lasted(notification: Notification) -> str:
    """Return how long the episode has lasted: ``12 min 3 s``."""
    return format_age(max(0, notification.changed_at_ms - notification.started_at_ms))


def link(url: str) -> str:
    """Return ``url`` if it is a plain HTTP URL that may be shown as a link in any markup, else empty text."""
    return url if _LINK.match(url) else ""


def text_of(notification: Notification) -> str:
    """Return the whole notification as plain text of several lines."""
    facts = facts_of(notification)
    width = max(len(fact.name) for fact in facts)
    return "\n".join(
        [
            headline_of(notification),
            "",
            *_paragraph(body_of(notification)),
            *(f"{fact.name + ':':{width + 1}} {fact.value}" for fact in facts),
            *_contributors(notification),
            *_links(notification),
        ]
    )


def _paragraph(lines: Sequence[str]) -> list[str]:
    return [*lines, ""] if lines else []


def _contributors(notification: Notification) -> list[str]:
    if not notification.contributors:
        return []
    return ["", "Contributors:", *(f"  {contributor_text(item)}" for item in notification.contributors)]


def links_of(notification: Notification) -> list[Fact]:
    """Return the links that there are: the runbook, the console, and where a pushed alert comes from."""
    links = [
        Fact("Runbook", link(notification.runbook)),
        Fact("Console", link(notification.console_url)),
        Fact("Source", link(notification.source_url)),
    ]
    return [fact for fact in links if fact.value]


def _links(notification: Notification) -> list[str]:
    lines = [f"{fact.name}: {fact.value}" for fact in links_of(notification)]
    return ["", *lines] if lines else []
