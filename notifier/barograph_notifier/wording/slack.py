"""A notification as a Slack message: a line of text, and blocks under the colour of its severity."""

import re
from typing import Final, TypeAlias

from barograph_core.alerts.acknowledgement import ACKNOWLEDGE_BUTTON, TAKE_BACK_BUTTON, ButtonValue
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
from barograph_notifier.wording.mail import COLOURS, colours_of
from barograph_notifier.wording.words import (
    body_of,
    contributor_name,
    facts_of,
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

Json: TypeAlias = dict[str, object]

_SIGNS: Final = {"info": "🔵", "warning": "🟠", "error": "🔴", "critical": "🚨"}
_TAKEN_ON, _TAKEN_BACK = "🙋", "↩️"
# What Slack reads as a link, a mention or a style. Its markup has no escape for a star: another star is shown instead.
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "\u2217", "`": "\u02cb", "~": "\u223c"})
# An underscore within a word is no style to Slack, and the names of rules and services are full of them.
_STYLING_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
# Shown in the line of text.
_IN_TEXT: Final = frozenset({"Service", "Rule", "Labels", "Lasted"})
# Slack's limits are 3,000 characters for a text and 2,000 for a field; people read less.
_TEXT_LIMIT: Final = 1_000
_NOTE_LIMIT: Final = 500
_BAR_CELLS: Final = 10


def escape(text: str) -> str:
    """Return ``text`` so that Slack shows it as it is: no link, no mention, no style."""
    return _STYLING_UNDERSCORE.sub("\u02cd", text.translate(_ESCAPES))


def line_of(notification: Notification) -> str:
    """Return the line of text, which is also what a phone's lock screen shows."""
    title = f"*{escape(title_of(notification))}*"
    if notification.status == "resolved":
        return f"✅ Resolved after {lasted(notification)}: {title}"
    if notification.flag == "acknowledged":
        return f"{_TAKEN_ON} Acknowledged by {_person(notification)}: {title}"
    return f"{_SIGNS[notification.severity.value]} {title}"


