"""Carries out the end of a service, and tells what there is; ``barograph service`` prints it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from barograph_cli.failure import CommandError
from barograph_cli.history.selection import read_deleted
from barograph_cli.server_clock import read_now
from barograph_cli.streams import stream_keys
from barograph_core.clock import Clock, SystemClock
from barograph_core.keys import ShardKeys
from barograph_core.service_end import Found, ServiceEnd, Waiting
from barograph_core.stream import Connection, EntryId, as_hash, as_int, as_list, as_text

_ACTOR: Final = "barograph service retire"
_LOOK_AGAIN_S: Final = 0.1
# A producer reports each second.
_LIVE_MS: Final = 10_000
_NAMES_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class ListedService:
    """One service that is not retired.

    Attributes:
        closed_age_ms: How far back its panes are closed.
        heard_age_ms: How long ago its newest event was, ``None`` when no pane with one has closed yet.
        producers: Those that have not said goodbye.
        live: Those of them that reported within the last ten seconds.
        alerts: Alerts pending, firing or muted.
    """

    service: str
    shard: str
    closed_age_ms: int
    heard_age_ms: int | None
    producers: int
    live: int
    alerts: int


def list_services(connection: Connection, keys: ShardKeys) -> list[ListedService]:
    """Return the services of one shard by name."""
    now_ms = read_now(connection)
    closed, heard = connection.pipeline([["HGETALL", keys.closed], ["ZRANGE", keys.heard, 0, -1, "WITHSCORES"]])
    newest = {name: int(float(score)) for name, score in as_hash(heard).items()}
    listed: list[ListedService] = []
    for service, through in sorted(as_hash(closed).items()):
        producers, live, state = connection.pipeline(
            [
                ["ZCARD", keys.producers(service)],
                ["ZCOUNT", keys.producers(service), now_ms - _LIVE_MS, "+inf"],
                ["HKEYS", keys.state(service)],
            ]
        )
        heard_ms = newest.get(service)
        listed.append(
            ListedService(
                service=service,
                shard=keys.tag,
                closed_age_ms=max(0, now_ms - int(through)),
                heard_age_ms=None if heard_ms is None else max(0, now_ms - heard_ms),
                producers=as_int(producers),
                live=as_int(live),
                alerts=sum(as_text(name).startswith("alert:") for name in as_list(state)),
            )
        )
    return listed


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
        alerts = self._end.end_alerts(_ACTOR, self._clock.now_ms())
        # Once more: now that no alert is left, its state goes too.
        self._end.retire(until)
        return Retired(self._service, alerts)

    def delete(self, *, is_with_streams: bool) -> Removed:
        """Delete every key of the service, and with ``is_with_streams`` its entries on every stream.

        Raises:
            CommandError: There is no key of it, and no entry on any stream.
        """
        if not self._has_left_anything():
            raise self._unknown()
        alerts = self._end.search(self._keys.alerts)
        deleted = self._end.delete()
        waiting = self._wait(self._end.finish_deletion)
        entries = self._look_through(deleted.entry_id, alerts, waiting, is_deleting=is_with_streams)
        return Removed(
            service=self._service,
            keys=deleted.keys,
            entries_up_to=str(deleted.entry_id),
            entries=entries,
            are_entries_deleted=is_with_streams,
            waits_for="" if waiting is None else _told(waiting),
        )

    def _is_listed(self) -> bool:
        return bool(as_int(self._connection.command("HEXISTS", self._keys.closed, self._service)))

    def _has_left_anything(self) -> bool:
        """Say whether a key or an entry tells of the service: one that has retired still has some."""
        keys, service = self._keys, self._service
        own = [keys.series(service), keys.state(service), keys.producers(service), keys.blocks(service)]
        # One that was deleted and waits for the aggregators: the same command looks whether that is over.
        is_going = service in read_deleted(self._connection, keys)
        if self._is_listed() or is_going or as_int(self._connection.command("EXISTS", *own)):
            return True
        return any(self._end.search(stream).entries for stream in stream_keys(keys).values())

    def _unknown(self) -> CommandError:
        return CommandError(f"there is no service {self._service!r}; `barograph service list` names them")

    def _look_through(
        self, until: EntryId, alerts: Found, waiting: Waiting | None, *, is_deleting: bool
    ) -> dict[str, int]:
        """Look for entries of the service on every stream: events only as far as the aggregators have come."""
        if waiting is not None and waiting.oldest is not None:
            # Not under the hands of an aggregator: an entry that goes unread counts as lost.
            until = min(until, EntryId(max(0, waiting.oldest.ms - 1), 2**63))
        counts: dict[str, int] = {}
        instances = set(alerts.instances)
        for name, key in stream_keys(self._keys).items():
            found = self._end.search(
                key,
                until if name == "events" else None,
                sorted(alerts.transitions) if name == "deliveries" else (),
                is_deleting=is_deleting,
            )
            counts[name] = found.entries
            instances |= found.instances
        if is_deleting:
            self._forget_producers(sorted(instances))
        return counts

    def _forget_producers(self, instances: list[str]) -> None:
        """Remove the reports of producers that said goodbye: only the entries still tell which they were."""
        names = [self._keys.producer(instance) for instance in instances]
        for at in range(0, len(names), _NAMES_AT_ONCE):
            self._connection.command("UNLINK", *names[at : at + _NAMES_AT_ONCE])

    def _wait(self, step: Callable[[], Waiting | None]) -> Waiting | None:
        """Repeat ``step`` until nothing has to happen first, or the time for it is over."""
        deadline = self._clock.monotonic_ms() + self._wait_s * 1_000
        pause = threading.Event()
        while (waiting := step()) is not None and self._clock.monotonic_ms() < deadline:
            pause.wait(_LOOK_AGAIN_S)
        return waiting

    def _live_producers(self) -> str:
        newest = as_hash(
            self._connection.command("ZRANGE", self._keys.producers(self._service), 0, 2, "REV", "WITHSCORES")
        )
        now_ms = self._clock.now_ms()
        live = [name for name, through in newest.items() if now_ms - float(through) <= _LIVE_MS]
        return f"; stop its producers first, such as {live[0]}" if live else ""


def _told(waiting: Waiting) -> str:
    if waiting.open_panes:
        return f"{waiting.open_panes} of its panes are still open (is an aggregator running?)"
    return f"no aggregator has committed entry {waiting.oldest} yet (is one running?)"
