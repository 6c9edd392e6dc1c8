"""A sender's turns: groups that are due, under a lease, with what waits in each (``functions/turns.lua``)."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.foreign_replies import as_scores
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import EntryId, as_hash, as_int, as_list, as_text
from barograph_notifier.outbox.item_cache import ItemCache
from barograph_notifier.outbox.leases import Leases
from barograph_notifier.outbox.queue_plan import DeliveryMemory, Item

log = logging.getLogger(__name__)

_MEMORY: Final = "memory"
_TRYING: Final = "trying"
_GROUP: Final = "group"
_IN_DIGEST: Final = "digest "
# Groups that one call may look at, and alerts that one round trip reads.
_MOST_CANDIDATES: Final = 128
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class AlertQueue:
    """What waits of one alert, and what its channel remembers of it.

    Attributes:
        alert: The alert's id.
        items: The queued items except for flags, oldest first.
        unreadable: Items by field that were written by hand or by another version.
        trying: Id of the item that an earlier sender was sending by itself when it died or froze; empty if none.
        in_digest: Id of the item that is part of the digest under way, if one is; empty if none.
        group: The group that the items wait in; empty when it is the alert.
        flags: Queued items that only show who has taken the alert on, oldest first.
    """

    alert: str
    items: tuple[Item, ...] = ()
    memory: DeliveryMemory = field(default_factory=DeliveryMemory)
    unreadable: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    trying: str = ""
    in_digest: str = ""
    group: str = ""
    flags: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class DigestState:
    """The digest of a group that is under way.

    Attributes:
        sending: Its key, while it may have been sent; empty when none is under way.
        settled: JSON text of its result, once that is known and not yet recorded for each alert; else empty.
        attempt: Number of attempts so far.
        is_handed_over: Whether the fallback channel has its firings too.
        retry_ms: When it is tried again; 0 at once.
    """

    sending: str = ""
    settled: str = ""
    attempt: int = 0
    is_handed_over: bool = False
    retry_ms: int = 0

    @classmethod
    def from_hash(cls, fields: Mapping[str, bytes]) -> Self:
        texts = {name: value.decode(errors="replace") for name, value in fields.items()}
        return cls(
            sending=texts.get("sending", ""),
            settled=texts.get("settled", ""),
            attempt=int(texts.get("attempt", "0")),
            is_handed_over=texts.get("handed_over") == "1",
            retry_ms=int(texts.get("retry_ms", "0")),
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to send for one group, until the lease expires.

    Attributes:
        group: Its name: the alert's id, when it is a group of its own.
        queue: Of the alert of that name.
        waiting: Ids of the alerts with items, of a group of several.
        repeats: Ids of alerts that were told and are due to be told again.
        firing: Number of alerts that were told and have no end yet.
        is_grouped: Whether it has the lists of a group of several.
        due_ms: When a group of several is due for its next message; sooner, it was only taken to show flags.
    """

    group: str
    queue: AlertQueue
    waiting: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    firing: int = 0
    digest: DigestState = field(default_factory=DigestState)
    is_grouped: bool = False
    due_ms: int = 0


