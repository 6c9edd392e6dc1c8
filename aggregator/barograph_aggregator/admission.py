"""The series cap: one decision for all workers, kept on the server and remembered here for a while."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from barograph_core.clock import Clock
from barograph_core.events import KINDS, OTHER_LABEL
from barograph_core.figure_records import series_name
from barograph_core.keys import ShardKeys
from barograph_core.pane import Pane
from barograph_core.self_metrics import Counters
from barograph_core.stream import Connection, as_int, as_list

_Series: TypeAlias = tuple[str, str, tuple[str, ...]]

_REMEMBERED = 200_000
_ASKED_AT_ONCE = 5_000
# Asking is what keeps a series' place, so that it must come far more often than places lapse.
_ASK_AGAIN_MS = 3_600_000
_FORGET_MS = 86_400_000
_REST: dict[str, tuple[str, ...]] = {kind.name: (OTHER_LABEL,) * len(kind.labels) for kind in KINDS.values()}


class Admission:
    """Folds series beyond the cap of their service into one series of ``__other__`` labels."""

    def __init__(self, connection: Connection, keys: ShardKeys, cap: int, clock: Clock, counters: Counters) -> None:
        self._connection = connection
        self._keys = keys
        self._cap = cap
        self._clock = clock
        self._counters = counters
        self._verdicts: dict[_Series, bool] = {}
        self._former: dict[_Series, bool] = {}
        self._admitted: defaultdict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
        self._ask_again_ms = clock.monotonic_ms() + _ASK_AGAIN_MS
        self._series_dropped = 0

    def follow(self, series_dropped: int) -> None:
        """Ask for every series again if since the last call the list of a service's was dropped on the server.

        Args:
            series_dropped: How often that had happened, as ``baro_frontier_1`` tells.
        """
        if series_dropped != self._series_dropped:
            self._series_dropped = series_dropped
            self.start_over()

    def admit(self, service: str, panes: Iterable[Pane]) -> list[Pane]:
        """Return ``panes`` with every series that is over the cap folded away."""
        held = list(panes)
        if self._clock.monotonic_ms() < self._ask_again_ms and self._has_admitted(service, held):
            return held
        # The rest itself needs no place: producers and imports send it too, and refused it would be what it is.
        wanted: set[_Series] = {
            (service, kind, labels)
            for pane in held
            for kind in pane.kinds
            for labels in pane.labels(kind)
            if labels != _REST[kind]
        }
        new = wanted - self._verdicts.keys()
        if self._clock.monotonic_ms() >= self._ask_again_ms or len(self._verdicts) + len(new) > _REMEMBERED:
            self.start_over()
            new = wanted
        asked = sorted(new)
        for at in range(0, len(asked), _ASKED_AT_ONCE):
            self._ask(service, asked[at : at + _ASKED_AT_ONCE])
        return [
            pane.with_admitted(lambda kind, labels: labels != _REST[kind] and self._verdicts[service, kind, labels])
            for pane in held
        ]

    def _has_admitted(self, service: str, panes: Iterable[Pane]) -> bool:
        # In C: with ten thousand series, a line of Python for each cost as much as building the panes.
        return all(self._admitted[service, kind].issuperset(pane.labels(kind)) for pane in panes for kind in pane.kinds)

    def start_over(self) -> None:
        """Forget every verdict: the server has the decisions, and refused series are unbounded in number."""
        self._former, self._verdicts = self._verdicts, {}
        self._admitted.clear()
        self._ask_again_ms = self._clock.monotonic_ms() + _ASK_AGAIN_MS

    def _ask(self, service: str, candidates: Sequence[_Series]) -> None:
        names = [series_name(kind, labels) for _, kind, labels in candidates]
        keys = [self._keys.series(service), self._keys.progress]
        reply = self._connection.call("baro_admit_1", keys, [self._cap, _FORGET_MS, *names])
        for candidate, verdict in zip(candidates, as_list(reply), strict=True):
            self._verdicts[candidate] = as_int(verdict) == 1
            if self._verdicts[candidate]:
                _, kind, labels = candidate
                self._admitted[service, kind].add(labels)
            if not self._verdicts[candidate] and self._former.get(candidate, True):
                self._counters.add("series_refused")
