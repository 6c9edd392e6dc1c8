"""What a person asked in another tool, and the change of the alert that it means. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.by_hand import (
    HandChange,
    NotApplicableError,
    acknowledge,
    resolve_by_hand,
    unacknowledge,
)
from barograph_core.alerts.record import AlertRecord, episode_key
from barograph_core.text.one_line import one_line

# As long as the API allows.
_LONGEST_ACTOR: Final = 128


class UnreadableError(ValueError):
    """The body is not what the tool sends; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of a person.

    Attributes:
        action: What they ask for.
        alert_id: The alert; empty where the tool knows only the episode.
        episode: Key of its episode.
        actor: Name of the person there.
        key: The same each time that this request is sent.
    """

    action: Literal["ack", "unack", "resolve"]
    alert_id: str = ""
    episode: str
    actor: str
    key: str

    def decide(self, record: AlertRecord, *, tool: str, now_ms: int) -> HandChange:
        """Return the change; its note names the tool, because the actor is no name of a token.

        Raises:
            NotApplicableError: The alert is in a later episode, or in another state.
        """
        if not is_in_episode(record, self.episode):
            raise NotApplicableError(f"alert {record.alert_id!r} is in a later episode")
        note, via, actor = f"in {tool}", tool.lower(), one_line(self.actor, _LONGEST_ACTOR)
        match self.action:
            case "ack":
                return acknowledge(record, Acknowledgement(actor=actor, at_ms=now_ms, note=note), via=via)
            case "unack":
                return unacknowledge(record, actor=actor, note=note, now_ms=now_ms, via=via)
            case "resolve":
                return resolve_by_hand(record, actor=actor, note=note, now_ms=now_ms)


def is_in_episode(record: AlertRecord, episode: str) -> bool:
    return episode_key(record.alert_id, record.episode_ms) == episode


def text_at(document: object, *path: str) -> str:
    """Return the text at a path of JSON objects; empty where there is none."""
    for name in path:
        if not isinstance(document, Mapping):
            return ""
        document = cast("Mapping[str, object]", document).get(name)
    return document if isinstance(document, str) else ""
