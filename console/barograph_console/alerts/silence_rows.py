"""Silences as the API shows them, next to alerts and by themselves. Pure."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from barograph_core.alerts.record import AlertRecord
from barograph_core.matching.label_matcher import match_every
from barograph_core.silences.silence import Silence, labels_of
from barograph_core.silences.store import HeldSilence

StateOfSilence = Literal["active", "pending", "expired"]


class SilenceRow(BaseModel):
    """A silence: what it mutes, from when to when, who asks for it and why."""

    id: str
    state: StateOfSilence
    matchers: list[str] = Field(description="all must match: alertname, service, severity, labels")
    starts_at_ms: int
    ends_at_ms: Annotated[int | None, Field(description="null: when nothing that it mutes is pending or firing")]
    actor: str
    comment: str
    hits: int = Field(description="notifications that it has held back, counted on each channel")
    ended_by: str = Field(description="who ended it; empty when nobody did")


def silence_row(held: HeldSilence, now_ms: int) -> SilenceRow:
    """Return one silence as the API shows it."""
    silence = held.silence
    return SilenceRow(
        id=silence.silence_id,
        state=silence.state_at(now_ms),
        matchers=[str(matcher) for matcher in silence.matchers],
        starts_at_ms=silence.starts_ms,
        ends_at_ms=silence.ends_ms if silence.ended_ms is None else silence.ended_ms,
        actor=silence.actor,
        comment=silence.comment,
        hits=held.hits,
        ended_by=silence.ended_by,
    )


def rows_about(held: Iterable[HeldSilence], service: str, now_ms: int) -> list[SilenceRow]:
    """Return the silences that have not ended and may mute alerts of ``service``."""
    return [
        silence_row(one, now_ms)
        for one in held
        if one.silence.state_at(now_ms) != "expired"
        and match_every((by for by in one.silence.matchers if by.name == "service"), {"service": service})
    ]


def next_change_ms(held: Iterable[HeldSilence], now_ms: int) -> float:
    """Return when a silence begins or ends by itself next; infinity for never."""
    running = [one.silence for one in held if one.silence.state_at(now_ms) != "expired"]
    times = [one.starts_ms for one in running] + [one.ends_ms for one in running if one.ends_ms is not None]
    return min((at_ms for at_ms in times if at_ms > now_ms), default=float("inf"))


def active_silences(held: Iterable[HeldSilence], now_ms: int) -> Sequence[Silence]:
    """Return the silences that mute alerts now."""
    return [one.silence for one in held if one.silence.state_at(now_ms) == "active"]


def silenced_by(record: AlertRecord, silences: Sequence[Silence]) -> list[str]:
    """Return the ids of those of ``silences`` that mute an alert."""
    # Made once: in a storm thousands of alerts meet as many silences.
    labels = labels_of(record) if silences else {}
    return [one.silence_id for one in silences if one.mutes(labels)]
