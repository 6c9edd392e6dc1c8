"""The series cap: one decision for all workers, kept on the server and remembered here."""

import json
from collections.abc import Iterable

from barograph_core.keys import ShardKeys
from barograph_core.pane import Pane
from barograph_core.self_metrics import Counters
from barograph_core.stream import Connection, as_int, as_list

_REMEMBERED = 200_000


class Admission:
    """Folds series beyond the cap of their service into one series of ``__other__`` labels."""

    def __init__(self, connection: Connection, keys: ShardKeys, cap: int, counters: Counters) -> None:
        self._connection = connection
        self._keys = keys
        self._cap = cap
        self._counters = counters
        self._verdicts: dict[tuple[str, str, tuple[str, ...]], bool] = {}

    def admit(self, service: str, panes: Iterable[Pane]) -> list[Pane]:
        """Return ``panes`` with every series that is over the cap folded away."""
        held = list(panes)
        new = {
            (service, kind, labels)
            for pane in held
            for kind in pane.kinds
            for labels in pane.labels(kind)
            if (service, kind, labels) not in self._verdicts
        }
        if new:
            self._ask(service, sorted(new))
        return [pane.with_admitted(lambda kind, labels: self._verdicts[service, kind, labels]) for pane in held]

    def _ask(self, service: str, candidates: list[tuple[str, str, tuple[str, ...]]]) -> None:
        if len(self._verdicts) + len(candidates) > _REMEMBERED:
            # Refused series are unbounded in number: start over, the server has the decisions.
            self._verdicts.clear()
        names = [json.dumps([kind, *labels], ensure_ascii=False) for _, kind, labels in candidates]
        reply = self._connection.call("baro_admit_1", [self._keys.series(service)], [self._cap, *names])
        for candidate, verdict in zip(candidates, as_list(reply), strict=True):
            self._verdicts[candidate] = as_int(verdict) == 1
            if as_int(verdict) == 0:
                self._counters.add("series_refused")
