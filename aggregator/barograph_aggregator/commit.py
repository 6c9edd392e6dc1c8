"""The fenced commit: partial panes and the acknowledgement of their entries, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.keys import ShardKeys
from barograph_core.pane_parts import marked
from barograph_core.self_metrics import Counters
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


class ServiceDeletedError(BarographError):
    """A service was deleted after an entry of a commit had come. Nothing of the commit was applied.

    Raised by a committer; the handler commits again without the service's events of those entries.

    Attributes:
        entry_id: The last entry whose events of ``service`` went with it.
    """

    def __init__(self, service: str, entry_id: EntryId) -> None:
        super().__init__(f"service {service!r} was deleted with its events up to {entry_id}")
        self.service, self.entry_id = service, entry_id


class Committer(Protocol):
    """Where commits go. The chaos test puts a blind one here to see it fail."""

    def commit(self, commit: Commit) -> list[EntryId]:
        """Apply ``commit``, or apply nothing and return the entries that are not ours any more.

        Raises:
            ServiceDeletedError: Events of a service would come back that was deleted.
        """
        ...


class TimedCommitter:
    """Measures how long the commits of another committer take, its round trips included."""

    def __init__(self, committer: Committer, clock: Clock, counters: Counters) -> None:
        self._committer = committer
        self._clock = clock
        self._counters = counters

    def commit(self, commit: Commit) -> list[EntryId]:
        began_ms = self._clock.monotonic_ms()
        lost = self._committer.commit(commit)
        self._counters.observe("commit_ms", self._clock.monotonic_ms() - began_ms)
        return lost


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
            args += [part.service, part.start_ms, marked(part.blob)]
        status, *lost = as_list(self._connection.call("baro_commit_1", keys, args))
        if as_text(status) == "deleted":
            raise ServiceDeletedError(as_text(lost[0]), EntryId.parse(as_text(lost[1])))
        return [] if as_text(status) == "ok" else [EntryId.parse(as_text(item)) for item in lost]
