"""The keys and arguments of ``baro_close_1`` by name; in the call they are identified by position."""

from collections.abc import Sequence
from dataclasses import dataclass

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.link import Value
from barograph_core.store.parts import new_mark


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneRequest:
    """One pane to close. ``close.lua`` explains each field."""

    parts_key: str
    block_key: str
    above_key: str
    covering_key: str
    step_ms: int
    start_ms: int
    block_start_ms: int
    token: bytes
    revision: int
    keep_ms: int
    above_step_ms: int
    covering_step_ms: int
    blob: bytes
    news: bytes
    fields: Sequence[Value]

    def to_keys(self) -> list[str]:
        return [self.parts_key, self.block_key, self.above_key, self.covering_key]

    def to_args(self) -> list[Value]:
        return [
            self.step_ms,
            self.start_ms,
            self.block_start_ms,
            self.token,
            self.revision,
            self.keep_ms,
            self.above_step_ms,
            self.covering_step_ms,
            self.blob,
            self.news,
            len(self.fields),
            *self.fields,
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequest:
    """Panes of one service, in the order in which to close them."""

    service: str
    base_step_ms: int
    no_data_ms: int
    keep_metrics_ms: int
    longest_keep_ms: int
    deletions: int
    panes: Sequence[PaneRequest]

    def to_command(self, keys: ShardKeys) -> list[Value]:
        """Return the command that calls the function, with the keys of the service's shard."""
        names = [
            keys.open,
            keys.rollups,
            keys.closed,
            keys.producers(self.service),
            keys.metrics,
            keys.progress,
            keys.heard,
            keys.blocks(self.service),
        ]
        args: list[Value] = [
            self.service,
            self.base_step_ms,
            self.no_data_ms,
            self.keep_metrics_ms,
            self.longest_keep_ms,
            self.deletions,
            new_mark(),
        ]
        for pane in self.panes:
            names += pane.to_keys()
            args += pane.to_args()
        return ["FCALL", "baro_close_1", len(names), *names, *args]
