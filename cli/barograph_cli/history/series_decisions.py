"""Which series the live aggregators keep apart: read, never asked for, so that a replay decides alike."""

from collections.abc import Iterable, Iterator
from typing import Final

from barograph_cli.history.selection import LogEntry
from barograph_core.clock import Clock
from barograph_core.figure_records import series_name
from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, Value, as_int, as_list, as_text

_AT_ONCE: Final = 1_000
_REMEMBERED: Final = 200_000


class SeriesCopy:
    """Gives a fresh prefix the list of series of each service before the first of its events is folded.

    A series on the list was kept apart since it first came, and one that is not on a full list never was: places
    are only given up after a day (``baro_admit_1``), and when that was is kept.
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
        """Yield ``entries``, each after the list of its service is there."""
        for entry in entries:
            raw = next((value for name, value in entry.fields.items() if name in (b"service", "service")), b"")
            service = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
            if service not in self._seen:
                self._seen.add(service)
                self._copy(service)
            yield entry

    def decided_anew(self, cap: int) -> list[str]:
        """Return services whose list was gone (they were retired or deleted) although it had filled."""
        return sorted(
            service
            for service in self._without
            if as_int(self._target.command("ZCARD", self._target_keys.series(service))) >= cap
        )

    def _copy(self, service: str) -> None:
        members = as_list(self._source.command("ZRANGE", self._source_keys.series(service), 0, -1))
        if not members:
            self._without.add(service)
        # As if asked for just now: none of them may lapse while the others are folded.
        now_ms = self._clock.now_ms()
        for at in range(0, len(members), _AT_ONCE):
            pairs: list[Value] = []
            for member in members[at : at + _AT_ONCE]:
                pairs += [now_ms, as_text(member)]
            self._target.command("ZADD", self._target_keys.series(service), *pairs)


class SeriesBeyondCap:
    """Says which series count as ``__other__``: those that are not on the list of their service, once it is full."""

    def __init__(self, connection: Connection, keys: ShardKeys, cap: int) -> None:
        self._connection, self._keys, self._cap = connection, keys, cap
        self._verdicts: dict[tuple[str, str, tuple[str, ...]], bool] = {}

    def __call__(self, service: str, kind: str, labels: tuple[str, ...]) -> bool:
        asked = (service, kind, labels)
        if asked not in self._verdicts:
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            key = self._keys.series(service)
            place, size = self._connection.pipeline([["ZSCORE", key, series_name(kind, labels)], ["ZCARD", key]])
            self._verdicts[asked] = place is None and as_int(size) >= self._cap
        return self._verdicts[asked]
