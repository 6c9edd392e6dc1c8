"""Finds open panes that are whole before the watermark passes them, so that they close at once."""

from collections.abc import Iterable, Sequence
from typing import Final

from barograph_aggregator.close.pane_queue import OpenPane, readable_panes
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId, as_entry_id, as_int, as_list, as_text

# Limit of the panes of one look, the oldest. The rest closes with the watermark at the latest.
_MOST_PANES: Final = 1_000
# How long a service's panes wait for the watermark after events came into one that seemed whole.
_DISTRUST_MS: Final = 60_000


class WholePanes:
    """Compares what the producers say that they have shipped with what is committed.

    A pane is whole when every live instance of its service has shipped the events before its end, and everything that
    was on the stream at that time is committed. A producer cannot know of events that its host dates into the past
    itself: where events come into a pane that closed early, its service waits for the watermark for a minute.
    """

    def __init__(self, connection: Connection, keys: ShardKeys, *, base_step_ms: int, no_data_ms: int) -> None:
        self._connection = connection
        self._keys = keys
        self._base_step_ms = base_step_ms
        self._no_data_ms = no_data_ms
        # The newest entry of the stream when all instances had shipped a pane.
        self._shipped: dict[OpenPane, EntryId] = {}
        self._found: frozenset[OpenPane] = frozenset()
        self._closed_early: set[OpenPane] = set()
        self._watermark_ms = 0
        self._distrusted_until_ms: dict[str, int] = {}

    def find(self, watermark_ms: int, server_ms: int) -> frozenset[OpenPane]:
        """Return the panes of the base step after the watermark that are whole, and none before whose panes are not.

        Raises:
            BarographError: The server is gone or refuses.
        """
        # By the watermark of the look before: by that of this look, what came late meanwhile is still to be closed.
        self._closed_early = {opened for opened in self._closed_early if opened.end_ms > self._watermark_ms}
        self._watermark_ms = watermark_ms
        distrusted = self._distrusted_until_ms.items()
        self._distrusted_until_ms = {service: until_ms for service, until_ms in distrusted if until_ms > server_ms}
        command = ("ZRANGEBYSCORE", self._keys.open, f"({watermark_ms}", server_ms, "LIMIT", 0, _MOST_PANES)
        members = map(as_text, as_list(self._connection.command(*command)))
        waiting = [opened for opened in readable_panes(members) if self._may_be_whole(opened)]
        if not waiting:
            self._shipped, self._found = {}, frozenset()
            return self._found
        oldest, newest, has_shipped = self._ask(waiting)
        self._shipped = {
            opened: self._shipped.get(opened, newest)
            for opened, is_shipped in zip(waiting, has_shipped, strict=True)
            if is_shipped or opened in self._shipped
        }
        self._found = frozenset(self._in_order(waiting, oldest))
        return self._found

    def note_closed(self, opened: OpenPane) -> None:
        """Note that ``opened`` was closed. One that closed early and is closed again was not whole."""
        if opened in self._closed_early:
            self._distrusted_until_ms[opened.service] = opened.end_ms + _DISTRUST_MS
        elif opened in self._found:
            self._closed_early.add(opened)

    def _may_be_whole(self, opened: OpenPane) -> bool:
        # What comes late into a pane that is closed is closed once, with the watermark.
        is_base = opened.step_ms == self._base_step_ms
        return is_base and opened not in self._closed_early and opened.service not in self._distrusted_until_ms

    def _ask(self, waiting: Sequence[OpenPane]) -> tuple[EntryId | None, EntryId, Sequence[bool]]:
        names = [self._keys.events]
        args: list[Value] = [AGGREGATOR_GROUP, self._no_data_ms]
        for opened in waiting:
            names += [self._keys.producers(opened.service), self._keys.shipped(opened.service)]
            args.append(opened.end_ms)
        oldest, newest, *shipped = as_list(self._connection.call("baro_whole_1", names, args, read_only=True))
        newest_id = as_entry_id(newest) if newest else EntryId(0, 0)
        return as_entry_id(oldest) if oldest else None, newest_id, [as_int(flag) == 1 for flag in shipped]

    def _in_order(self, waiting: Sequence[OpenPane], oldest: EntryId | None) -> Iterable[OpenPane]:
        """Yield the whole panes of each service, up to its first that is not: panes close in order."""
        stopped: set[str] = set()
        for opened in sorted(waiting):
            shipped = self._shipped.get(opened)
            if opened.service in stopped or shipped is None or (oldest is not None and oldest <= shipped):
                stopped.add(opened.service)
            else:
                yield opened
