"""The console's ports in memory, and what tests build with them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from fastapi.testclient import TestClient

from barograph_console.app import create_app
from barograph_console.settings import ConsoleSettings
from barograph_console.store.connection_pool import ConnectionPool
from barograph_console.store.ingest.event_log import AHEAD_MS, LATENESS_MS, Event, Receipt, Writing
from barograph_console.store.ports import (
    EVERY_ENTRY,
    AlertEntry,
    EpisodeCounts,
    HistoryFilter,
    HistoryPage,
    Ports,
    ReadinessProblem,
    Retention,
)
from barograph_console.store.redis_silences import RedisSilences
from barograph_core.access.session import Session
from barograph_core.access.token import Token
from barograph_core.alerts.actions import (
    AlertConflictError,
    AlertNotFoundError,
    AlertStateError,
    Applied,
    KeyReusedError,
    Once,
)
from barograph_core.alerts.by_hand import HandChange, NotApplicableError
from barograph_core.alerts.published_rules import PublishedRules
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.clock import Clock
from barograph_core.decode.batch import decode_batch
from barograph_core.errors import BarographError
from barograph_core.events.encode import EncodedBatch, encode_batch, entry_fields
from barograph_core.events.kinds import KINDS, Kind, Labels
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import LayoutView
from barograph_core.markers.marker import Marker
from barograph_core.pipeline.channel_tests import ChannelTest, TriedMessage
from barograph_core.pipeline.deliveries import Delivery, DeliveryPage
from barograph_core.pipeline.status import PipelineStatus, ServiceProducers
from barograph_core.pushed.pushed_alert import PushedAlert
from barograph_core.pushed.pushing import RefusedPush
from barograph_core.server.replies import EntryId
from barograph_core.silences.silence import Silence, labels_of
from barograph_core.silences.store import HeldSilence, SilenceStore, SilenceWrite
from barograph_core.steps import DEFAULT_KEEP, Step, parse_keep
from barograph_core.store.blocks import WHOLE
from barograph_core.store.figure_records import STORED_QUANTILES
from barograph_core.store.figure_store import FigureRange
from barograph_core.store.figures import Figures
from barograph_core.store.pane_store import PackedPane, StoredPane
from tests.batches import panes_by_start
from tests.support import FakeClock, fake_connection

NOW_MS = 1_700_000_000_000
STEPS = parse_keep(DEFAULT_KEEP)
ALERT_ID = "0123456789abcdef"


def panes_of(batches: Sequence[EncodedBatch], step_ms: int = 1_000) -> list[StoredPane]:
    """Return the closed panes of the batches' events."""
    decoded = [
        decode_batch(
            {
                name.encode(): value if isinstance(value, bytes) else str(value).encode()
                for name, value in entry_fields(
                    batch, service="ranker", instance="i", seq=1, through_ms=batch.last_ms
                ).items()
            }
        )
        for batch in batches
    ]
    return [StoredPane(start, 0, 0, pane) for start, pane in panes_by_start(decoded, step_ms).items()]


def requests(*rows: tuple[int, str, int, float]) -> EncodedBatch:
    """Return a batch of GET requests, each (time_ms, route, status, duration_ms)."""
    labels = sorted({(route, "GET", status) for _, route, status, _ in rows})
    return encode_batch(
        KINDS["request"],
        labels,
        [labels.index((route, "GET", status)) for _, route, status, _ in rows],
        [time_ms for time_ms, *_ in rows],
        [[duration for *_, duration in rows]],
    )


def record(**changes: object) -> AlertRecord:
    """Return a firing alert."""
    facts: dict[str, object] = {
        "alert_id": ALERT_ID,
        "rule": "high-error-rate",
        "service": "ranker",
        "labels": {"route": "/predict"},
        "severity": Severity.ERROR,
        "state": AlertState.FIRING,
        "episode_ms": NOW_MS - 60_000,
        "changed_at_ms": NOW_MS - 50_000,
        "breached_to_ms": NOW_MS - 1_000,
        "value": 0.25,
        "threshold": 0.05,
    }
    return AlertRecord(**(facts | changes))  # type: ignore[arg-type]  # test data by name


