"""The end of a service: it retires, and its panes expire; or it is deleted, and nothing of it is left.

Every step is one function call that compares before it writes, so that it is safe while workers run.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from barograph_core.alert_changes import NO_TRIM_MS, Change, Cursors, Written, write_changes
from barograph_core.alerts import AlertRecord, AlertState
from barograph_core.errors import BarographError, MalformedEventError
from barograph_core.keys import AGGREGATOR_GROUP, ShardKeys, pane_member, parse_pane_member
from barograph_core.stream import Connection, EntryId, Reply, Value, as_hash, as_int, as_list, as_text
from barograph_core.transitions import REASON_SERVICE_RETIRED, Transition, transition_of

_NOTIFIER: Final = "notifier:"
_ALERT: Final = "alert:"
_BLOCK: Final = re.compile(r"\d+:\d+\Z")
_ATTEMPTS: Final = 50
_AT_ONCE: Final = 100
_PAGE: Final = 500


class ContendedServiceError(BarographError):
    """A service kept changing under our hands. Raised here; nothing is half done; the command says to try again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What has to happen first.

    Attributes:
        open_panes: Panes of the service that the watermark has not passed.
        oldest: The oldest entry that no aggregator has committed, when the log is behind.
    """

    open_panes: int = 0
    oldest: EntryId | None = None


@dataclass(slots=True)
class Found:
    """Entries of a service on a stream, and what their fields tell of it."""

    entries: int = 0
    instances: set[str] = field(default_factory=set[str])
    transitions: set[str] = field(default_factory=set[str])
    alerts: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deletion that took place: entries of the service up to ``entry_id`` do not count any more."""

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
    """Return the command that retires ``service``: by hand once the log is committed up to ``until``, else if idle."""
    names = [keys.events, keys.closed, keys.open, keys.progress, keys.heard, keys.producers(service)]
    names += [keys.series(service), keys.state(service), keys.metrics]
    by_hand: list[Value] = ["" if until is None else str(until), "" if until is not None else idle_before_ms]
    return ["FCALL", "baro_retire_1", len(names), *names, group, service, *by_hand, keep_metrics_ms]


def deleted_call(keys: ShardKeys, group: str, service: str) -> list[Value]:
    """Return the command that ends the deletion of ``service`` once nothing older is on its way."""
    names = [keys.events, keys.closed, keys.open, keys.progress, keys.series(service), keys.state(service)]
    return ["FCALL", "baro_deleted_1", len(names), *names, group, service]


