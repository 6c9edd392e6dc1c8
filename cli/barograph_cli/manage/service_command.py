"""Retires, deletes and lists services; ``barograph service`` prints the results."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from barograph_cli.failure import CommandError
from barograph_core.clock import Clock, SystemClock
from barograph_core.keyspace.keys import ShardKeys, stream_keys
from barograph_core.server.connection import Connection
from barograph_core.server.foreign_replies import as_scores
from barograph_core.server.replies import EntryId, as_int
from barograph_core.services.ending import Found, ServiceEnd, Waiting, read_deleted
from barograph_core.services.listing import LIVE_MS

_RETIRING: Final = "barograph service retire"
_DELETING: Final = "barograph service delete"
_LOOK_AGAIN_S: Final = 0.1
T = TypeVar("T")
_NAMES_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Retired:
    """A service that has retired. ``alerts_ended`` counts those that were pending or firing."""

    service: str
    alerts_ended: int


@dataclass(frozen=True, slots=True)
class Removed:
    """A service that was deleted.

    Attributes:
        keys: How many keys it had.
        entries_up_to: Its events up to this entry do not count, read or not.
        entries: Entries of it by stream: deleted when ``are_entries_deleted``, else there until they are trimmed.
        waits_for: What is still to happen before its events are all gone; empty when nothing is.
    """

    service: str
    keys: int
    entries_up_to: str
    entries: dict[str, int]
    are_entries_deleted: bool
    waits_for: str = ""


class ServiceCommand:
    """Carries out ``retire`` and ``delete`` and says what it does."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, service: str, *, wait_s: float, clock: Clock | None = None
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._service = service
        self._end = ServiceEnd(connection, keys, service)
        self._wait_s = wait_s
        self._clock = clock or SystemClock()

    def retire(self) -> Retired:
        """Retire the service and end its alerts.

        Raises:
            CommandError: Events of it are still on their way, or it is not known.
        """
        if not self._is_listed():
            raise self._unknown()
        until = self._end.newest_event()
        waiting = self._wait(lambda: self._end.retire(until))
        if waiting is not None:
            raise CommandError(f"{self._service!r} cannot retire yet: {_told(waiting)}{self._live_producers()}")
        alerts = self._end.end_alerts(_RETIRING, self._clock.now_ms())
        # Once more: now that no alert is left, its state goes too.
        self._end.retire(until)
        return Retired(self._service, alerts)

    def delete(self, *, is_with_streams: bool) -> Removed:
        """Delete every key of the service, and with ``is_with_streams`` its entries on every stream.

        First its alerts end, so that whoever was told of one hears of its end; channels have the time of ``wait_s``.

        Raises:
            CommandError: There is no key of it, and no entry on any stream.
        """
        if not self._has_left_anything():
            raise self._unknown()
        ended = self._end.end_alerts(_DELETING, self._clock.now_ms())
        until = self._end.newest_alert_entry() if ended else None
        alerts = self._end.search(self._keys.alerts)
        untold = self._wait(lambda: self._end.untold(alerts.alerts, until) or None) or {}
        deleted = self._end.delete(keep=untold)
        waiting = self._wait(self._end.finish_deletion)
        entries = self._look_through(
            deleted.entry_id, alerts, waiting, is_deleting=is_with_streams, keeps_alerts=bool(untold)
        )
        return Removed(
            service=self._service,
            keys=deleted.keys,
            entries_up_to=str(deleted.entry_id),
            entries=entries,
            are_entries_deleted=is_with_streams,
            waits_for="; ".join(filter(None, (_untold(untold), "" if waiting is None else _told(waiting)))),
        )

    def _is_listed(self) -> bool:
        return bool(as_int(self._connection.command("HEXISTS", self._keys.closed, self._service)))

    def _has_left_anything(self) -> bool:
        """Say whether the service has a key or an entry; a retired service still has some."""
        keys, service = self._keys, self._service
        own = [keys.series(service), keys.state(service), keys.producers(service), keys.blocks(service)]
        # The service may have been deleted before and wait for the aggregators: look whether that is over.
        is_going = service in read_deleted(self._connection, keys)
        if self._is_listed() or is_going or as_int(self._connection.command("EXISTS", *own)):
            return True
        return any(self._end.search(stream).entries for stream in stream_keys(keys).values())

    def _unknown(self) -> CommandError:
        return CommandError(f"there is no service {self._service!r}; `barograph service list` names them")

    def _look_through(
        self, until: EntryId, alerts: Found, waiting: Waiting | None, *, is_deleting: bool, keeps_alerts: bool
    ) -> dict[str, int]:
        """Look for entries of the service on every stream: events only as far as the aggregators have come."""
        if waiting is not None and waiting.oldest is not None:
            # Only entries that no aggregator still has to read: an entry deleted unread counts as lost.
            until = min(until, EntryId(max(0, waiting.oldest.ms - 1), 2**63))
        counts: dict[str, int] = {}
        instances = set(alerts.instances)
        for name, key in stream_keys(self._keys).items():
            found = self._end.search(
                key,
                until if name == "events" else None,
                sorted(alerts.transitions) if name == "deliveries" else (),
                # A channel that has not read the end of an alert yet would never hear of it.
                is_deleting=is_deleting and not (keeps_alerts and name == "alerts"),
            )
            counts[name] = found.entries
            instances |= found.instances
        if is_deleting:
            self._forget_producers(sorted(instances))
        return counts

    def _forget_producers(self, instances: list[str]) -> None:
        """Remove the reports of producers that said goodbye; only the entries still name them."""
        names = [self._keys.producer(instance) for instance in instances]
        for at in range(0, len(names), _NAMES_AT_ONCE):
            self._connection.command("UNLINK", *names[at : at + _NAMES_AT_ONCE])

    def _wait(self, step: Callable[[], T | None]) -> T | None:
        """Repeat ``step`` until nothing has to happen first, or the time for it is over."""
        deadline = self._clock.monotonic_ms() + self._wait_s * 1_000
        pause = threading.Event()
        while (waiting := step()) is not None and self._clock.monotonic_ms() < deadline:
            pause.wait(_LOOK_AGAIN_S)
        return waiting

    def _live_producers(self) -> str:
        newest = as_scores(
            self._connection.command("ZRANGE", self._keys.producers(self._service), 0, 2, "REV", "WITHSCORES")
        )
        now_ms = self._clock.now_ms()
        live = [name for name, through in newest.items() if now_ms - through <= LIVE_MS]
        return f"; stop its producers first, such as {live[0]}" if live else ""


def _untold(untold: Mapping[str, Sequence[str]]) -> str:
    if not untold:
        return ""
    count = len({alert for alerts in untold.values() for alert in alerts})
    return f"{', '.join(sorted(untold))} may still have to tell of the end of {count} alerts (is a notifier running?)"


def _told(waiting: Waiting) -> str:
    if waiting.open_panes:
        return f"{waiting.open_panes} of its panes are still open (is an aggregator running?)"
    return f"no aggregator has committed entry {waiting.oldest} yet (is one running?)"
