"""The events of one request on one shard, and the call that appends them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_console.store.ingest.batches import pack_events
from barograph_console.store.ingest.event_log import AHEAD_MS, LATENESS_MS, Event, Receipt, Writing
from barograph_core.alerts.actions import ONCE_MS, KeyReusedError
from barograph_core.errors import StreamUnavailableError
from barograph_core.events.encode import entry_fields
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_int, as_list, as_text

APPENDED: Final = b"a"
_REFUSED: Final = b"r"
# Each attempt knows more: what was sent before, and what has become too old meanwhile.
_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as a request finds it.

    Attributes:
        epoch: Of the layout by which its services were found.
        now_ms: The server's time.
        lateness_ms: The allowed lateness of its aggregators.
    """

    keys: ShardKeys
    epoch: int
    now_ms: int
    lateness_ms: int


class ShardPart:
    """Appends the events of one request that live on one shard, those that were sent before excepted."""

    def __init__(self, shard: Shard, events: Mapping[int, Event], writing: Writing, most_digests: int) -> None:
        """Take the events.

        Args:
            shard: Where they live.
            events: By their positions in the request.
            writing: How they are to be written.
            most_digests: How many digests the shard keeps.
        """
        self._keys, self._epoch = shard.keys, shard.epoch
        self._now_ms, self._lateness_ms = shard.now_ms, shard.lateness_ms
        self._events = dict(events)
        self._writing = writing
        self._most_digests = most_digests
        self._duplicate = 0
        self._late: list[int] = []
        self._early: list[int] = []
        self._refused_before: set[int] = set()

    def append(self, connection: Connection) -> Receipt | None:
        """Make the call until it is done; return ``None`` where the shard has another layout.

        Raises:
            KeyReusedError: The request's key stands for another request.
            StreamUnavailableError: It cannot be done now.
        """
        for _ in range(_ATTEMPTS):
            self._late = [at for at, one in self._events.items() if one.at_ms < self._now_ms - self._lateness_ms]
            self._early = [at for at, one in self._events.items() if one.at_ms > self._now_ms + AHEAD_MS]
            members = self._members()
            status, *rest = as_list(connection.call("baro_ingest_1", *self._call(members)))
            match as_text(status):
                case "ok":
                    return self._receipt()
                case "done":
                    accepted, duplicate, late, early = map(int, as_text(rest[0]).split(":"))
                    return Receipt(accepted, duplicate, late_count=late, early_count=early)
                case "known":
                    self._drop_known(members, as_text(rest[0]))
                case "time":
                    self._now_ms, self._lateness_ms = as_int(rest[0]), as_int(rest[1])
                case "stale":
                    return None
                case _:
                    raise KeyReusedError("this key was used for another request before; take a new one for each")
        raise StreamUnavailableError("refused", "others send the events of this request at the same time")

    def _members(self) -> list[int]:
        """Return the events whose digests are asked and noted: none that is refused as it was before."""
        again = self._refused_before.intersection([*self._late, *self._early])
        return [at for at, event in self._events.items() if event.digest and at not in again]

    def _drop_known(self, members: Sequence[int], marks: str) -> None:
        for at, mark in zip(members, marks, strict=True):
            if mark == APPENDED.decode():
                del self._events[at]
                self._duplicate += 1
            elif mark == _REFUSED.decode():
                self._refused_before.add(at)

    def _call(self, members: Sequence[int]) -> tuple[list[str], list[Value]]:
        """Return keys and arguments of the call."""
        keys, once, refused = self._keys, self._writing.once, {*self._late, *self._early}
        fresh = [event for at, event in self._events.items() if at not in refused]
        late, early = self._counts(self._late), self._counts(self._early)
        services = sorted({*late, *early})
        names = [keys.events, keys.epoch, keys.progress, keys.ingested, keys.once(once.key if once else "")]
        answer = f"{len(fresh)}:{self._duplicate}:{len(self._late)}:{len(self._early)}"
        args: list[Value] = [self._epoch, once.request if once else "", ONCE_MS if once else 0, answer]
        args += [min((one.at_ms for one in fresh), default=0), max((one.at_ms for one in fresh), default=0)]
        args += [LATENESS_MS, AHEAD_MS, self._most_digests, len(services)]
        for service in services:
            names.append(keys.totals(service))
            args += [late[service], early[service]]
        args.append(len(members))
        args += [(_REFUSED if at in refused else APPENDED) + self._events[at].digest for at in members]
        instance = f"ingest:{self._writing.sender}"
        entries = [
            entry_fields(batch, service=service, instance=instance, seq=0, through_ms=0)
            for service, batch in pack_events(fresh)
        ]
        args.append(len(entries))
        for entry in entries:
            for name, value in entry.items():
                args += [name, value]
        return names, args

    def _counts(self, positions: Iterable[int]) -> Counter[str]:
        """Return by service how many events are refused for the first time."""
        counts = Counter[str]()
        for at in positions:
            if at not in self._refused_before:
                counts[self._events[at].service] += self._events[at].weight
        return counts

    def _receipt(self) -> Receipt:
        return Receipt(
            accepted=len(self._events) - len(self._late) - len(self._early),
            duplicate=self._duplicate,
            late=self._late,
            early=self._early,
            late_count=len(self._late),
            early_count=len(self._early),
            lateness_ms=self._lateness_ms,
            now_ms=self._now_ms,
        )
