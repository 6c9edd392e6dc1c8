"""The call of ``baro_transition_1``: changes of one service, its cursors and the hints, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from barograph_alerter.cooldown import claim_ms, claim_or_break
from barograph_alerter.service_state import Change
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, EntryId, Value, as_bytes, as_list, as_text


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
    """Another alerter was first; nothing was applied."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Hints were claimed by another alerter; nothing was applied."""

    ids: frozenset[EntryId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursors:
    """What the call moves.

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


class TransitionWriter:
    """Writes changes on behalf of one consumer."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, *, group: str, consumer: str, keep_alerts_ms: int
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._group = group
        self._consumer = consumer
        self._keep_alerts_ms = keep_alerts_ms

    def write(
        self, service: str, cursors: Cursors, changes: Sequence[Change], ids: Sequence[EntryId]
    ) -> Written | Stale | Lost:
        """Apply ``changes``, move the cursors and acknowledge ``ids``, or do nothing at all."""
        modes = self._modes(changes)
        keys = [self._keys.state(service), self._keys.metrics, self._keys.alerts]
        keys += [self._keys.cooldown(change.alert_id) for change in changes]
        ordered = sorted(ids)
        args: list[Value] = [
            self._group if ordered else "",
            self._consumer,
            service,
            cursors.version,
            _text(cursors.closed_from_ms),
            _text(cursors.closed_to_ms),
            _text(cursors.provisional_ms),
            self._keep_alerts_ms,
            len(ordered),
            *map(str, ordered),
        ]
        for change, mode in zip(changes, modes, strict=True):
            args += _change_args(change, mode)
        status, *rest = as_list(self._connection.call("baro_transition_1", keys, args))
        match as_bytes(status):
            case b"ok":
                return Written(as_text(rest[0]), tuple(as_text(flag) for flag in as_list(rest[1])))
            case b"stale":
                return Stale()
            case _:
                return Lost(frozenset(EntryId.parse(as_bytes(entry_id)) for entry_id in rest))

    def acknowledge(self, ids: Sequence[EntryId]) -> None:
        """Acknowledge hints that concern nothing here. They have no effect, so no fence is needed."""
        if ids:
            self._connection.command("XACK", self._keys.metrics, self._group, *map(str, ids))

    def _modes(self, changes: Sequence[Change]) -> list[str]:
        """Return each change's cooldown mode; a claim becomes a break where what is announced is milder."""
        claims = [change for change in changes if change.cooldown == "claim"]
        if not claims:
            return [change.cooldown for change in changes]
        commands = [["GET", self._keys.cooldown(change.alert_id)] for change in claims]
        held = dict(zip((change.alert_id for change in claims), self._connection.pipeline(commands), strict=True))
        modes: list[str] = []
        for change in changes:
            record = change.record
            if change.cooldown != "claim" or record is None:
                modes.append(change.cooldown)
                continue
            tag = held[change.alert_id]
            modes.append(claim_or_break(None if tag is None else as_text(tag), record.severity, record.cooldown_ms))
        return modes


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def _change_args(change: Change, mode: str) -> list[Value]:
    told = change.transition
    fields = told.to_fields() if told else []
    return [
        change.alert_id,
        change.record.to_json() if change.record else "",
        mode,
        told.cooldown_tag if told else "",
        # The server refuses a life of 0 ms; modes without a key never look at it.
        max(1, claim_ms(told.cooldown_ms)) if told else 1,
        len(fields),
        *fields,
    ]
