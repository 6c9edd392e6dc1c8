"""Changes of a service's alerts, and the one call that writes them: ``baro_transition_2``, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, Protocol

from barograph_core.alerts.flapping.flaps import Flaps
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import EntryId, as_entry_id, as_list, as_text


class Unchanged(Enum):
    """The memory of an alert's firings stays as it is."""

    UNCHANGED = "-"


UNCHANGED: Final = Unchanged.UNCHANGED
CooldownMode = Literal["none", "announce", "override", "recall", "clear"]
# Only one stage's settings decide how long a stream is kept. Other writers pass this value, which trims nothing.
NO_TRIM_MS: Final = 10**14


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one alert.

    Attributes:
        record: Its new state; ``None`` deletes it.
        transition: The entry for the alerts stream, if any.
        cooldown: How the alert's quiet channels decide on the notification: see the head of ``transition.lua``.
        is_flap_over: Whether a recall is also due for channels whose last word was a resolution.
        flaps: The new memory of its firings; ``None`` deletes it.
    """

    alert_id: str
    record: AlertRecord | None
    transition: Transition | None = None
    cooldown: CooldownMode = "none"
    is_flap_over: bool = False
    flaps: Flaps | Unchanged | None = UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursors:
    """The version and the cursors that the call compares and sets.

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
        flags: Per change: ``1`` notified, ``0`` some channels are muted, ``-`` no entry, ``x`` not due.
    """

    version: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """Another writer changed the state first; nothing was applied."""


@dataclass(frozen=True, slots=True)
class LostHints:
    """Hints were claimed by another alerter; nothing was applied."""

    ids: frozenset[EntryId]


class FunctionCaller(Protocol):
    """Calls functions of the library: a connection."""

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value] = (), /) -> Reply:
        """Call ``function``. Raises ``StreamUnavailableError`` when the server is gone."""
        ...


def write_changes(
    connection: FunctionCaller,
    keys: ShardKeys,
    service: str,
    changes: Sequence[Change],
    *,
    cursors: Cursors,
    hints: Hints | None = None,
    keep_alerts_ms: int = NO_TRIM_MS,
) -> Written | Stale | LostHints:
    """Apply ``changes``, move the cursors and acknowledge the hints, or do nothing at all.

    Args:
        connection: To the server of the shard.
        keys: Of the shard that holds ``service``.
        service: The service of the alerts.
        changes: Applied in one function call, so the caller splits long lists.
        cursors: With the version of the state that was judged.
        hints: Hints to acknowledge; ``None`` for a change by a person.
        keep_alerts_ms: Age beyond which entries of the alerts stream are trimmed.

    Raises:
        StreamUnavailableError: The server is gone, slow or full.
    """
    names = [keys.state(service), keys.metrics, keys.alerts]
    names += [keys.quiet(change.alert_id) for change in changes]
    args = _head_args(service, cursors, hints, keep_alerts_ms)
    for change in changes:
        args += _change_args(change)
    status, *rest = as_list(connection.call("baro_transition_2", names, args))
    match as_text(status):
        case "ok":
            return Written(as_text(rest[0]), tuple(map(as_text, as_list(rest[1]))))
        case "stale":
            return Stale()
        case _:
            return LostHints(frozenset(as_entry_id(entry_id) for entry_id in rest))


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
    entry = change.transition
    fields = entry.to_fields() if entry else []
    return [
        change.alert_id,
        change.record.to_json() if change.record else "",
        change.cooldown,
        entry.quiet_tag if entry else "",
        int(change.is_flap_over),
        _flaps_text(change.flaps),
        len(fields),
        *fields,
    ]


def _flaps_text(flaps: Flaps | Unchanged | None) -> str:
    if isinstance(flaps, Unchanged):
        return flaps.value
    return "" if flaps is None else flaps.to_json()


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
