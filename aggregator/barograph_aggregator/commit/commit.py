"""The fenced commit: partial panes and the acknowledgement of their entries, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId, as_entry_id, as_list, as_text
from barograph_core.store.parts import marked


@dataclass(frozen=True, slots=True)
class Part:
    """The part that one commit adds to one pane."""

    service: str
    start_ms: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """Entries and the effect of their events.

    Attributes:
        entry_ids: Ascending, at most 1,000.
        requests: Number of request events. ``requests`` and ``errors`` are a hint for the alerter.
    """

    entry_ids: Sequence[EntryId]
    parts: Sequence[Part]
    requests: int
    errors: int


class ServiceDeletedError(BarographError):
    """A service was deleted after an entry of a commit had arrived. The commit had no effect.

    Raised by a committer; the handler commits again without the service's events of those entries.

    Attributes:
        entry_id: The last entry whose events of ``service`` are deleted.
    """

    def __init__(self, service: str, entry_id: EntryId) -> None:
        super().__init__(f"service {service!r} was deleted with its events up to {entry_id}")
        self.service, self.entry_id = service, entry_id


class Committer(Protocol):
    """Applies commits. The chaos tests replace it by one without a fence, and check that this fails."""

    def commit(self, commit: Commit) -> list[EntryId]:
        """Apply ``commit``, or apply nothing and return the entries that no longer belong to this consumer.

        Raises:
            ServiceDeletedError: The commit holds events of a service from before its deletion.
        """
        ...


class FencedCommitter:
    """Commits through ``baro_commit_1``, which checks that every entry is still pending for this consumer."""

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
            args += [part.service, part.start_ms, marked(part.blob)]
        status, *lost = as_list(self._connection.call("baro_commit_1", keys, args))
        if as_text(status) == "deleted":
            raise ServiceDeletedError(as_text(lost[0]), as_entry_id(lost[1]))
        return [] if as_text(status) == "ok" else [as_entry_id(item) for item in lost]
