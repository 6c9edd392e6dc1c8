"""Who has taken a firing alert on, and until when."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

# Ids of what buttons do. Messages that were sent bear them for as long as they can be seen.
ACKNOWLEDGE_BUTTON: Final = "barograph_acknowledge"
TAKE_BACK_BUTTON: Final = "barograph_take_back"
_BUTTON_VALUE: Final = re.compile(r"([0-9a-f]{16}) ([0-9a-f]{32})\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A person's word that they look after an alert. It ends with the episode, or when its severity rises.

    Attributes:
        actor: The person.
        at_ms: Wall time.
        until_ms: Wall time at which it ends by itself; ``None``: it lasts as long as the episode.
        note: What they say about it.
    """

    actor: str
    at_ms: int
    until_ms: int | None = None
    note: str = ""

    def has_expired(self, now_ms: int) -> bool:
        return self.until_ms is not None and self.until_ms <= now_ms

    def to_plain(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {"actor": self.actor, "at_ms": self.at_ms, "until_ms": self.until_ms, "note": self.note}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read the result of ``to_plain``.

        Raises:
            ValueError: A time is no number.
            KeyError: Something is missing.
        """
        until_ms = plain.get("until_ms")
        return cls(
            actor=str(plain["actor"]),
            at_ms=int(plain["at_ms"]),
            until_ms=None if until_ms is None else int(until_ms),
            note=str(plain.get("note", "")),
        )


@dataclass(frozen=True, slots=True)
class ButtonValue:
    """What a button to acknowledge, or to take that back, is about.

    Attributes:
        alert_id: The alert.
        episode: Key of its episode: a button of an earlier one must change nothing.
    """

    alert_id: str
    episode: str

    def to_text(self) -> str:
        return f"{self.alert_id} {self.episode}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the result of ``to_text``.

        Raises:
            ValueError: It is something else.
        """
        found = _BUTTON_VALUE.match(text)
        if found is None:
            raise ValueError(f"the button's value {text[:64]!r} is no alert and episode")
        return cls(*found.groups())