def message_of(notification: Notification, *, has_buttons: bool = False, is_kept_current: bool = False) -> Json:
    """Return the message without its destination.

    Args:
        notification: What it is about.
        has_buttons: Whether a firing bears buttons, for the console's hook.
        is_kept_current: Whether the message is edited when somebody takes the alert on, so that it bears only the
            button that does something; else it bears both.
    """
    blocks = _blocks(notification)
    if notification.flag:
        blocks.append({"type": "context", "elements": [_text(_flag_line(notification))]})
    if has_buttons and notification.status == "firing":
        blocks.append(_buttons(notification, is_kept_current=is_kept_current))
    return {
        "text": line_of(notification),
        "attachments": [
            {"color": colours_of(notification).light, "blocks": blocks},
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def digest_message_of(digest: Digest) -> Json:
    """Return the message about several alerts without its destination."""
    sign = "✅ Resolved:" if digest.status == "resolved" else _SIGNS[digest.severity.value]
    colours = COLOURS["resolved" if digest.status == "resolved" else digest.severity.value]
    body = digest_body(digest)
    words = [digest_counts(digest), digest_place(digest), digest_reason(digest)]
    # What the channel's own template makes is in Slack's markup, with its values escaped.
    blocks = [_section("\n".join(body or (escape(text) for text in words if text)))]
    blocks += [] if body else [_section(_alert_line(alert)) for alert in digest.top]
    more = [escape(digest_more(digest))] if digest_more(digest) and not body else []
    links = [f"<{fact.value.replace('&', '&amp;')}|{fact.name}>" for fact in digest_links(digest)]
    if more or links:
        blocks.append({"type": "context", "elements": [_text(" · ".join([*more, *links]))]})
    return {
        "text": f"{sign} *{escape(digest_title(digest))}*",
        "attachments": [{"color": colours.light, "blocks": blocks}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _alert_line(alert: Notification) -> str:
    is_over = alert.status == "resolved"
    title, url = escape(title_of(alert)), link(alert.console_url)
    shown = f"<{url.replace('&', '&amp;')}|{title}>" if url else f"*{title}*"
    text = f"after {lasted(alert)}" if is_over else escape(summary_of(alert))
    return f"{'✅' if is_over else _SIGNS[alert.severity.value]} {shown}\n{text}"


def reply_of(notification: Notification) -> Json:
    """Return what stands in the thread of a message that was edited: the change alone."""
    # Who did it by hand says why.
    reason = "" if notification.actor else escape(reason_of(notification))
    by = f" by {escape(notification.actor)}" if notification.actor else ""
    if notification.flag:
        return {"text": _flag_line(notification), "unfurl_links": False, "unfurl_media": False}
    if notification.status == "resolved":
        text = f"✅ Resolved{by} after {lasted(notification)}."
    else:
        text = f"{_SIGNS[notification.severity.value]} Still firing ({notification.severity.value}): "
        text += escape(summary_of(notification))
    return {"text": f"{text} {reason}".rstrip(), "unfurl_links": False, "unfurl_media": False}


def _blocks(notification: Notification) -> list[Json]:
    # What the channel's own template makes is in Slack's markup, with its values escaped.
    words = body_of(notification) if notification.body else map(escape, body_of(notification))
    # Who changed a flag stands with it.
    hidden = _IN_TEXT | {"By"} if notification.flag else _IN_TEXT
    facts = [fact for fact in facts_of(notification) if fact.name not in hidden]
    blocks = [_section("\n".join(words))]
    blocks.append(
        {"type": "section", "fields": [_text(f"*{fact.name}*\n{escape(fact.value)}") for fact in facts]},
    )
    if notification.contributors:
        lines = [_bar(item) for item in notification.contributors]
        blocks.append(_section("\n".join(["*What accounts for it*", *lines])))
    links = [f"<{fact.value.replace('&', '&amp;')}|{fact.name}>" for fact in links_of(notification)]
    if links:
        blocks.append({"type": "context", "elements": [_text(" · ".join(links))]})
    return blocks


def _flag_line(notification: Notification) -> str:
    """Return who has taken the alert on, or taken that back, until when, and what they say about it."""
    note = one_line(notification.note, _NOTE_LIMIT)
    said = f": {escape(note)}" if note else ""
    if notification.flag != "acknowledged":
        return f"{_TAKEN_BACK} Acknowledgement taken back by {_person(notification)}{said}"
    until = "" if notification.until_ms is None else f" until {moment(notification.until_ms)}"
    return f"{_TAKEN_ON} Acknowledged by {_person(notification)}{until}{said}"


def _person(notification: Notification) -> str:
    return escape(one_line(notification.actor, 100)) or "somebody"


def _buttons(notification: Notification, *, is_kept_current: bool) -> Json:
    value = ButtonValue(notification.alert_id, notification.episode).to_text()
    buttons = [_button("Acknowledge", ACKNOWLEDGE_BUTTON, value), _button("Take back", TAKE_BACK_BUTTON, value)]
    if is_kept_current:
        buttons = buttons[1:] if notification.flag == "acknowledged" else buttons[:1]
    return {"type": "actions", "elements": buttons}


def _button(text: str, action: str, value: str) -> Json:
    return {"type": "button", "text": {"type": "plain_text", "text": text}, "action_id": action, "value": value}


def _bar(item: Contributor) -> str:
    share = percent(item)
    full = max(1, round(share * _BAR_CELLS / 100))
    cells = "█" * full + "░" * (_BAR_CELLS - full)
    amount = f"{number(item.amount)} {item.of}"
    return f"`{cells}` {share} % {escape(contributor_name(item))} ({escape(amount)})"


def _section(text: str) -> Json:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> Json:
    # verbatim: without it Slack makes links of addresses and names that it finds in the text.
    return {"type": "mrkdwn", "text": text[:_TEXT_LIMIT], "verbatim": True}
