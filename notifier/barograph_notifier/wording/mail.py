"""The HTML part of an e-mail."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from barograph_core.alerts.record import Contributor
from barograph_core.text.one_line import one_line
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.wording.digests import (
    digest_body,
    digest_counts,
    digest_links,
    digest_more,
    digest_place,
    digest_reason,
    digest_title,
)
from barograph_notifier.wording.words import (
    body_of,
    contributor_name,
    facts_of,
    labels_text,
    lasted,
    link,
    links_of,
    moment,
    number,
    percent,
    reason_of,
    summary_of,
    title_of,
)


@dataclass(frozen=True, slots=True)
class Colours:
    """The colour of a severity, and a soft one behind it, on light and on dark ground."""

    light: str
    light_soft: str
    dark: str
    dark_soft: str


# Those of the console's page.
COLOURS: Final = {
    "resolved": Colours("#176b43", "#e2f1e8", "#6fd39c", "#15301f"),
    "info": Colours("#1d5fa8", "#e3eefa", "#7cb7ff", "#16273a"),
    "warning": Colours("#8a5a00", "#fdf1d3", "#f2c260", "#33270d"),
    "error": Colours("#b3261e", "#fce6e2", "#ff8a7e", "#3a1a17"),
    "critical": Colours("#8b0a50", "#fae1ee", "#ff86c2", "#3b1229"),
}
# Shown in the head of the message, so not repeated below.
_IN_HEAD: Final = frozenset({"Severity", "Service", "Rule", "Labels", "Lasted"})


@dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    percent: int
    amount: str


def colours_of(notification: Notification) -> Colours:
    """Return the colours of the notification: those of its severity, green when it is resolved."""
    return COLOURS["resolved" if notification.status == "resolved" else notification.severity.value]


def html_of(notification: Notification) -> str:
    """Return the notification as an HTML document, every text in it escaped, nothing in it loaded from elsewhere."""
    is_over = notification.status == "resolved"
    labels = labels_text(notification)
    return _template("mail.html").render(
        title=title_of(notification),
        preview=summary_of(notification),
        status="RESOLVED" if is_over else f"FIRING · {notification.severity.value.upper()}",
        at=f"after {lasted(notification)}" if is_over else moment(notification.changed_at_ms),
        rule=one_line(notification.title or notification.rule, 200),
        place=one_line(notification.service, 64) + (f" · {labels}" if labels else ""),
        summary=body_of(notification) if notification.body else [summary_of(notification)],
        reason="" if notification.body else reason_of(notification),
        facts=[fact for fact in facts_of(notification) if fact.name not in _IN_HEAD],
        contributors=[_bar(item) for item in notification.contributors],
        links=links_of(notification),
        colours=colours_of(notification),
    )


def _bar(item: Contributor) -> _Bar:
    return _Bar(contributor_name(item), percent(item), f"{number(item.amount)} {one_line(item.of, 40)}")


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("barograph_notifier", "wording"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(name)


def html_of_digest(digest: Digest) -> str:
    """Return the digest as an HTML document, like ``html_of``."""
    is_over, body = digest.status == "resolved", digest_body(digest)
    return _template("digest.html").render(
        title=digest_title(digest),
        preview=digest_counts(digest),
        status="RESOLVED" if is_over else f"FIRING · {digest.severity.value.upper()}",
        at=moment(max(alert.changed_at_ms for alert in digest.alerts)),
        rule=digest_title(digest),
        place=digest_place(digest),
        summary=body or [digest_counts(digest)],
        reason="" if body else digest_reason(digest),
        alerts=[] if body else [_row(alert) for alert in digest.top],
        more="" if body else digest_more(digest),
        links=digest_links(digest),
        colours=COLOURS["resolved" if is_over else digest.severity.value],
    )


def _row(alert: Notification) -> dict[str, str]:
    return {
        "status": "resolved" if alert.status == "resolved" else alert.severity.value,
        "title": title_of(alert),
        "summary": f"after {lasted(alert)}" if alert.status == "resolved" else summary_of(alert),
        "link": link(alert.console_url),
    }
