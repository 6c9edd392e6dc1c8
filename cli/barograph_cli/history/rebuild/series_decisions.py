"""Reads which series the live aggregators keep apart, without requesting any, so that a replay decides the same."""

from collections.abc import Iterable, Iterator
from typing import Final

from barograph_cli.history.log.selection import LogEntry
from barograph_cli.history.rows.event_row import Place
from barograph_core.clock import Clock
from barograph_core.events.kinds import KINDS
from barograph_core.events.labels import without_free_values
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_int, as_list, as_text
from barograph_core.store.blocks import series_name

_AT_ONCE: Final = 1_000
_MAX_CACHED: Final = 200_000


class SeriesCopy:
    """Copies the lists of series of each service to a new prefix before the first of its events is folded.

    A series on the list was kept apart since its first event, and a series missing from a full list never was: places
    are only given up after a day (``baro_admit_1``), and the server keeps the time of that.
    """

    def __init__(
        self, source: Connection, source_keys: ShardKeys, target: Connection, target_keys: ShardKeys, clock: Clock
    ) -> None:
        self._source, self._source_keys = source, source_keys
        self._target, self._target_keys = target, target_keys
        self._clock = clock
        self._seen: set[str] = set()
        self._without: set[str] = set()

    def before(self, entries: Iterable[LogEntry]) -> Iterator[LogEntry]:
        """Yield ``entries``, each after the list of its service is copied."""
        for entry in entries:
            raw = next((value for name, value in entry.fields.items() if name in (b"service", "service")), b"")
            service = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
            if service not in self._seen:
                self._seen.add(service)
                self._copy(service)
            yield entry

    def decided_anew(self, cap: int) -> list[str]:
        """Return the services whose list is gone (they were retired or deleted) and that fill it again."""
        return sorted(
            service
            for service in self._without
            if as_int(self._target.command("ZCARD", self._target_keys.series(service))) >= cap
        )

    def _copy(self, service: str) -> None:
        copied = self._copy_list(self._source_keys.series(service), self._target_keys.series(service))
        if not copied:
            self._without.add(service)
        self._copy_list(self._source_keys.folded(service), self._target_keys.folded(service))

    def _copy_list(self, source: str, target: str) -> int:
        members = as_list(self._source.command("ZRANGE", source, 0, -1))
        # Set them as requested just now, so that none expires while the others are folded.
        now_ms = self._clock.now_ms()
        for at in range(0, len(members), _AT_ONCE):
            pairs: list[Value] = []
            for member in members[at : at + _AT_ONCE]:
                pairs += [now_ms, as_text(member)]
            self._target.command("ZADD", target, *pairs)
        return len(members)


class SeriesBeyondCap:
    """Decides how series count: those missing from the lists of their service, once the first is full, are folded."""

    def __init__(self, connection: Connection, keys: ShardKeys, cap: int) -> None:
        self._connection, self._keys, self._cap = connection, keys, cap
        self._verdicts: dict[tuple[str, str, tuple[str, ...]], Place] = {}

    def __call__(self, service: str, kind: str, labels: tuple[str, ...]) -> Place:
        asked = (service, kind, labels)
        if asked not in self._verdicts:
            if len(self._verdicts) >= _MAX_CACHED:
                self._verdicts.clear()
            key, name = self._keys.series(service), series_name(kind, labels)
            folded = without_free_values(KINDS[kind], labels)
            place, folded_place, size = self._connection.pipeline(
                [
                    ["ZSCORE", key, name],
                    ["ZSCORE", self._keys.folded(service), series_name(kind, folded)],
                    ["ZCARD", key],
                ]
            )
            is_own = place is not None or as_int(size) < self._cap
            self._verdicts[asked] = "own" if is_own else "other" if folded_place is None else "folded"
        return self._verdicts[asked]
