"""Forgets services of which nothing has been heard for long, and finishes what a deletion began."""

from collections.abc import Sequence
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_core.keys import ShardKeys
from barograph_core.service_end import deleted_call, retire_call
from barograph_core.stream import Connection, Value, as_hash, as_list, as_text

_SWEEP_EVERY_MS: Final = 60_000
_AT_ONCE: Final = 100
_DELETED: Final = "deleted:"


class Retirement:
    """Looks once a minute. Each step is one function call that compares first: any number of workers may look."""

    def __init__(self, connection: Connection, keys: ShardKeys, settings: AggregatorSettings, *, group: str) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._group = group
        self._due_ms = 0

    def sweep(self, now_ms: int, watermark_ms: int) -> None:
        """Retire services without an event and without a producer since ``retire_after_ms`` before the watermark.

        One with an alert stays: that somebody must see to first.
        """
        if now_ms < self._due_ms:
            return
        self._due_ms = now_ms + _SWEEP_EVERY_MS
        progress = as_hash(self._connection.command("HGETALL", self._keys.progress))
        deleted = [name.removeprefix(_DELETED) for name in progress if name.startswith(_DELETED)]
        self._call_all([deleted_call(self._keys, self._group, service) for service in deleted])
        idle_before_ms = max(0, watermark_ms - self._settings.retire_after_ms)
        quiet = as_list(self._connection.command("ZRANGEBYSCORE", self._keys.heard, "-inf", f"({idle_before_ms}"))
        self._call_all(
            [
                retire_call(
                    self._keys,
                    self._group,
                    as_text(service),
                    idle_before_ms=idle_before_ms,
                    keep_metrics_ms=self._settings.keep_metrics_ms,
                )
                for service in quiet
            ]
        )

    def _call_all(self, calls: Sequence[list[Value]]) -> None:
        for at in range(0, len(calls), _AT_ONCE):
            self._connection.pipeline(calls[at : at + _AT_ONCE])
