"""The messages of the live connection, as text. Each begins with its type."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pydantic_core import to_json

from barograph_console.alerts.silence_rows import active_silences, rows_about, silenced_by
from barograph_console.alerts.view import alert_row
from barograph_console.markers.rows import MarkerRow
from barograph_console.store.ports import AlertEntry
from barograph_core.alerts.published_rules import PublishedRules
from barograph_core.alerts.record import AlertRecord
from barograph_core.silences.entry import SilenceEntry
from barograph_core.silences.silence import Silence
from barograph_core.silences.store import HeldSilence

PROTOCOL: Final = 1
TICK_MS: Final = 1_000
RETRY_MS: Final = 800


class Message(NamedTuple):
    """A message without its number: its type, and its members as JSON."""

    kind: str
    body: str


def json_of(value: object) -> str:
    """Return ``value`` as JSON; dataclasses and models are taken as they are declared."""
    return to_json(value, inf_nan_mode="null").decode()


def members_of(values: Mapping[str, object]) -> str:
    """Return the members of an object as JSON, without the braces around them."""
    return json_of(values)[1:-1]


def hello_message(*, epoch: str, name: str, role: str, version: str) -> str:
    """Return what a client gets first."""
    return json_of(
        {
            "type": "hello",
            "protocol": PROTOCOL,
            "epoch": epoch,
            "tick_ms": TICK_MS,
            "name": name,
            "role": role,
            "version": version,
        }
    )


def snapshot_message(topic: str, seq: int, state: str) -> str:
    """Return the whole state of a topic; ``state`` is JSON."""
    return f'{{"type":"snapshot","service":"{topic}","seq":{seq},"state":{state}}}'


def reset_message(topic: str, seq: int, reason: str) -> str:
    """Return what makes a client drop what it has, because what follows does not continue it."""
    return f'{{"type":"reset","service":"{topic}","seq":{seq},"reason":"{reason}"}}'


def bye_message() -> str:
    """Return the last message before the console stops."""
    return json_of({"type": "bye", "reason": "restarting", "retry_ms": RETRY_MS})


def marker_message(marker: MarkerRow, now_ms: int) -> Message:
    """Return the message of a new marker."""
    return Message("marker", members_of({"at_ms": now_ms, "marker": marker}))


def alert_messages(
    entries: Iterable[AlertEntry],
    records: Iterable[AlertRecord],
    rules: PublishedRules | None,
    silences: Sequence[Silence] = (),
) -> Iterator[tuple[str, Message]]:
    """Yield service and message for each change of an alert.

    Args:
        entries: Of the alerts stream.
        records: The alerts of their services as they are now. A change that was overtaken by another shows what
            holds now, as its successor does.
        rules: The rules in force.
        silences: Those that mute alerts now.
    """
    by_id = {record.alert_id: record for record in records}
    for entry in entries:
        transition = entry.transition
        record = by_id.get(transition.alert_id) or _record_of(entry)
        change = {
            "from": transition.before.value,
            "to": transition.after.value,
            "actor": transition.actor,
            "reason": transition.reason,
        }
        document = {
            "at_ms": transition.at_ms,
            "entry_id": str(entry.id),
            "alert": alert_row(record, rules, silences),
            "change": change,
        }
        yield transition.service, Message("alert", members_of(document))


def silence_message(
    service: str,
    held: Iterable[HeldSilence],
    records: Iterable[AlertRecord],
    entries: Sequence[SilenceEntry],
    now_ms: int,
) -> Message:
    """Return what the silences of a service are now, and which alerts they mute: it takes the place of all before.

    Args:
        service: Whose alerts.
        held: Every silence.
        records: The alerts of the service.
        entries: What brought it about; empty where only time did.
        now_ms: Wall time.
    """
    known = list(held)
    active = active_silences(known, now_ms)
    muted = {one.alert_id: ids for one in records if one.is_active and (ids := silenced_by(one, active))}
    changes = [
        {"id": one.silence_id, "what": one.change, "actor": one.actor, "note": one.note, "reason": one.reason}
        for one in dict.fromkeys(entries)
    ]
    document = {"at_ms": now_ms, "silences": rows_about(known, service, now_ms), "silenced": muted, "changes": changes}
    return Message("silence", members_of(document))


def _record_of(entry: AlertEntry) -> AlertRecord:
    """Return the record of an alert that has none any more, as its last entry tells it."""
    transition = entry.transition
    return AlertRecord(
        alert_id=transition.alert_id,
        rule=transition.rule,
        service=transition.service,
        labels=transition.labels,
        severity=transition.severity,
        state=transition.after,
        episode_ms=transition.episode_ms,
        changed_at_ms=transition.at_ms,
        breached_to_ms=transition.episode_ms,
        value=transition.value,
        threshold=transition.threshold,
        summary=transition.summary,
        runbook=transition.runbook,
        contributors=transition.contributors,
    )
