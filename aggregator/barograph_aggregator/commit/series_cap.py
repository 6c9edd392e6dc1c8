"""The series cap: one decision for all workers, stored on the server and cached here for a while."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import TypeAlias

from barograph_core.clock import Clock
from barograph_core.events.kinds import KINDS, OTHER_LABEL
from barograph_core.events.labels import without_free_values
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_int, as_list
from barograph_core.store.blocks import series_name
from barograph_core.workers.counters import WorkerCounters

_Series: TypeAlias = tuple[str, str, tuple[str, ...]]

# Limit of cached decisions.
_MAX_CACHED = 200_000
_ASKED_AT_ONCE = 5_000
# Asking for a series keeps its place, so ask far more often than places expire.
_ASK_AGAIN_MS = 3_600_000
_FORGET_MS = 86_400_000
# Part of the cap: how many series there may be in addition that others are folded into.
_FOLDED_SHARE = 10
_CATCH_ALL: dict[str, tuple[str, ...]] = {kind.name: (OTHER_LABEL,) * len(kind.labels) for kind in KINDS.values()}


class SeriesCap:
    """Folds series over the cap of their service.

    They lose the values of their free labels and keep the fixed ones, so that a rule on the name of a custom metric
    still sees them. Up to a tenth of the cap more series are kept for that. The rest, and series without free labels,
    become the catch-all series, whose labels are all ``__other__``.
    """

    def __init__(
        self, connection: Connection, keys: ShardKeys, cap: int, clock: Clock, counters: WorkerCounters
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._cap = cap
        self._most_folded = max(1, cap // _FOLDED_SHARE)
        self._clock = clock
        self._counters = counters
        self._verdicts: dict[_Series, bool] = {}
        self._former: dict[_Series, bool] = {}
        self._admitted: defaultdict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
        self._ask_again_ms = clock.monotonic_ms() + _ASK_AGAIN_MS
        self._series_dropped = 0

    def follow(self, series_dropped: int) -> None:
        """Drop the cache if a service's list of series was deleted on the server since the last call.

        Args:
            series_dropped: Number of lists ever deleted, as ``baro_frontier_1`` replies it.
        """
        if series_dropped != self._series_dropped:
            self._series_dropped = series_dropped
            self.start_over()

    def admit(self, service: str, panes: Iterable[Pane]) -> list[Pane]:
        """Return ``panes`` with every series over the cap folded into the catch-all series."""
        held = list(panes)
        if self._clock.monotonic_ms() < self._ask_again_ms and self._has_admitted(service, held):
            return held
        # The catch-all series needs no slot of its own: if refused, it would be folded into itself.
        found: set[_Series] = {
            (service, kind, labels)
            for pane in held
            for kind in pane.kinds
            for labels in pane.labels(kind)
            if labels != _CATCH_ALL[kind]
        }
        # Producers and imports fold too.
        folded = {one for one in found if _is_folded(one)}
        wanted = found - folded
        new = wanted - self._verdicts.keys()
        if self._clock.monotonic_ms() >= self._ask_again_ms or len(self._verdicts) + len(new) > _MAX_CACHED:
            self.start_over()
            new = wanted
        self._ask(service, sorted(new))
        folded |= {_folded(one) for one in wanted if not self._verdicts[one] and _has_free_labels(one)}
        self._ask_folded(service, sorted(folded - self._verdicts.keys()))
        return [
            pane.with_admitted(lambda kind, labels: self._verdicts.get((service, kind, labels), False)) for pane in held
        ]

    def _has_admitted(self, service: str, panes: Iterable[Pane]) -> bool:
        # issuperset() runs in C. With ten thousand series, a Python loop took as long as building the panes.
        return all(self._admitted[service, kind].issuperset(pane.labels(kind)) for pane in panes for kind in pane.kinds)

    def start_over(self) -> None:
        """Drop the cache. The server has the decisions, and the number of refused series has no bound."""
        self._former, self._verdicts = self._verdicts, {}
        self._admitted.clear()
        self._ask_again_ms = self._clock.monotonic_ms() + _ASK_AGAIN_MS

    def _ask(self, service: str, candidates: Sequence[_Series]) -> None:
        keys = [self._keys.series(service), self._keys.progress]
        for at in range(0, len(candidates), _ASKED_AT_ONCE):
            asked = candidates[at : at + _ASKED_AT_ONCE]
            reply = self._connection.call("baro_admit_1", keys, [self._cap, _FORGET_MS, *_names(asked)])
            for refused in self._note(asked, reply):
                if self._former.get(refused, True):
                    self._counters.add("series_refused")

    def _ask_folded(self, service: str, candidates: Sequence[_Series]) -> None:
        """Ask for series that others are folded into: on a list of their own, so that they take no place of the cap."""
        key = self._keys.folded(service)
        for at in range(0, len(candidates), _ASKED_AT_ONCE):
            asked = candidates[at : at + _ASKED_AT_ONCE]
            args: list[Value] = [2, key, self._keys.progress, self._most_folded, _FORGET_MS, *_names(asked)]
            reply, _ = self._connection.pipeline([["FCALL", "baro_admit_1", *args], ["PEXPIRE", key, 2 * _FORGET_MS]])
            self._note(asked, reply)

    def _note(self, asked: Sequence[_Series], reply: Reply) -> list[_Series]:
        """Remember the verdicts, and return the series that were refused."""
        verdicts = [as_int(verdict) == 1 for verdict in as_list(reply)]
        self._verdicts.update(zip(asked, verdicts, strict=True))
        for service, kind, labels in compress(asked, verdicts):
            self._admitted[service, kind].add(labels)
        return [one for one, is_kept in zip(asked, verdicts, strict=True) if not is_kept]


def _names(candidates: Iterable[_Series]) -> list[str]:
    return [series_name(kind, labels) for _, kind, labels in candidates]


def _has_free_labels(series: _Series) -> bool:
    _, kind, labels = series
    return len(labels) > len(_CATCH_ALL[kind])


def _folded(series: _Series) -> _Series:
    service, kind, labels = series
    return service, kind, without_free_values(KINDS[kind], labels)


def _is_folded(series: _Series) -> bool:
    return _has_free_labels(series) and _folded(series) == series
