"""Ends a service: a retired one leaves its panes to expire, a deleted one leaves nothing.

Every step is one function call that compares before it writes, so it is safe while workers run.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from barograph_core.alerts.change import NO_TRIM_MS, Change, Cursors, Written, write_changes
from barograph_core.alerts.flapping.flaps import incident_of
from barograph_core.alerts.reason import SERVICE_RETIRED
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.state import ServiceState, alert_ids
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, NOTIFIER_GROUP, ShardKeys, pane_member
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import EntryId, as_bytes, as_entry_id, as_facts, as_hash, as_int, as_list, as_text

_DELETED: Final = "deleted:"


def read_deleted(connection: Connection, keys: ShardKeys) -> dict[str, EntryId]:
    """Return the deleted services of a shard, each with the newest entry that was deleted with it."""
    progress = as_hash(connection.command("HGETALL", keys.progress))
    return {
        name.removeprefix(_DELETED): EntryId.parse(entry_id)
        for name, entry_id in progress.items()
        if name.startswith(_DELETED)
    }


_BLOCK: Final = re.compile(rb"(\d{1,16}):(\d{1,16})\Z")
_ATTEMPTS: Final = 50
_AT_ONCE: Final = 100
_PAGE: Final = 500


class ContendedServiceError(BarographError):
    """A service kept changing while it was ended. Raised here; no step is half done; the command says to try again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The reason why a service cannot be ended yet.

    Attributes:
        open_panes: Panes of the service that the watermark has not passed.
        oldest: The oldest entry that no aggregator has committed, when the log is behind.
    """

    open_panes: int = 0
    oldest: EntryId | None = None


@dataclass(slots=True)
class Found:
    """Entries of a service on a stream, and the instances, transitions and alerts that their fields name."""

    entries: int = 0
    instances: set[str] = field(default_factory=set[str])
    transitions: set[str] = field(default_factory=set[str])
    alerts: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Deleted:
    """The result of a deletion: entries of the service up to ``entry_id`` no longer count.

    Attributes:
        keys: Number of keys that were deleted.
    """

    entry_id: EntryId
    keys: int


def retire_call(
    keys: ShardKeys,
    group: str,
    service: str,
    *,
    until: EntryId | None = None,
    idle_before_ms: int = 0,
    keep_metrics_ms: int,
) -> list[Value]:
    """Return the command that retires ``service``.

    With ``until`` it is retired once all entries up to it are committed, otherwise if it is idle: no event and no
    producer since ``idle_before_ms``, and no alert.
    """
    names = [keys.events, keys.closed, keys.open, keys.progress, keys.heard, keys.producers(service)]
    names += [keys.series(service), keys.state(service), keys.metrics]
    by_hand: list[Value] = ["" if until is None else str(until), "" if until is not None else idle_before_ms]
    return ["FCALL", "baro_retire_1", len(names), *names, group, service, *by_hand, keep_metrics_ms]


def deleted_call(keys: ShardKeys, group: str, service: str) -> list[Value]:
    """Return the command that ends the deletion of ``service`` once all entries from before it are finished."""
    names = [keys.events, keys.closed, keys.open, keys.progress, keys.series(service), keys.state(service)]
    return ["FCALL", "baro_deleted_1", len(names), *names, group, service]


class ServiceEnd:
    """Ends one service of one shard. For one thread."""

    def __init__(self, connection: Connection, keys: ShardKeys, service: str) -> None:
        self._connection = connection
        self._keys = keys
        self._service = service

    def newest_event(self) -> EntryId:
        """Return the id of the newest entry of the events stream."""
        found = as_list(self._connection.command("XREVRANGE", self._keys.events, "+", "-", "COUNT", 1))
        return as_entry_id(as_list(found[0])[0]) if found else EntryId(0, 0)

    def retire(self, until: EntryId) -> Waiting | None:
        """Remove the service from the lists; return ``None`` when that is done.

        Args:
            until: Entries up to it must be committed first: they would bring the service back.
        """
        call = retire_call(self._keys, AGGREGATOR_GROUP, self._service, until=until, keep_metrics_ms=NO_TRIM_MS)
        status, *rest = as_list(self._connection.command(*call))
        if as_text(status) == "open":
            return Waiting(open_panes=as_int(rest[0]))
        if as_text(status) == "behind":
            return Waiting(oldest=as_entry_id(rest[0]))
        return None

    def end_alerts(self, actor: str, now_ms: int) -> int:
        """Resolve every alert of the service, and return how many were pending or firing.

        Raises:
            ContendedServiceError: Other processes kept changing its alerts.
        """
        ended = 0
        for _ in range(_ATTEMPTS):
            state = ServiceState.from_hash(
                as_hash(self._connection.command("HGETALL", self._keys.state(self._service)))
            )
            # A record that cannot be read is removed without an entry.
            alerts = [*state.records, *state.unreadable, *(one for one in state.flaps if one not in state.records)]
            if not alerts:
                return ended
            changes = [_end(alert, state, actor, now_ms) for alert in alerts[:_AT_ONCE]]
            cursors = Cursors(version=state.version)
            written = write_changes(self._connection, self._keys, self._service, changes, cursors=cursors)
            if isinstance(written, Written):
                ended += sum(change.transition is not None for change in changes)
        raise ContendedServiceError(f"the alerts of service {self._service!r} keep changing; try again")

    def newest_alert_entry(self) -> EntryId:
        """Return the id of the newest entry of the alerts stream."""
        found = as_list(self._connection.command("XREVRANGE", self._keys.alerts, "+", "-", "COUNT", 1))
        return as_entry_id(as_list(found[0])[0]) if found else EntryId(0, 0)

    def untold(self, alerts: Collection[str], until: EntryId | None) -> dict[str, list[str]]:
        """Return the channels that still have something to send about ``alerts``, and about which of them.

        Args:
            alerts: Ids of the service's alerts.
            until: A channel that has not read the alerts stream up to this entry may have something to send about each
                of them; ``None`` where no entry matters.
        """
        found: dict[str, list[str]] = {}
        for channel in self._channels():
            if until is not None and self._is_behind(channel, until):
                found[channel] = sorted(alerts)
                continue
            fields = self._connection.pipeline(
                [["HKEYS", self._keys.outbox_items(channel, alert)] for alert in sorted(alerts)]
            )
            # Queued items have entry ids for names; the other fields are what the channel remembers.
            queued = [any(b"-" in as_bytes(name) for name in as_list(names)) for names in fields]
            waiting = [alert for alert, is_queued in zip(sorted(alerts), queued, strict=True) if is_queued]
            if waiting:
                found[channel] = waiting
        return found

    def _is_behind(self, channel: str, until: EntryId) -> bool:
        group = f"{NOTIFIER_GROUP}{channel}"
        groups = map(as_facts, as_list(self._connection.command("XINFO", "GROUPS", self._keys.alerts)))
        facts = next((one for one in groups if as_text(one["name"]) == group), None)
        if facts is None:
            return False
        if as_entry_id(facts["last-delivered-id"]) < until:
            return True
        pending = as_list(self._connection.command("XPENDING", self._keys.alerts, group))
        return as_int(pending[0]) > 0 and as_entry_id(pending[1]) <= until

    def delete(self, keep: Mapping[str, Sequence[str]] = MappingProxyType({})) -> Deleted:
        """Remove every key of the service, in one step.

        Alerts in ``keep``, by channel, stay in that channel's outbox: it has not told of their end yet. The last
        sequence numbers of its producers (``seq:<instance>``) stay until they expire within 24 h: without
        them, a live producer would send batches a second time.

        Raises:
            ContendedServiceError: The service kept changing.
        """
        alerts = self.search(self._keys.alerts).alerts
        for _ in range(_ATTEMPTS):
            members, others = self._derive(alerts)
            kept = {self._keys.outbox_items(channel, alert) for channel, some in keep.items() for alert in some}
            others = [name for name in others if name not in kept]
            names: list[Value] = [self._keys.events, self._keys.closed, self._keys.open, self._keys.rollups]
            names += [self._keys.progress, self._keys.heard, self._keys.producers(self._service)]
            names += [self._keys.series(self._service), self._keys.state(self._service)]
            names += [self._keys.blocks(self._service), *others]
            call: list[Value] = ["FCALL", "baro_delete_1", len(names), *names, self._service, *members]
            reply = as_list(self._connection.command(*call))
            if as_text(reply[0]) == "ok":
                self._forget_weights(members)
                return Deleted(as_entry_id(reply[1]), as_int(reply[2]))
        raise ContendedServiceError(f"service {self._service!r} keeps changing; try again")

    def _forget_weights(self, members: Sequence[bytes]) -> None:
        """Subtract the blocks among ``members`` from the recorded memory of closed panes."""
        blocks = list(_places(members))
        for first in range(0, len(blocks), _AT_ONCE):
            some = blocks[first : first + _AT_ONCE]
            keys = [self._keys.store, self._keys.weights]
            keys += [self._keys.panes(self._service, step_ms, start_ms) for step_ms, start_ms in some]
            names = [pane_member(self._service, step_ms, start_ms) for step_ms, start_ms in some]
            self._connection.call("baro_weigh_1", keys, ["", *names])

    def _derive(self, alerts: set[str]) -> tuple[list[bytes], list[Value]]:
        """Return the members of the shard's lists that belong to the service, and the keys behind these members.

        Members are bytes, because any client may have written some that are no text: they go too.
        """
        keys, service = self._keys, self._service
        opened, rollups, blocks, producers, state = self._connection.pipeline(
            [
                ["ZRANGE", keys.open, 0, -1],
                ["ZRANGE", keys.rollups, 0, -1],
                ["ZRANGE", keys.blocks(service), 0, -1],
                ["ZRANGE", keys.producers(service), 0, -1],
                ["HKEYS", keys.state(service)],
            ]
        )
        panes, coarse = _of_service(opened, service), _of_service(rollups, service)
        stored, instances = list(map(as_bytes, as_list(blocks))), list(map(as_bytes, as_list(producers)))
        names: list[Value] = [keys.totals(service), keys.shipped(service), keys.folded(service), keys.markers(service)]
        names += [keys.parts(service, start_ms) for _, start_ms in _places(panes, service)]
        names += [keys.rollup_parts(service, *place) for place in _places(coarse, service)]
        names += [keys.panes(service, *place) for place in _places(stored)]
        names += [keys.producer("").encode() + instance for instance in instances]
        for alert in sorted(alerts.union(alert_ids(map(as_text, as_list(state))))):
            names += [keys.cooldown(alert), keys.quiet(alert), keys.escalated(alert)]
            names += [keys.outbox_items(channel, alert) for channel in self._channels()]
        return [*panes, *coarse, *stored, *instances], names

    def _channels(self) -> list[str]:
        if not as_int(self._connection.command("EXISTS", self._keys.alerts)):
            return []
        groups = as_list(self._connection.command("XINFO", "GROUPS", self._keys.alerts))
        names = [as_text(as_facts(group)["name"]) for group in groups]
        return [name.removeprefix(NOTIFIER_GROUP) for name in names if name.startswith(NOTIFIER_GROUP)]

    def finish_deletion(self) -> Waiting | None:
        """End the deletion; return ``None`` when aggregators have finished every entry from before it."""
        status, *rest = as_list(self._connection.command(*deleted_call(self._keys, AGGREGATOR_GROUP, self._service)))
        return None if as_text(status) == "ok" else Waiting(oldest=as_entry_id(rest[0]))

    def search(
        self, stream: str, until: EntryId | None = None, transitions: Sequence[str] = (), *, is_deleting: bool = False
    ) -> Found:
        """Look through a stream for the service's entries, in bounded steps; delete them when ``is_deleting``.

        Args:
            stream: Key of the stream.
            until: The last entry to look at; ``None`` for the end of the stream.
            transitions: Ids of transitions: entries of the deliveries stream name these and not the service.
            is_deleting: Whether to delete the entries found.
        """
        found = Found()
        for reply in self._steps(stream, until, transitions, "delete" if is_deleting else "look"):
            found.entries += as_int(reply[1])
            for names, listed in zip((found.instances, found.transitions, found.alerts), reply[2:], strict=True):
                names.update(map(as_text, as_list(listed)))
        return found

    def _steps(
        self, stream: str, until: EntryId | None, transitions: Sequence[str], mode: str
    ) -> Iterator[list[Reply]]:
        after = "-"
        while after:
            args: list[Value] = [self._service, mode, after, "+" if until is None else str(until), _PAGE, *transitions]
            reply = as_list(self._connection.call("baro_purge_1", [stream], args))
            yield reply
            after = as_text(reply[0])


def _end(alert: str, state: ServiceState, actor: str, now_ms: int) -> Change:
    record, flaps = state.records.get(alert), state.flaps.get(alert)
    transition = _ending(record, actor, now_ms) if record is not None and record.is_active else None
    if transition is None and (clear := incident_of(record, flaps)) is not None:
        # It flaps and is clear for now: channels that told of it have not told its end.
        transition = replace(_ending(clear, actor, now_ms), before=AlertState.INACTIVE, flag="flapping_ended")
    return Change(alert_id=alert, record=None, transition=transition, cooldown="clear", flaps=None)


def _ending(record: AlertRecord, actor: str, now_ms: int) -> Transition:
    """Return the transition that ends an alert; channels that delivered its firing deliver this too."""
    was_firing = record.state is AlertState.FIRING
    state = AlertState.RESOLVED if was_firing else AlertState.INACTIVE
    ended = replace(record, state=state, number=record.number + 1, changed_at_ms=now_ms)
    return transition_of(
        ended, before=record.state, at_ms=now_ms, notify=was_firing, reason=SERVICE_RETIRED, actor=actor
    )


def _of_service(reply: Reply, service: str) -> list[bytes]:
    prefix = f"{service}:".encode()
    return [member for member in map(as_bytes, as_list(reply)) if member.startswith(prefix)]


def _places(members: Sequence[bytes], service: str = "") -> Iterator[tuple[int, int]]:
    """Yield step and start in ms of panes of ``service``, or of blocks; a member of another form has no key."""
    for member in members:
        found = _BLOCK.match(member.removeprefix(f"{service}:".encode()))
        if found:
            yield int(found[1]), int(found[2])
