"""Changes of a service's alerts, and the one call that writes them: ``baro_transition_1``, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from barograph_core.alerts import AlertRecord
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, EntryId, Value, as_list, as_text
from barograph_core.transitions import Transition

CooldownMode = Literal["none", "claim", "break", "remind", "clear"]
# How long a stream is kept is the setting of one stage; what others write there must not trim it by theirs.
NO_TRIM_MS: Final = 10**14
# A claim without a delivery must not mute the next firing for long; the first delivery extends it.
_MAX_CLAIM_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one alert.

    Attributes:
        record: Its state from now on; ``None`` deletes it.
        transition: The entry that tells of it, if any.
        cooldown: How the cooldown key decides on the notification: see the head of ``transition.lua``.
    """

    alert_id: str
    record: AlertRecord | None
    transition: Transition | None = None
    cooldown: CooldownMode = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursors:
    """What the call compares and moves.

    Attributes:
        version: Of the state that was judged.
        closed_from_ms: ``closed_at`` of that state; ``None`` when it had none.
        closed_to_ms: ``closed_at`` from now on; ``None`` leaves it.
        provisional_ms: End of the newest open pane judged; ``None`` when there was none.
    """

    version: str
    closed_from_ms: int | None = None
    closed_to_ms: int | None = None
    provisional_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Hints:
    """Entries of the metrics stream that the call acknowledges, if ``consumer`` still holds them all."""

    group: str
    consumer: str
    ids: tuple[EntryId, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """The call was applied.

    Attributes:
        version: Of the state from now on.
        flags: Per change: ``1`` notified, ``0`` held back by the cooldown, ``-`` no entry, ``x`` not due.
    """

    version: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """Somebody else was first; nothing was applied."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Hints were claimed by another alerter; nothing was applied."""

    ids: frozenset[EntryId]


def write_changes(
    connection: Connection,
    keys: ShardKeys,
    service: str,
    changes: Sequence[Change],
    *,
    cursors: Cursors,
    hints: Hints | None = None,
    keep_alerts_ms: int = NO_TRIM_MS,
) -> Written | Stale | Lost:
    """Apply ``changes``, move the cursors and acknowledge the hints, or do nothing at all.

    Args:
        connection: To the server of the shard.
        keys: Of the shard that holds ``service``.
        service: Whose alerts change.
        changes: At most one function call's worth; the caller cuts long lists.
        cursors: With the version of the state on which the changes rest.
        hints: ``None`` when a person, not a hint, is behind it.
        keep_alerts_ms: How old the alerts stream may grow.

    Raises:
        StreamUnavailableError: As ``Connection.command``.
    """
    names = [keys.state(service), keys.metrics, keys.alerts]
    names += [keys.cooldown(change.alert_id) for change in changes]
    args = _head_args(service, cursors, hints, keep_alerts_ms)
    for change in changes:
        args += _change_args(change)
    status, *rest = as_list(connection.call("baro_transition_1", names, args))
    match as_text(status):
        case "ok":
            return Written(as_text(rest[0]), tuple(map(as_text, as_list(rest[1]))))
        case "stale":
            return Stale()
        case _:
            return Lost(frozenset(EntryId.parse(as_text(entry_id)) for entry_id in rest))


def claim_ms(cooldown_ms: int) -> int:
    """Return how long a claim of the cooldown key lasts until a delivery extends it."""
    return min(cooldown_ms, _MAX_CLAIM_MS)


def _head_args(service: str, cursors: Cursors, hints: Hints | None, keep_alerts_ms: int) -> list[Value]:
    ids = sorted(hints.ids) if hints else []
    return [
        hints.group if hints else "",
        hints.consumer if hints else "",
        service,
        cursors.version,
        _text(cursors.closed_from_ms),
        _text(cursors.closed_to_ms),
        _text(cursors.provisional_ms),
        keep_alerts_ms,
        len(ids),
        *map(str, ids),
    ]


def _change_args(change: Change) -> list[Value]:
    told = change.transition
    fields = told.to_fields() if told else []
    return [
        change.alert_id,
        change.record.to_json() if change.record else "",
        change.cooldown,
        told.cooldown_tag if told else "",
        # The server refuses a life of 0 ms; modes without a key never look at it.
        max(1, claim_ms(told.cooldown_ms)) if told else 1,
        len(fields),
        *fields,
    ]


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
