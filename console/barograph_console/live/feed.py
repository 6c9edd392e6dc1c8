"""The feed: one thread that works out what changed, once for all who follow it, and gives it to the hub."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from barograph_console.alerts.silence_rows import active_silences, next_change_ms
from barograph_console.health.pipeline_summary import PipelineSummary, pipeline_summary
from barograph_console.live.cards import Cards
from barograph_console.live.hub import ALL
from barograph_console.live.messages import Message, alert_messages, marker_message, silence_message
from barograph_console.live.reader import ChangeReader
from barograph_console.live.service_topic import ServiceTopic
from barograph_console.live.work_queue import Asked, WorkQueue
from barograph_console.markers.reader import MarkerReader
from barograph_console.markers.rows import told_row
from barograph_console.reading.first_pane import FirstPanes
from barograph_console.serving.memo import Memo
from barograph_console.store.ports import (
    AlertEntry,
    Change,
    ChangesMissed,
    ChangeSource,
    MarkerTold,
    PaneClosed,
    Ports,
    SilenceChanged,
)
from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.pipeline.status import PipelineStatus
from barograph_core.silences.entry import SilenceEntry

log = logging.getLogger(__name__)
# A topic that had no tick for this long gets one without figures, so that its clients know that we live.
_HEARTBEAT_MS: Final = 1_500
# A cursor that is this far behind what was sent was set back (frontier.lua); others come late.
_SET_BACK_MS: Final = 30_000
_LOOK_EVERY_S: Final = 0.25
# Late events may revise a pane many times; those who draw it ask for it again at most this often.
_REVISE_EVERY_MS: Final = 10_000
_CARDS_EVERY_MS: Final = 1_000
_PIPELINE_AGE_MS: Final = 2_000


class Publisher(Protocol):
    """Takes messages, from the feed's thread."""

    def publish(self, topic: str, kind: str, body: str) -> None: ...

    def revise(self, topic: str) -> None: ...

    def offer_snapshot(self, topic: str, state: str) -> None: ...


