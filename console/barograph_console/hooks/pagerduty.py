"""Reads the events of PagerDuty's webhooks, version 3. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from barograph_console.hooks.asked import Asked, UnreadableError, text_at
from barograph_console.hooks.signature import SignatureError
from barograph_core.alerts.actions import ONCE_MS
from barograph_core.text.foreign_json import load_foreign_json

_ACTIONS: Final[Mapping[str, Literal["ack", "unack", "resolve"]]] = {
    "incident.acknowledged": "ack",
    "incident.unacknowledged": "unack",
    "incident.resolved": "resolve",
}
_PERSON: Final = "user_reference"
# Of our incidents. PagerDuty's own keys look alike, so that some of these are of no alert of ours.
_EPISODE: Final = re.compile(r"[0-9a-f]{32}\Z", re.ASCII)
_AHEAD_MS: Final = 300_000
# PagerDuty signs no time of sending. An event is tried again for hours; one that is applied is remembered for ONCE_MS
# from then on, so that none is taken a second time as long as the two clocks are less than _AHEAD_MS apart.
_WITHIN_MS: Final = ONCE_MS - _AHEAD_MS


def read_pagerduty(body: bytes, now_ms: int) -> Asked | None:
    """Return what is asked; ``None`` for another event, or an incident that is none of ours.

    An acknowledgement or a resolution counts only when a person made it: otherwise ours came back, or another
    program's rule did it. That an acknowledgement ran out counts, whoever says so.

    Raises:
        UnreadableError: It is no event of PagerDuty.
        SignatureError: It happened too long ago, or lies ahead.
    """
    try:
        document = load_foreign_json(body)
    except ValueError as error:
        raise UnreadableError("the body is no JSON") from error
    kind, key = text_at(document, "event", "event_type"), text_at(document, "event", "id")
    if not kind or not key:
        raise UnreadableError("event.event_type or event.id is missing")
    action, episode = _ACTIONS.get(kind), text_at(document, "event", "data", "incident_key")
    if action is None or not _EPISODE.match(episode):
        return None
    if not -_AHEAD_MS <= now_ms - _occurred_ms(text_at(document, "event", "occurred_at")) <= _WITHIN_MS:
        raise SignatureError("event.occurred_at is more than a day ago, or lies ahead")
    is_by_person = text_at(document, "event", "agent", "type") == _PERSON
    if action != "unack" and not is_by_person:
        return None
    return Asked(
        action=action, episode=episode, actor=text_at(document, "event", "agent", "summary") or "PagerDuty", key=key
    )


def _occurred_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnreadableError(f"event.occurred_at {text[:40]!r} is no time") from error
    if moment.tzinfo is None:
        raise UnreadableError(f"event.occurred_at {text[:40]!r} has no zone")
    return round(moment.timestamp() * 1_000)
