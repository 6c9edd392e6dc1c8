"""The fenced commit: partial panes and the acknowledgement of their entries, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from barograph_core.keys import ShardKeys
from barograph_core.stream import Connection, EntryId, Value, as_list, as_text


@dataclass(frozen=True, slots=True)
class Part:
    """What one commit adds to one pane."""

    service: str
    start_ms: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """Entries and everything that follows from them.

    Attributes:
        entry_ids: Ascending, at most 1,000.
        requests: Request events among them; with ``errors`` a hint for the alerter.
    """

    entry_ids: Sequence[EntryId]
    parts: Sequence[Part]
    requests: int
    errors: int


class Committer(Protocol):
    """Where commits go. The chaos test puts a blind one here to see it fail."""

    def commit(self, commit: Commit) -> list[EntryId]:
        """Apply ``commit``, or apply nothing and return the entries that are not ours any more."""
        ...


class FencedCommitter:
    """Commits through ``baro_commit_1``, which compares every id with what is pending for this consumer."""

    def __init__(
        self, connection: Connection, keys: ShardKeys, *, group: str, consumer: str, step_ms: int, keep_metrics_ms: int
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._group, self._consumer = group, consumer
        self._step_ms = step_ms
        self._keep_metrics_ms = keep_metrics_ms

    def commit(self, commit: Commit) -> list[EntryId]:
        keys = [self._keys.events, self._keys.open, self._keys.progress, self._keys.metrics]
        keys += [self._keys.parts(part.service, part.start_ms) for part in commit.parts]
        args: list[Value] = [
            self._group,
            self._consumer,
            self._step_ms,
            commit.requests,
            commit.errors,
            self._keep_metrics_ms,
            len(commit.entry_ids),
        ]
        args += [str(entry_id) for entry_id in commit.entry_ids]
        for part in commit.parts:
            args += [part.service, part.start_ms, part.blob]
        status, *lost = as_list(self._connection.call("baro_commit_1", keys, args))
        return [] if as_text(status) == "ok" else [EntryId.parse(as_text(item)) for item in lost]
