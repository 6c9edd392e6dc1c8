"""Writes an alerter's verdicts: acknowledges their hints with them, and takes the cooldown key as is due."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from barograph_alerter.cooldown import claim_or_break
from barograph_core.alert_changes import Change, Cursors, Hints, Lost, Stale, Written, write_changes
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, EntryId, as_text


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
        return write_changes(
            self._connection,
            self._keys,
            service,
            self._with_breaks(changes),
            cursors=cursors,
            hints=Hints(self._group, self._consumer, tuple(ids)) if ids else None,
            keep_alerts_ms=self._keep_alerts_ms,
        )

    def acknowledge(self, ids: Sequence[EntryId]) -> None:
        """Acknowledge hints that concern nothing here. They have no effect, so no fence is needed."""
        if ids:
            self._connection.command("XACK", self._keys.metrics, self._group, *map(str, ids))

    def _with_breaks(self, changes: Sequence[Change]) -> list[Change]:
        """Return the changes; a claim becomes a break where what is announced is milder."""
        claims = [change.alert_id for change in changes if change.cooldown == "claim"]
        tags = self._connection.pipeline([["GET", self._keys.cooldown(alert)] for alert in claims])
        held = {alert: None if tag is None else as_text(tag) for alert, tag in zip(claims, tags, strict=True)}
        return [_taking_the_key(change, held) if change.cooldown == "claim" else change for change in changes]


def _taking_the_key(change: Change, held: Mapping[str, str | None]) -> Change:
    record = change.record
    if record is None:
        return change
    return replace(change, cooldown=claim_or_break(held[change.alert_id], record.severity, record.cooldown_ms))
