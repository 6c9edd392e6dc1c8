"""Reads the log after a run: was each batch appended once, was each pane closed no earlier than the log allowed?"""

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from barograph_aggregator.settings import AggregatorSettings
from barograph_core.decode.batch import decode_batch
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, as_entries

STEP_MS = 1_000
GRACE_MS = AggregatorSettings().grace_ms


@dataclass
class Arrivals:
    """The events of one pane, by when their entries came.

    Attributes:
        in_time: Events of instances that were known when the pane was over, in entries that came before the watermark
            could pass it.
        late: Instance and time of every other entry that holds events of the pane. A pane that is whole closes before
            the watermark, and no one can wait for an instance that nobody knows yet.
    """

    in_time: int = 0
    late: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


@dataclass
class EventsLog:
    """The events stream as it was read back.

    Attributes:
        batches: How often each sequence number of each instance is there.
        first_ms: When the first entry of each instance came.
        panes: By start.
    """

    events: int = 0
    batches: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    first_ms: dict[str, int] = field(default_factory=dict[str, int])
    panes: defaultdict[int, Arrivals] = field(default_factory=lambda: defaultdict(Arrivals))

    def add(self, entry: Entry) -> None:
        batch = decode_batch(entry.fields)
        self.events += batch.events
        self.batches[batch.instance, batch.seq] += 1
        self.first_ms.setdefault(batch.instance, entry.id.ms)
        starts = Counter[int]((batch.times_ms - batch.times_ms % STEP_MS).tolist())
        for start_ms, count in starts.items():
            is_known = self.first_ms[batch.instance] < start_ms + STEP_MS
            if is_known and entry.id.ms < start_ms + STEP_MS + GRACE_MS:
                self.panes[start_ms].in_time += count
            else:
                self.panes[start_ms].late.append((batch.instance, entry.id.ms))

    @property
    def is_whole(self) -> bool:
        """Say whether the batches of each instance are there from 1 on, each once."""
        newest = Counter[str]()
        for instance, seq in self.batches:
            newest[instance] = max(newest[instance], seq)
        return self.batches.total() == len(self.batches) == newest.total()


@dataclass
class Closings:
    """The ``closed`` entries of one service.

    Attributes:
        requests: By start of pane, how many its first closing counted; one that closed as absent is not listed.
        missing: By start of pane, how many instances its first closing missed.
        revisions: By start of pane, its newest revision.
        steps: Through which ms the service was closed and when, for each entry that moved it on.
        steps_back: How often an entry told a lower ``through_ms`` than the entry before.
    """

    requests: dict[int, int] = field(default_factory=dict[int, int])
    missing: dict[int, int] = field(default_factory=dict[int, int])
    revisions: Counter[int] = field(default_factory=Counter[int])
    steps: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    steps_back: int = 0

    def add(self, entry: Entry) -> None:
        through_ms, before_ms = entry.integer("through_ms"), self.steps[-1][0] if self.steps else 0
        self.steps_back += through_ms < before_ms
        if through_ms > before_ms:
            self.steps.append((through_ms, entry.id.ms))
        if not entry.text("start_ms"):
            return
        start_ms, revision = entry.integer("start_ms"), entry.integer("revision")
        self.revisions[start_ms] = revision
        if revision == 0:
            self.requests[start_ms], self.missing[start_ms] = entry.integer("requests"), entry.integer("missing")

    def early(self, log: EventsLog) -> list[int]:
        """Return the panes that closed without an event whose entry held the watermark back."""
        return [start for start, pane in log.panes.items() if self.requests.get(start, 0) < pane.in_time]

    def unfounded(self, log: EventsLog) -> list[int]:
        """Return the panes with more revisions than entries that came late for them."""
        return [start for start, count in self.revisions.items() if count > len(log.panes[start].late)]

    def unannounced(self, log: EventsLog) -> list[int]:
        """Return the panes that closed as if nobody were missing, though a known producer still had events of them."""
        return [
            start
            for start, pane in log.panes.items()
            if not self.missing.get(start)
            and any(
                log.first_ms[instance] < start + STEP_MS and self._closed_at(start) < came_ms
                for instance, came_ms in pane.late
            )
        ]

    def _closed_at(self, start_ms: int) -> int:
        """Return when the pane was closed, in ms of the server's clock."""
        return self.steps[bisect_left(self.steps, (start_ms + STEP_MS, 0))][1]


def read_events(connection: Connection, keys: ShardKeys) -> EventsLog:
    log = EventsLog()
    for entry in _read(connection, keys.events):
        log.add(entry)
    return log


def read_closings(connection: Connection, keys: ShardKeys, service: str) -> Closings:
    closings = Closings()
    for entry in _read(connection, keys.metrics):
        if entry.text("type") == "closed" and service in entry.text("service").split(","):
            closings.add(entry)
    return closings


def _read(connection: Connection, stream: str) -> list[Entry]:
    entries: list[Entry] = []
    after = "-"
    while page := as_entries(connection.command("XRANGE", stream, after, "+", "COUNT", 500)):
        entries += page
        after = f"({page[-1].id}"
    return entries