class Turns:
    """Takes and ends turns over one connection. For one thread."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        channel: str,
        leases: Leases,
        *,
        keep_ms: int,
        cache: ItemCache,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._channel = channel
        self._leases = leases
        self._keep_ms = keep_ms
        self._cache = cache

    @property
    def token(self) -> str:
        return self._leases.token

    def due(self, now_ms: int) -> tuple[list[str], float]:
        """Return groups that are due, and for how many ms the first of them has been so; that one comes first."""
        key = self._keys.outbox(self._channel)
        found = self._connection.command(
            "ZRANGEBYSCORE", key, "-inf", now_ms, "WITHSCORES", "LIMIT", 0, _MOST_CANDIDATES
        )
        scores = as_scores(found)
        return list(scores), now_ms - next(iter(scores.values()), now_ms)

    def next_due_ms(self) -> int | None:
        """Return the time at which the next group is due, ``None`` when the outbox is empty."""
        key = self._keys.outbox(self._channel)
        found = as_scores(self._connection.command("ZRANGE", key, 0, 0, "WITHSCORES"))
        return next(iter(found.values()), None)

    def take(self, groups: Sequence[str], now_ms: int) -> tuple[list[Turn], int]:
        """Take the leases of ``groups``, which are reserved here, and read what waits in each.

        A lease that we already hold is taken again: it is left from a turn during which the server was lost.

        Returns:
            The turns; those of groups leased elsewhere are left out. And for how many ms the target must be left
            alone: then there are none.
        """
        keys, channel = self._keys, self._channel
        names = [keys.outbox(channel), keys.hold(channel)]
        for group in groups:
            names += [
                keys.lease(channel, group),
                keys.outbox_items(channel, group),
                keys.outbox_waiting(channel, group),
                keys.outbox_told(channel, group),
                keys.outbox_group(channel, group),
            ]
        args: list[Value] = [self.token, self._leases.lease_ms, now_ms, len(groups), *groups]
        held_ms, *rows = as_list(self._connection.call("baro_take_1", names, args))
        return [self._turn(as_list(row)) for row in rows], as_int(held_ms)

    def _turn(self, row: Sequence[Reply]) -> Turn:
        name, items, waiting, repeats, firing, group = row
        fields, group_name = as_hash(group), as_text(name)
        members = tuple(sorted(as_text(alert) for alert in as_list(waiting)))
        return Turn(
            group_name,
            self._queue(group_name, as_hash(items)),
            members,
            tuple(as_text(alert) for alert in as_list(repeats)),
            as_int(firing),
            DigestState.from_hash(fields),
            bool(fields or members or as_int(firing)),
            int(fields.get("due_ms", b"0")),
        )

    def read_queues(self, alerts: Sequence[str]) -> Iterator[AlertQueue]:
        """Yield what waits of each of ``alerts``, of a group whose lease we hold."""
        for first in range(0, len(alerts), _PAGE):
            page = alerts[first : first + _PAGE]
            commands = [["HGETALL", self._keys.outbox_items(self._channel, alert)] for alert in page]
            for alert, flat in zip(page, self._connection.pipeline(commands), strict=True):
                yield self._queue(alert, as_hash(flat))

    def _queue(self, alert: str, fields: dict[str, bytes]) -> AlertQueue:
        memory, queue, unreadable = DeliveryMemory(), list[Item](), dict[str, bytes]()
        trying = fields.pop(_TRYING, b"").decode(errors="replace")
        group = fields.pop(_GROUP, b"").decode(errors="replace")
        for name, text in fields.items():
            try:
                if name == _MEMORY:
                    memory = DeliveryMemory.from_json(text)
                else:
                    queue.append(self._cache.take(name, text) or Item.from_json(EntryId.parse(name), text))
            except (MalformedEventError, ValueError) as error:
                log.error("outbox.unreadable", extra={"channel": self._channel, "alert": alert, "error": str(error)})
                if name != _MEMORY:
                    unreadable[name] = text
        queue.sort(key=lambda item: item.entry_id)
        flags = tuple(item for item in queue if item.is_flag)
        if flags:
            queue = [item for item in queue if not item.is_flag]
        in_digest = trying.removeprefix(_IN_DIGEST) if trying.startswith(_IN_DIGEST) else ""
        trying = "" if in_digest else trying
        return AlertQueue(alert, tuple(queue), memory, unreadable, trying, in_digest, group, flags)

    def begin(self, items: Sequence[tuple[str, Item]]) -> list[bool]:
        """Record that these items, each with its group, are about to be sent one by one.

        Returns:
            Whether each may be sent. ``False``: the lease has expired.
        """
        if not items:
            return []
        return self._begin(items[0][0], "", items)

    def begin_digest(self, group: str, key: str, items: Sequence[Item]) -> bool:
        """Record that a digest of ``items`` is about to be sent under ``key``. ``False``: do not send it."""
        for first in range(0, len(items), _PAGE):
            page = [(group, item) for item in items[first : first + _PAGE]]
            is_last = first + _PAGE >= len(items)
            if not all(self._begin(group, key if is_last else "more", page)):
                return False
        return True

    def _begin(self, group: str, digest_key: str, items: Sequence[tuple[str, Item]]) -> list[bool]:
        keys, channel = self._keys, self._channel
        names = [keys.outbox_group(channel, group)]
        for name, item in items:
            names += [keys.lease(channel, name), keys.outbox_items(channel, item.transition.alert_id)]
        args: list[Value] = [self.token, digest_key, *(str(item.entry_id) for _, item in items)]
        return [as_int(flag) == 1 for flag in as_list(self._connection.call("baro_begin_1", names, args))]

    def extend(self, groups: Sequence[str], now_ms: int) -> None:
        """Prolong the leases of ``groups``."""
        keys = self._keys
        names = [keys.outbox(self._channel), *(keys.lease(self._channel, group) for group in groups)]
        self._connection.call("baro_extend_1", names, [self.token, self._leases.lease_ms, now_ms, *groups])

    def finish(
        self,
        turn: Turn,
        due_ms: int,
        *,
        now_ms: int,
        sent_ms: int | None = None,
        clears: bool = False,
        gone: Sequence[str] = (),
    ) -> None:
        """Give the lease back, and set when the group is due again.

        Args:
            turn: The turn that ends.
            due_ms: When what still waits is due.
            now_ms: Wall time.
            sent_ms: Time of the message that was sent; ``None`` when none was.
            clears: Whether no digest is under way any more; of an alert by itself, no attempt.
            gone: Alerts that do not belong to the group any more.
        """
        self._connection.command(*self._finishing(turn, due_ms, now_ms, sent_ms=sent_ms, clears=clears, gone=gone))

    def leave(self, turns: Sequence[tuple[Turn, int | None]], now_ms: int, *, clears: bool = False) -> None:
        """Finish turns in which nothing was sent, each with when it is due again, ``None`` for at once.

        Args:
            turns: The turns.
            now_ms: Wall time.
            clears: Whether ``begin`` has noted an attempt that was not made; one of an earlier sender stays.
        """
        commands = [
            self._finishing(turn, now_ms if due_ms is None else due_ms, now_ms, clears=clears and not turn.queue.trying)
            for turn, due_ms in turns
        ]
        self._connection.pipeline(commands)

    def _finishing(
        self,
        turn: Turn,
        due_ms: int,
        now_ms: int,
        *,
        sent_ms: int | None = None,
        clears: bool,
        gone: Sequence[str] = (),
    ) -> list[Value]:
        keys, channel, group = self._keys, self._channel, turn.group
        names = [keys.outbox(channel), keys.lease(channel, group), keys.outbox_items(channel, group)]
        names += [keys.outbox_waiting(channel, group), keys.outbox_told(channel, group)]
        names.append(keys.outbox_group(channel, group))
        args: list[Value] = [self.token, group, int(turn.is_grouped), due_ms, "" if sent_ms is None else sent_ms]
        args += [int(clears), self._keep_ms, now_ms, *gone]
        return ["FCALL", "baro_finish_1", len(names), *names, *args]

    def look_at(self, group: str, due_ms: int) -> None:
        """Make ``group`` due at ``due_ms`` for its flags, if it is not sooner; its next message stays when it is."""
        self._connection.command("ZADD", self._keys.outbox(self._channel), "LT", due_ms, group)

    def hold(self, until_ms: int, now_ms: int) -> None:
        """Keep all notifiers from this channel's target until then."""
        self._connection.command("SET", self._keys.hold(self._channel), until_ms, "PX", max(1, until_ms - now_ms))
