"""Title, counts and plain text of a digest. Pure; everything is on one line and safe for a terminal."""

from typing import Final

from barograph_core.text.one_line import one_line
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.wording.words import BODY_LINES, Fact, lasted, link, reason_of, summary_of, title_of

_TITLE_LIMIT: Final = 200


def digest_title(digest: Digest) -> str:
    """Return ``12 alerts of high-error-rate on ranker``, or what the channel's template makes of it.

    What the alerts do not have alike is left out.
    """
    if digest.title:
        return one_line(digest.title, _TITLE_LIMIT)
    rule = f" of {digest.rule}" if digest.rule else ""
    service = f" on {digest.service}" if digest.service else ""
    return one_line(f"{len(digest.alerts):,} alerts{rule}{service}", _TITLE_LIMIT)


def digest_headline(digest: Digest) -> str:
    """Return ``FIRING error: 12 alerts of high-error-rate on ranker``."""
    if digest.status == "resolved":
        return f"RESOLVED: {digest_title(digest)}"
    return f"FIRING {digest.severity.value}: {digest_title(digest)}"


def digest_counts(digest: Digest) -> str:
    """Return ``2 critical, 7 error, 3 resolved; 4 others of the group still fire``."""
    counts = ", ".join(f"{count:,} {name}" for name, count in digest.counts.items())
    if not digest.still_firing:
        return counts
    others = "1 other of the group still fires"
    if digest.still_firing > 1:
        others = f"{digest.still_firing:,} others of the group still fire"
    return f"{counts}; {others}"


def digest_place(digest: Digest) -> str:
    """Return the labels that all alerts have alike: ``model=ctr, route=/predict``; empty if there are none."""
    return one_line(", ".join(f"{name}={value}" for name, value in digest.labels.items()), 300)


def digest_reason(digest: Digest) -> str:
    """Return the cause of the message, if it is the same for all alerts."""
    if len({alert.reason for alert in digest.alerts}) > 1:
        return ""
    return reason_of(digest.alerts[0]).replace("It was", "They were").replace("It is", "They are")


def digest_more(digest: Digest) -> str:
    """Return what to say of the alerts that are not shown one by one, empty if all are."""
    left = len(digest.alerts) - len(digest.top)
    return f"And {left:,} more." if left else ""


def digest_line(alert: Notification) -> str:
    """Return one alert of a digest: ``error     high-error-rate on ranker (route=/predict): 21 % errors``."""
    if alert.status == "resolved":
        return f"{'resolved':8}  {title_of(alert)}, after {lasted(alert)}"
    return f"{alert.severity.value:8}  {title_of(alert)}: {summary_of(alert)}"


def digest_body(digest: Digest) -> list[str]:
    """Return the lines of the channel's own template, which stand in place of words and alerts; none without one."""
    return [one_line(line, 1_000) for line in digest.body.splitlines()[:BODY_LINES]]


def digest_links(digest: Digest) -> list[Fact]:
    """Return the links that there are: the runbook, if all alerts have the same, and the console."""
    runbooks = {alert.runbook for alert in digest.alerts}
    links = [Fact("Runbook", link(runbooks.pop()) if len(runbooks) == 1 else "")]
    links.append(Fact("Console", link(digest.console_url)))
    return [fact for fact in links if fact.value]


def digest_text(digest: Digest) -> str:
    """Return the whole digest as plain text of several lines."""
    lines = [digest_headline(digest), "", *(digest_body(digest) or _plain_body(digest))]
    links = [f"{fact.name}: {fact.value}" for fact in digest_links(digest)]
    return "\n".join([*lines, *(["", *links] if links else [])])


def _plain_body(digest: Digest) -> list[str]:
    place = digest_place(digest)
    lines = [digest_counts(digest) + "."]
    lines += [line for line in (f"All with {place}." if place else "", digest_reason(digest)) if line]
    lines += ["", *(digest_line(alert) for alert in digest.top)]
    return [*lines, *(line for line in (digest_more(digest),) if line)]
