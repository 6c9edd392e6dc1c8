"""Retires services that have been silent for long, and completes deletions of services."""

from collections.abc import Mapping, Sequence
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_hash, as_list, as_text
from barograph_core.services.ending import deleted_call, retire_call
from barograph_core.steps import Step

_SWEEP_EVERY_MS: Final = 60_000
_AT_ONCE: Final = 100
_DELETED: Final = "deleted:"
_RETIRED: Final = "retired:"


class Retirement:
    """Checks once a minute. Each step is one function call that checks first, so any number of workers may run it."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, settings: AggregatorSettings, *, group: str, base: Step
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._group = group
        self._base = base
        self._due_ms = 0.0

    def sweep(self, now_ms: float, watermark_ms: int) -> None:
        """Retire services without events and producers for ``retire_after_ms`` before the watermark.

        A service with an alert stays, because a person must see to the alert first. ``now_ms`` is monotonic.
        """
        if now_ms < self._due_ms:
            return
        self._due_ms = now_ms + _SWEEP_EVERY_MS
        progress = as_hash(self._connection.command("HGETALL", self._keys.progress))
        deleted = [name.removeprefix(_DELETED) for name in progress if name.startswith(_DELETED)]
        self._call_all([deleted_call(self._keys, self._group, service) for service in deleted])
        self._forget_retired(progress, watermark_ms)
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

    def _forget_retired(self, progress: Mapping[str, bytes], watermark_ms: int) -> None:
        """Remove how far retired services were closed, once no pane of the base step from before that is stored."""
        expired_ms = watermark_ms - self._base.keep_ms - self._base.span_ms
        expired: list[Value] = [
            name for name, through_ms in progress.items() if name.startswith(_RETIRED) and int(through_ms) < expired_ms
        ]
        if expired:
            self._connection.command("HDEL", self._keys.progress, *expired)

    def _call_all(self, calls: Sequence[list[Value]]) -> None:
        for at in range(0, len(calls), _AT_ONCE):
            self._connection.pipeline(calls[at : at + _AT_ONCE])