class LiveFeed:
    """See ``TopicSource``. Its methods may be called in any thread; the work is done in one of its own."""

    def __init__(self, ports: Ports, changes: ChangeSource, clock: Clock, apdex_t_ms: float) -> None:
        self._ports = ports
        self._clock = clock
        self._apdex_t_ms = apdex_t_ms
        self._work = WorkQueue()
        self._reader = ChangeReader(changes, self._work.hand_on)
        self._markers = MarkerReader(ports, clock)
        self._first_panes = FirstPanes(ports.panes, clock)
        self._pipeline = Memo[list[PipelineStatus]](clock, bound=1)
        self._topics: dict[str, ServiceTopic] = {}
        # Topics are loaded once changes are read: what happens in between would be missed otherwise.
        self._is_reading = False
        self._cards: Cards | None = None
        self._cards_ms = float("-inf")
        self._revised_ms: dict[str, float] = {}
        # When a silence begins or ends by itself, by the wall clock; 0 before the first look.
        self._silence_due_ms = 0.0
        self._waiting: set[str] = set()
        self._log_limit = LogLimit(ONCE)
        self._thread: threading.Thread | None = None

    def start(self, publisher: Publisher) -> None:
        """Begin to work. Nothing is read from the server before somebody follows a topic."""
        self._thread = threading.Thread(target=self._run, args=(publisher,), name="console-live-feed", daemon=True)
        self._thread.start()

    def follow(self, topic: str) -> None:
        self._work.ask(Asked("follow", topic))

    def leave(self, topic: str) -> None:
        self._work.ask(Asked("leave", topic))

    def make_snapshot(self, topic: str) -> None:
        self._work.ask(Asked("snapshot", topic))

    def stop(self) -> None:
        """Let the threads end."""
        self._work.ask(Asked("stop"))

    def _run(self, publisher: Publisher) -> None:
        while True:
            is_idle = not self._topics and self._cards is None
            asked, changes = self._work.take(None if is_idle else _LOOK_EVERY_S)
            if any(one.what == "stop" for one in asked):
                self._reader.stop()
                return
            try:
                self._work_out(asked, changes, publisher)
            except Exception:
                # The thread must live on: without it every page stands still. What it knows may be half changed.
                log.exception("console.live_failed")
                for topic in self._topics.values():
                    topic.is_loaded = False

    def _work_out(self, asked: Sequence[Asked], changes: Sequence[Change], publisher: Publisher) -> None:
        for one in asked:
            self._take(one)
        try:
            self._apply(changes, publisher)
            self._log_limit.forget("unavailable")
        except BarographError as error:
            # What was missed is read again with the next changes, or with the next look.
            self._complain(error)
        self._beat(publisher)

    def _take(self, asked: Asked) -> None:
        if asked.what == "snapshot":
            self._waiting.add(asked.topic)
            return
        if asked.what == "follow":
            self._reader.start()
            if asked.topic == ALL:
                self._cards = Cards(self._ports, self._clock, self._first_panes, self._apdex_t_ms)
            else:
                self._topics[asked.topic] = ServiceTopic(
                    asked.topic, self._ports, self._clock, self._markers, self._first_panes, self._apdex_t_ms
                )
            return
        self._waiting.discard(asked.topic)
        if asked.topic == ALL:
            self._cards = None
        else:
            self._topics.pop(asked.topic, None)
            self._revised_ms.pop(asked.topic, None)
        if not self._topics and self._cards is None:
            self._reader.stop()
            self._is_reading = False

    def _apply(self, changes: Sequence[Change], publisher: Publisher) -> None:
        """Publish what changed, markers and alerts first.

        Raises:
            BarographError: The server is away.
        """
        has_missed = any(isinstance(change, ChangesMissed) for change in changes)
        if has_missed:
            self._is_reading = True
            for known in self._topics.values():
                known.is_revised = known.is_loaded
        self._publish_markers([change for change in changes if isinstance(change, MarkerTold)], publisher)
        self._publish_alerts([change for change in changes if isinstance(change, AlertEntry)], publisher)
        silenced = [change.entry for change in changes if isinstance(change, SilenceChanged)]
        if silenced or self._clock.now_ms() >= self._silence_due_ms:
            self._publish_silences(silenced, publisher)
        through: dict[str, int] = {}
        for change in changes:
            if isinstance(change, PaneClosed):
                through[change.service] = max(change.through_ms, through.get(change.service, 0))
                self._note_revision(change)
        if has_missed or (self._is_reading and self._has_unloaded()):
            through = self._ports.panes.services() | through
        for service, through_ms in through.items():
            topic = self._topics.get(service)
            if topic is not None and self._is_reading:
                self._advance(topic, through_ms, publisher)
        self._answer_waiting(publisher)

    def _note_revision(self, change: PaneClosed) -> None:
        topic = self._topics.get(change.service)
        if topic is not None and change.revised_ms is not None and change.revised_ms < topic.through_ms:
            topic.is_revised = True

    def _has_unloaded(self) -> bool:
        return any(not topic.is_loaded for topic in self._topics.values())

    def _advance(self, topic: ServiceTopic, through_ms: int, publisher: Publisher) -> None:
        now_ms = self._clock.now_ms()
        if not topic.is_loaded:
            messages = topic.load(through_ms, now_ms)
        elif through_ms > topic.through_ms:
            messages = topic.advance(through_ms, now_ms)
        elif through_ms < topic.through_ms - _SET_BACK_MS:
            # The server's clock had been ahead. What clients hold of later times goes when they read everything again.
            messages = topic.load(through_ms, now_ms)
            topic.is_revised = True
        else:
            return
        for message in messages:
            publisher.publish(topic.service, *message)
            if message.kind == "marker":
                self._publish_to_all(message, publisher)
        self._tick(topic, publisher, with_figures=True)

    def _tick(self, topic: ServiceTopic, publisher: Publisher, *, with_figures: bool) -> None:
        now_ms = self._clock.now_ms()
        summary = self._summary(topic, now_ms)
        publisher.publish(topic.service, *topic.tick(now_ms, summary, with_figures=with_figures))
        topic.last_tick_ms = self._clock.monotonic_ms()

    def _summary(self, topic: ServiceTopic, now_ms: int) -> PipelineSummary | None:
        """Return how the pipeline does; ``None`` while the server is away: ticks go on, as a sign of life."""
        try:
            statuses = self._pipeline.get("", self._ports.pipeline.read, max_age_ms=_PIPELINE_AGE_MS)
        except BarographError as error:
            self._complain(error)
            return None
        return pipeline_summary(statuses, now_ms=now_ms, service=topic.service, closed_ms=topic.through_ms)

    def _publish_alerts(self, entries: Sequence[AlertEntry], publisher: Publisher) -> None:
        wanted = [entry for entry in entries if self._cards is not None or entry.transition.service in self._topics]
        if not wanted:
            return
        services = sorted({entry.transition.service for entry in wanted})
        try:
            records, rules = self._ports.alerts.records(services), self._ports.rules.read()
            silences = active_silences(self._ports.silences.all(), self._clock.now_ms())
        except BarographError:
            # These entries do not come again: those who follow ask for the whole state.
            for service in services:
                if service in self._topics:
                    self._topics[service].is_revised = True
            raise
        for service, message in alert_messages(wanted, records, rules, silences):
            publisher.publish(service, *message)
            self._publish_to_all(message, publisher)

    def _publish_silences(self, entries: Sequence[SilenceEntry], publisher: Publisher) -> None:
        """Say what is muted now to all who follow a service: somebody has changed a silence, or its time has come.

        Raises:
            BarographError: The server is away. Who follows asks for the whole state then.
        """
        now_ms = self._clock.now_ms()
        try:
            held = self._ports.silences.all()
            records = self._ports.alerts.records(sorted(self._topics)) if held or entries else []
        except BarographError:
            for topic in self._topics.values():
                topic.is_revised = topic.is_revised or bool(entries)
            raise
        is_due, self._silence_due_ms = self._silence_due_ms > 0, next_change_ms(held, now_ms)
        if not entries and not is_due:
            # The first look: the state that clients ask for has it all.
            return
        for service, topic in self._topics.items():
            if topic.is_loaded:
                own = [record for record in records if record.service == service]
                publisher.publish(service, *silence_message(service, held, own, entries, now_ms))
        self._publish_to_all(silence_message("", (), (), entries, now_ms), publisher)

    def _publish_markers(self, told: Sequence[MarkerTold], publisher: Publisher) -> None:
        for one in told:
            message = marker_message(told_row(one.marker), self._clock.now_ms())
            if one.marker.service in self._topics:
                publisher.publish(one.marker.service, *message)
            self._publish_to_all(message, publisher)

    def _publish_to_all(self, message: Message, publisher: Publisher) -> None:
        if self._cards is not None:
            publisher.publish(ALL, *message)

    def _answer_waiting(self, publisher: Publisher) -> None:
        """Give the snapshots that somebody waits for."""
        now_ms = self._clock.now_ms()
        for name in sorted(self._waiting):
            topic = self._topics.get(name)
            if name == ALL and self._cards is not None:
                publisher.offer_snapshot(ALL, self._cards.snapshot(now_ms))
            elif topic is not None and topic.is_loaded:
                publisher.offer_snapshot(name, topic.snapshot(now_ms, self._summary(topic, now_ms)))
            else:
                continue
            self._waiting.discard(name)

    def _beat(self, publisher: Publisher) -> None:
        """Do what is due by the clock: heartbeats, cards, and revisions that had to wait."""
        for topic in self._topics.values():
            if topic.is_loaded:
                self._guard(self._beat_of, topic, publisher)
        now_ms = self._clock.monotonic_ms()
        if self._cards is not None and now_ms - self._cards_ms >= _CARDS_EVERY_MS:
            self._cards_ms = now_ms
            self._guard(self._publish_cards, self._cards, publisher)

    def _beat_of(self, topic: ServiceTopic, publisher: Publisher) -> None:
        now_ms = self._clock.monotonic_ms()
        is_due = now_ms - self._revised_ms.get(topic.service, float("-inf")) >= _REVISE_EVERY_MS
        if topic.is_revised and is_due:
            self._revised_ms[topic.service] = now_ms
            topic.load(topic.through_ms, self._clock.now_ms())
            publisher.revise(topic.service)
            self._tick(topic, publisher, with_figures=True)
        elif now_ms - topic.last_tick_ms >= _HEARTBEAT_MS:
            self._tick(topic, publisher, with_figures=False)

    def _publish_cards(self, cards: Cards, publisher: Publisher) -> None:
        publisher.publish(ALL, *cards.tick(self._clock.now_ms()))

    def _guard(self, act: Callable[..., None], *arguments: object) -> None:
        try:
            act(*arguments)
        except BarographError as error:
            self._complain(error)

    def _complain(self, error: BarographError) -> None:
        """Log once that the server is away, and again only after it was there."""
        if self._log_limit.allows("unavailable"):
            log.warning("console.live_unavailable", extra={"error": str(error)})