@dataclass
class FakePanes:
    """Panes by step; counts what it was asked for."""

    closed: dict[str, int] = field(default_factory=lambda: {"ranker": NOW_MS})
    stored: dict[int, list[StoredPane]] = field(default_factory=dict[int, list[StoredPane]])
    asked: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    error: BarographError | None = None
    stored_steps: tuple[Step, ...] = STEPS
    settled: int | None = None
    pending: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def retention(self, service: str, now_ms: int) -> Retention:
        del service  # nothing was dropped
        return Retention(now_ms, self.stored_steps)

    def pending_roll_ups(self, service: str, through_ms: int) -> Sequence[tuple[int, int]]:
        del service  # they are of one service
        return [(step_ms, start_ms) for step_ms, start_ms in self.pending if start_ms + step_ms <= through_ms]

    def settled_ms(self, service: str) -> int | None:
        del service  # all are on one shard
        return self.settled

    def services(self) -> dict[str, int]:
        if self.error is not None:
            raise self.error
        return self.closed

    def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[StoredPane]:
        self.asked.append((step_ms, from_ms, to_ms))
        if service not in self.closed:
            return []
        return [pane for pane in self.stored.get(step_ms, []) if from_ms <= pane.start_ms < to_ms]

    def read_changed(
        self, service: str, step_ms: int, from_ms: int, to_ms: int, known: Mapping[int, int]
    ) -> Sequence[StoredPane]:
        return [one for one in self.read(service, step_ms, from_ms, to_ms) if known.get(one.start_ms) != one.revision]

    def read_packed(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[PackedPane]:
        return [
            PackedPane(stored.start_ms, stored.revision, stored.missing, stored.pane.pack())
            for stored in self.read(service, step_ms, from_ms, to_ms)
        ]

    def unpack(self, service: str, step_ms: int, packed: PackedPane) -> StoredPane:
        del service, step_ms  # nothing is remembered
        return packed.unpack()

    def series(self, where: FigureRange, kind: str) -> Sequence[Labels]:
        stored = self.stored.get(where.step.step_ms, [])
        return sorted({labels for pane in stored for labels in pane.pane.labels(kind)})

    def figures(self, where: FigureRange, kind: Kind, measure: int, series: Sequence[Labels]) -> tuple[Figures, int]:
        stored = self.stored.get(where.step.step_ms, [])
        panes = [pane for pane in stored if where.from_ms <= pane.start_ms < where.to_ms]
        parts = [Figures.empty(STORED_QUANTILES)]
        for pane in panes:
            for table in (pane.pane.whole() if list(series) == [WHOLE] else pane.pane).tables:
                if table.kind is kind:
                    kept = [index for index, labels in enumerate(table.labels) if labels in series]
                    places = np.array([series.index(table.labels[index]) for index in kept], np.int64)
                    starts_ms = np.full(len(kept), pane.start_ms)
                    parts.append(Figures.of_table(table.take(kept), measure, STORED_QUANTILES, places, starts_ms))
        return Figures.concatenate(parts), max((pane.missing for pane in panes), default=0)


@dataclass
class FakeAlerts:
    """Alerts and their history in lists."""

    held: list[AlertRecord] = field(default_factory=list[AlertRecord])
    entries: list[AlertEntry] = field(default_factory=list[AlertEntry])
    is_contended: bool = False
    sent: list[Delivery] = field(default_factory=list[Delivery])
    quiet_ms: dict[str, int] = field(default_factory=dict[str, int])
    done: dict[str, tuple[Once, Applied]] = field(default_factory=dict[str, tuple[Once, Applied]])

    def records(self, services: Sequence[str]) -> list[AlertRecord]:
        return [one for one in self.held if one.service in services]

    def find(self, alert_id: str) -> AlertRecord | None:
        return next((one for one in self.held if one.alert_id == alert_id), None)

    def quiet_until(self, service: str, alert_id: str) -> int | None:
        del service  # ids are unique
        return self.quiet_ms.get(alert_id)

    def deliveries(
        self, *, transitions: Collection[str] | None, channel: str, before: EntryId | None, limit: int
    ) -> DeliveryPage:
        found = [
            one
            for one in sorted(self.sent, key=lambda one: one.id, reverse=True)
            if (transitions is None or one.transition in transitions)
            and channel in ("", one.channel)
            and (before is None or one.id < before)
        ]
        return DeliveryPage(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    def history(
        self, *, before: EntryId | None, limit: int, service: str, only: HistoryFilter = EVERY_ENTRY
    ) -> HistoryPage:
        found = [
            entry
            for entry in sorted(self.entries, key=lambda entry: entry.id, reverse=True)
            if (before is None or entry.id < before)
            and service in ("", entry.transition.service)
            and only.fits(entry.transition)
            and entry.id.ms >= only.from_ms
        ]
        return HistoryPage(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    def between(self, service: str, from_ms: int, to_ms: int) -> list[AlertEntry]:
        found = sorted(self.entries, key=lambda entry: entry.id)
        return [one for one in found if one.transition.service == service and from_ms <= one.id.ms < to_ms]

    def count_since(self, from_ms: int) -> EpisodeCounts:
        recent = [entry.transition for entry in self.entries if entry.id.ms >= from_ms]
        return EpisodeCounts(
            sum(one.after is AlertState.FIRING and one.before is not one.after for one in recent),
            sum(one.after is AlertState.RESOLVED for one in recent),
            is_capped=False,
        )

    def change(self, alert_id: str, decide: Callable[[AlertRecord], HandChange], once: Once | None) -> Applied:
        known = self.done.get(once.key) if once else None
        if once and known:
            if known[0] != once:
                raise KeyReusedError("another request")
            return known[1]
        found = next((one for one in self.held if one.alert_id == alert_id), None)
        if found is None:
            raise AlertNotFoundError(f"there is no alert {alert_id!r}")
        if self.is_contended:
            raise AlertConflictError("it keeps changing")
        try:
            after, transition = decide(found)
        except NotApplicableError as error:
            raise AlertStateError(str(error)) from error
        self.held = [after if one is found else one for one in self.held]
        applied = Applied(transition.transition, after)
        if once:
            self.done[once.key] = (once, applied)
        return applied


@dataclass
class FakePipeline:
    statuses: list[PipelineStatus] = field(default_factory=list[PipelineStatus])
    producers: dict[str, ServiceProducers] = field(default_factory=dict[str, ServiceProducers])

    def read(self) -> list[PipelineStatus]:
        return self.statuses

    def producers_of(self, services: Sequence[str]) -> dict[str, ServiceProducers]:
        return {service: self.producers[service] for service in services if service in self.producers}


@dataclass
class FakeHealth:
    found: list[ReadinessProblem] = field(default_factory=list[ReadinessProblem])

    def problems(self) -> list[ReadinessProblem]:
        return self.found


@dataclass
class FakeAccess:
    """Tokens and sessions in memory."""

    held: list[Token] = field(default_factory=list[Token])
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])
    used: dict[str, str] = field(default_factory=dict[str, str])
    error: BarographError | None = None

    def tokens(self) -> Sequence[Token]:
        if self.error is not None:
            raise self.error
        return list(self.held)

    def note_use(self, token_id: str, day: str) -> None:
        self.used[token_id] = day

    def session(self, digest: str) -> Session | None:
        if self.error is not None:
            raise self.error
        return self.sessions.get(digest)

    def begin_session(self, digest: str, session: Session, now_ms: int) -> None:
        assert session.ends_ms() > now_ms
        self.sessions[digest] = session

    def prolong_session(self, digest: str, session: Session, now_ms: int) -> None:
        assert session.ends_ms() > now_ms
        if digest in self.sessions:
            self.sessions[digest] = session

    def end_session(self, digest: str) -> None:
        self.sessions.pop(digest, None)


@dataclass
class FakeRules:
    published: PublishedRules | None = None

    def read(self) -> PublishedRules | None:
        return self.published


class FakeSilences(RedisSilences):
    """Silences on a fakeredis of their own, made when the first is written; they mute alerts of ``alerts``."""

    def __init__(self, clock: Clock, alerts: FakeAlerts | None = None) -> None:
        self._fake = ConnectionPool(fake_connection, size=1, wait_s=5.0)
        super().__init__(self._fake, LayoutView("baro", clock), clock)
        self._alerts = alerts or FakeAlerts()
        self._is_used = False

    def lay(self, silence: Silence) -> None:
        """Write a silence as it is."""
        self._is_used = True
        with self._fake.borrow() as connection:
            SilenceStore(connection, ShardKeys()).write([SilenceWrite(None, silence, "added")])

    def all(self) -> list[HeldSilence]:
        return super().all() if self._is_used else []

    def meant(self, silence: Silence) -> list[AlertRecord]:
        return [one for one in self._alerts.held if one.is_active and silence.mutes(labels_of(one))]

    def add(self, draft: Silence, once: Once | None = None) -> Silence:
        self._is_used = True
        return super().add(draft, once)


@dataclass
class FakeChannels:
    """A notifier that answers at once, with what is in ``answers``; without any, nobody answers."""

    answers: list[TriedMessage] = field(default_factory=list[TriedMessage])
    asked: list[ChannelTest] = field(default_factory=list[ChannelTest])
    is_full: bool = False

    def ask(self, test: ChannelTest) -> bool:
        self.asked.append(test)
        return not self.is_full

    def answer_to(self, test_id: str) -> list[TriedMessage] | None:
        assert test_id == self.asked[-1].test_id
        return self.answers or None


@dataclass
class FakePushes:
    """Takes alerts in a list; refuses those of the service ``full``."""

    taken: list[PushedAlert] = field(default_factory=list[PushedAlert])

    def push(self, alerts: Sequence[PushedAlert]) -> list[RefusedPush]:
        self.taken += [one for one in alerts if one.service != "full"]
        return [RefusedPush(one, "there is no room") for one in alerts if one.service == "full"]


@dataclass
class FakeMarkers:
    """Markers by their keys."""

    told: dict[str, Marker] = field(default_factory=dict[str, Marker])

    def of(self, service: str) -> list[Marker]:
        return sorted((one for one in self.told.values() if one.service == service), key=lambda one: one.at_ms)

    def add(self, marker: Marker) -> Marker:
        held = self.told.setdefault(marker.key, marker)
        if not held.is_repeated_by(marker):
            raise KeyReusedError("another marker")
        return held


@dataclass
class FakeEventLog:
    """Events in a list; what is older than ten minutes by ``clock`` is late, what is further ahead early."""

    clock: Clock
    events: list[Event] = field(default_factory=list[Event])
    senders: list[str] = field(default_factory=list[str])
    done: dict[str, tuple[Once, Receipt]] = field(default_factory=dict[str, tuple[Once, Receipt]])
    error: BarographError | None = None

    def append(self, events: Sequence[Event], writing: Writing) -> Receipt:
        if self.error is not None:
            raise self.error
        known = self.done.get(writing.once.key) if writing.once else None
        if known:
            if known[0] != writing.once:
                raise KeyReusedError("another request")
            return known[1]
        now_ms, held = self.clock.now_ms(), {one.digest for one in self.events if one.digest}
        new = [(at, one) for at, one in enumerate(events) if one.digest not in held]
        late = [at for at, one in new if one.at_ms < now_ms - LATENESS_MS]
        early = [at for at, one in new if one.at_ms > now_ms + AHEAD_MS]
        refused = {*late, *early}
        kept = [] if writing.is_strict and refused else [one for at, one in new if at not in refused]
        self.events += kept
        self.senders.append(writing.sender)
        duplicate = len(events) - len(new)
        receipt = Receipt(len(kept), duplicate, late, early, len(late), len(early), LATENESS_MS, now_ms)
        if writing.once:
            self.done[writing.once.key] = (writing.once, receipt)
        return receipt


@dataclass
class Console:
    """The application over fakes, and a client that calls it."""

    settings: ConsoleSettings = field(default_factory=ConsoleSettings)
    panes: FakePanes = field(default_factory=FakePanes)
    alerts: FakeAlerts = field(default_factory=FakeAlerts)
    pipeline: FakePipeline = field(default_factory=FakePipeline)
    health: FakeHealth = field(default_factory=FakeHealth)
    access: FakeAccess = field(default_factory=FakeAccess)
    rules: FakeRules = field(default_factory=FakeRules)
    silences: FakeSilences | None = None
    pushes: FakePushes = field(default_factory=FakePushes)
    channels: FakeChannels = field(default_factory=FakeChannels)
    markers: FakeMarkers = field(default_factory=FakeMarkers)
    events: FakeEventLog | None = None
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW_MS))

    def client(self, base_url: str = "http://127.0.0.1:8642") -> TestClient:
        silences = self.silences or FakeSilences(self.clock, self.alerts)
        events = self.events or FakeEventLog(self.clock)
        ports = Ports(
            panes=self.panes,
            alerts=self.alerts,
            pipeline=self.pipeline,
            health=self.health,
            access=self.access,
            rules=self.rules,
            silences=silences,
            pushes=self.pushes,
            markers=self.markers,
            events=events,
            channels=self.channels,
        )
        app = create_app(ports, self.settings, self.clock)
        return TestClient(app, base_url=base_url, raise_server_exceptions=False)
