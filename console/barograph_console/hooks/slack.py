"""Reads what Slack sends when somebody presses a button (interactivity, ``block_actions``). Pure."""

from collections.abc import Mapping
from typing import Final, Literal, cast
from urllib.parse import parse_qs

from barograph_console.hooks.asked import Asked, UnreadableError, text_at
from barograph_core.alerts.acknowledgement import ACKNOWLEDGE_BUTTON, TAKE_BACK_BUTTON, ButtonValue
from barograph_core.text.foreign_json import load_foreign_json

_MOST_FIELDS: Final = 16
_ACTIONS: Final[Mapping[str, Literal["ack", "unack"]]] = {ACKNOWLEDGE_BUTTON: "ack", TAKE_BACK_BUTTON: "unack"}


def read_slack(body: bytes) -> Asked | None:
    """Return what is asked; ``None`` for a button or dialogue of the same Slack app that is none of ours.

    Raises:
        UnreadableError: It is no form with a ``payload`` as Slack writes it.
    """
    payload = _payload(body)
    if not text_at(payload, "type"):
        raise UnreadableError("payload has no type")
    pressed = payload.get("actions")
    if text_at(payload, "type") != "block_actions" or not isinstance(pressed, list) or not pressed:
        return None
    button = cast("list[object]", pressed)[0]
    action = _ACTIONS.get(text_at(button, "action_id"))
    if action is None:
        return None
    user, pressed_at = text_at(payload, "user", "id"), text_at(button, "action_ts")
    if not user or not pressed_at:
        raise UnreadableError("payload has no user.id or no actions[0].action_ts")
    try:
        about = ButtonValue.from_text(text_at(button, "value"))
    except ValueError as error:
        raise UnreadableError(f"payload.actions[0]: {error}") from error
    name = text_at(payload, "user", "name") or text_at(payload, "user", "username") or user
    return Asked(action=action, alert_id=about.alert_id, episode=about.episode, actor=name, key=f"{user} {pressed_at}")


def _payload(body: bytes) -> Mapping[str, object]:
    try:
        (text,) = parse_qs(body.decode(), max_num_fields=_MOST_FIELDS).get("payload", [])
        payload = load_foreign_json(text)
    except ValueError as error:
        raise UnreadableError("the body is no form with one payload of JSON") from error
    if not isinstance(payload, dict):
        raise UnreadableError("payload is no JSON object")
    return cast("Mapping[str, object]", payload)