class ServiceEnd:
    """Ends one service of one shard. For one thread, as its connection is."""

    def __init__(self, connection: Connection, keys: ShardKeys, service: str) -> None:
        self._connection = connection
        self._keys = keys
        self._service = service

    def newest_event(self) -> EntryId:
        """Return the id of the newest entry of the events stream."""
        found = as_list(self._connection.command("XREVRANGE", self._keys.events, "+", "-", "COUNT", 1))
        return EntryId.parse(as_text(as_list(found[0])[0])) if found else EntryId(0, 0)

    def retire(self, until: EntryId) -> Waiting | None:
        """Take the service off the lists; ``None`` when it is done.

        Args:
            until: Entries up to it must be committed first: they would bring the service back.
        """
        call = retire_call(self._keys, AGGREGATOR_GROUP, self._service, until=until, keep_metrics_ms=NO_TRIM_MS)
        status, *rest = as_list(self._connection.command(*call))
        if as_text(status) == "open":
            return Waiting(open_panes=as_int(rest[0]))
        if as_text(status) == "behind":
            return Waiting(oldest=EntryId.parse(as_text(rest[0])))
        return None

    def end_alerts(self, actor: str, now_ms: int) -> int:
        """Resolve every alert of the service, which is retired, and return how many were pending or firing.

        Raises:
            ContendedServiceError: Others kept changing its alerts.
        """
        ended = 0
        for _ in range(_ATTEMPTS):
            state = as_hash(self._connection.command("HGETALL", self._keys.state(self._service)))
            records = [
                (name.removeprefix(_ALERT), _record(text)) for name, text in state.items() if name.startswith(_ALERT)
            ]
            if not records:
                return ended
            batch = records[:_AT_ONCE]
            if self._write_ends(state.get("version", b"0").decode(), batch, actor, now_ms):
                ended += sum(record is not None and record.is_active for _, record in batch)
        raise ContendedServiceError(f"the alerts of service {self._service!r} keep changing; try again")

    def _write_ends(
        self, version: str, records: Sequence[tuple[str, AlertRecord | None]], actor: str, now_ms: int
    ) -> bool:
        changes = [
            Change(
                alert_id=alert,
                record=None,
                transition=_ending(record, actor, now_ms) if record is not None and record.is_active else None,
                cooldown="clear",
            )
            for alert, record in records
        ]
        written = write_changes(self._connection, self._keys, self._service, changes, cursors=Cursors(version=version))
        return isinstance(written, Written)

    def delete(self) -> Deleted:
        """Remove every key of the service, in one step.

        What its producers were confirmed (``seq:<instance>``, a number) stays until it expires within 24 h:
        without it a living producer would send again what it has sent.

        Raises:
            ContendedServiceError: It kept changing.
        """
        alerts = self.search(self._keys.alerts).alerts
        for _ in range(_ATTEMPTS):
            members, others = self._derive(alerts)
            names = [self._keys.events, self._keys.closed, self._keys.open, self._keys.rollups, self._keys.progress]
            names += [self._keys.heard, self._keys.producers(self._service), self._keys.series(self._service)]
            names += [self._keys.state(self._service), self._keys.blocks(self._service), *others]
            reply = as_list(self._connection.call("baro_delete_1", names, [self._service, *members]))
            if as_text(reply[0]) == "ok":
                self._forget_weights(members)
                return Deleted(EntryId.parse(as_text(reply[1])), as_int(reply[2]))
        raise ContendedServiceError(f"service {self._service!r} keeps changing; try again")

    def _forget_weights(self, members: Sequence[str]) -> None:
        """Take the blocks among ``members`` off the memory that closed panes are thought to take."""
        blocks = [tuple(map(int, member.split(":"))) for member in members if _BLOCK.match(member)]
        for first in range(0, len(blocks), _AT_ONCE):
            some = blocks[first : first + _AT_ONCE]
            keys = [self._keys.store, self._keys.weights]
            keys += [self._keys.panes(self._service, step_ms, start_ms) for step_ms, start_ms in some]
            names = [pane_member(self._service, step_ms, start_ms) for step_ms, start_ms in some]
            self._connection.call("baro_weigh_1", keys, ["", *names])

    def _derive(self, alerts: set[str]) -> tuple[list[str], list[str]]:
        """Return the members of the shard's lists that name the service's keys, and those keys."""
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
        members: list[str] = []
        names: list[str] = []
        for member in _of_service(opened, service):
            members.append(member)
            _, _, start_ms = parse_pane_member(member)
            names.append(keys.parts(service, start_ms))
        for member in _of_service(rollups, service):
            members.append(member)
            names.append(keys.rollup_parts(*parse_pane_member(member)))
        for member in map(as_text, as_list(blocks)):
            members.append(member)
            step, start = member.split(":")
            names.append(keys.panes(service, int(step), int(start)))
        for instance in map(as_text, as_list(producers)):
            members.append(instance)
            names.append(keys.producer(instance))
        held = {name.removeprefix(_ALERT) for name in map(as_text, as_list(state)) if name.startswith(_ALERT)}
        for alert in sorted(alerts | held):
            names.append(keys.cooldown(alert))
            names += [keys.outbox_items(channel, alert) for channel in self._channels()]
        return members, names

    def _channels(self) -> list[str]:
        if not as_int(self._connection.command("EXISTS", self._keys.alerts)):
            return []
        groups = as_list(self._connection.command("XINFO", "GROUPS", self._keys.alerts))
        names = [as_text(as_list(group)[1]) for group in groups]
        return [name.removeprefix(_NOTIFIER) for name in names if name.startswith(_NOTIFIER)]

    def finish_deletion(self) -> Waiting | None:
        """End the deletion; ``None`` when every entry from before it has been seen by an aggregator."""
        status, *rest = as_list(self._connection.command(*deleted_call(self._keys, AGGREGATOR_GROUP, self._service)))
        return None if as_text(status) == "ok" else Waiting(oldest=EntryId.parse(as_text(rest[0])))

    def search(
        self, stream: str, until: EntryId | None = None, transitions: Sequence[str] = (), *, is_deleting: bool = False
    ) -> Found:
        """Look through a stream for the service's entries, in bounded steps; delete them when ``is_deleting``.

        Args:
            stream: Key of the stream.
            until: The last entry looked at; ``None``: to the end.
            transitions: Ids by which entries of the deliveries stream are known.
            is_deleting: Deletes what is found.
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


def _ending(record: AlertRecord, actor: str, now_ms: int) -> Transition:
    """Return the entry that ends an alert; channels that told of its firing tell of this."""
    was_firing = record.state is AlertState.FIRING
    state = AlertState.RESOLVED if was_firing else AlertState.INACTIVE
    ended = replace(record, state=state, number=record.number + 1, changed_at_ms=now_ms)
    return transition_of(
        ended, before=record.state, at_ms=now_ms, notify=was_firing, reason=REASON_SERVICE_RETIRED, actor=actor
    )


def _record(text: bytes) -> AlertRecord | None:
    """Return an alert's record, ``None`` when it cannot be read: it goes without a word."""
    try:
        return AlertRecord.from_json(text)
    except MalformedEventError:
        return None


def _of_service(reply: Reply, service: str) -> list[str]:
    prefix = f"{service}:"
    return [member for member in map(as_text, as_list(reply)) if member.startswith(prefix)]
