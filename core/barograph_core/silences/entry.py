"""The entries of the alerts stream about silences: one for each change, with who made it and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

from barograph_core.alerts.record import json_text
from barograph_core.errors import MalformedEventError
from barograph_core.matching.label_matcher import LabelMatcher
from barograph_core.silences.silence import EndReason, Silence, matchers_from_plain, matchers_to_plain
from barograph_core.text.foreign_json import load_foreign_json

KIND: Final = "silence"
Change = Literal["added", "changed", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceEntry:
    """A change of a silence.

    Attributes:
        change: What happened to it; one that only a newer version knows is read as it is.
        silence_id: The silence.
        matchers: Of the silence.
        starts_ms: Its begin, wall time.
        ends_ms: Its end from now on; ``None``: until nothing that it mutes is pending or firing.
        at_ms: Wall time of the change.
        actor: Who made it; empty when the silence ended by itself.
        note: The comment of the silence, or why it was ended.
        reason: Why it ended: one of ``EndReason``; else empty.
    """

    change: str
    silence_id: str
    matchers: tuple[LabelMatcher, ...]
    starts_ms: int
    ends_ms: int | None
    at_ms: int
    actor: str = ""
    note: str = ""
    reason: str = ""

    def to_fields(self) -> list[str]:
        """Return names and values in turn."""
        return [
            *("kind", KIND),
            *("change", self.change),
            *("silence_id", self.silence_id),
            *("matchers", json_text(matchers_to_plain(self.matchers))),
            *("starts_ms", str(self.starts_ms)),
            *("ends_ms", "" if self.ends_ms is None else str(self.ends_ms)),
            *("at_ms", str(self.at_ms)),
            *("actor", self.actor),
            *("note", self.note),
            *("reason", self.reason),
        ]

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """Read an entry of this kind.

        Raises:
            MalformedEventError: A field is missing or unreadable.
        """
        texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
        try:
            return cls(
                change=texts["change"],
                silence_id=texts["silence_id"],
                matchers=matchers_from_plain(load_foreign_json(texts["matchers"])),
                starts_ms=int(texts["starts_ms"]),
                ends_ms=int(texts["ends_ms"]) if texts["ends_ms"] else None,
                at_ms=int(texts["at_ms"]),
                actor=texts["actor"],
                note=texts["note"],
                reason=texts["reason"],
            )
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise MalformedEventError(f"silence entry: {exc!r}", fields) from exc


def entry_of(silence: Silence, change: Change) -> SilenceEntry:
    """Return the entry of a change that ``silence`` is the result of."""
    is_end = change == "ended"
    return SilenceEntry(
        change=change,
        silence_id=silence.silence_id,
        matchers=silence.matchers,
        starts_ms=silence.starts_ms,
        ends_ms=silence.ended_ms if is_end else silence.ends_ms,
        at_ms=silence.changed_ms,
        actor=silence.ended_by if is_end else silence.actor,
        note=silence.comment,
        reason=silence.end_reason,
    )


def ended(silence: Silence, reason: EndReason, now_ms: int, by: str = "") -> Silence:
    """Return the silence as of its end."""
    return replace(silence, ended_ms=now_ms, end_reason=reason, ended_by=by, changed_ms=now_ms)
