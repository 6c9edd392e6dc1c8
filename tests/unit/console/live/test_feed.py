"""The feed over fakes: what is published when panes close, alerts change, and the server goes away."""

import json
import queue
from collections.abc import Generator, Sequence
from typing import Any, cast

import pytest

from barograph_console.live.feed import LiveFeed
from barograph_console.store.ports import (
    AlertEntry,
    Change,
    ChangesMissed,
    MarkerTold,
    PaneClosed,
    Ports,
    SilenceChanged,
)
from barograph_core.alerts.published_rules import PublishedRule, PublishedRules
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.alerts.transition import Transition
from barograph_core.clock import Clock, SystemClock
from barograph_core.errors import StreamUnavailableError
from barograph_core.events.encode import encode_batch
from barograph_core.events.kinds import KINDS
from barograph_core.markers.marker import Marker
from barograph_core.server.replies import EntryId
from barograph_core.silences.entry import entry_of
from barograph_core.silences.silence import Silence, parse_matchers
from barograph_core.store.pane_store import StoredPane
from tests.support import FakeClock, wait_until
from tests.unit.console.fakes import (
    ALERT_ID,
    NOW_MS,
    FakeAccess,
    FakeAlerts,
    FakeChannels,
    FakeEventLog,
    FakeHealth,
    FakeMarkers,
    FakePanes,
    FakePipeline,
    FakePushes,
    FakeRules,
    FakeSilences,
    panes_of,
    record,
    requests,
)


class FakeChanges:
    """One shard whose changes the test writes."""

    def __init__(self) -> None:
        self.written: queue.SimpleQueue[Sequence[Change]] = queue.SimpleQueue()
        self.opened = 0

    def shards(self) -> list[str]:
        return ["0"]

    def open(self, shard: str) -> "FakeChanges":
        assert shard == "0"
        self.opened += 1
        return self

    def read(self, wait_ms: int) -> Sequence[Change]:
        try:
            return self.written.get(timeout=min(wait_ms, 20) / 1_000)
        except queue.Empty:
            return []

    def close(self) -> None:
        """There is nothing to close."""


class Stage:
    """A feed at work, and what it published."""

    def __init__(self, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self.panes = FakePanes(stored={1_000: [], 10_000: [], 60_000: [], 3_600_000: []})
        self.alerts = FakeAlerts()
        self.changes = FakeChanges()
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.snapshots: list[dict[str, Any]] = []
        self.rules = FakeRules()
        self.silences = FakeSilences(clock)
        ports = Ports(
            self.panes,
            self.alerts,
            FakePipeline(),
            FakeHealth(),
            FakeAccess(),
            self.rules,
            self.silences,
            FakePushes(),
            FakeMarkers(),
            FakeEventLog(clock),
            FakeChannels(),
        )
        self.feed = LiveFeed(ports, self.changes, clock, 500)
        self.feed.start(self)

    def publish(self, topic: str, kind: str, body: str) -> None:
        self.published.append((kind, {**json.loads(f"{{{body}}}"), "topic": topic}))

    def revise(self, topic: str) -> None:
        self.published.append(("reset", {"topic": topic}))

    def offer_snapshot(self, topic: str, state: str) -> None:
        self.snapshots.append({**json.loads(state), "topic": topic})

    def of(self, kind: str, topic: str = "ranker") -> list[dict[str, Any]]:
        return [message for found, message in self.published if found == kind and message["topic"] == topic]

    def until(self, kind: str, count: int = 1, topic: str = "ranker") -> list[dict[str, Any]]:
        wait_until(lambda: len(self.of(kind, topic)) >= count, timeout_s=10, what=f"{count} {kind} of {topic}")
        return self.of(kind, topic)

    def close(self, start_ms: int, *durations: float, revision: int = 0) -> None:
        """Close the pane of a second with these requests."""
        stored = panes_of([requests(*((start_ms, "/r", 200, duration) for duration in durations))])[0]
        held = [pane for pane in self.panes.stored[1_000] if pane.start_ms != start_ms]
        self.panes.stored[1_000] = sorted([*held, stored], key=lambda pane: pane.start_ms)
        through_ms = max(start_ms + 1_000, self.panes.closed["ranker"])
        self.panes.closed = {"ranker": through_ms}
        self.changes.written.put([PaneClosed("ranker", through_ms, start_ms if revision else None)])

    def points(self) -> dict[int, int | None]:
        """Return the newest requests of each second, as a client holds them."""
        found: dict[int, int | None] = {}
        for message in self.of("tick"):
            point = message.get("points", {}).get("1000")
            if point is not None:
                found[point["t"]] = point["requests"]
        return found


@pytest.fixture
def stage() -> Generator[Stage, None, None]:
    made = Stage()
    yield made
    made.feed.stop()


def test_nothing_is_read_before_somebody_follows(stage: Stage) -> None:
    assert stage.changes.opened == 0
    assert stage.panes.asked == []
    stage.feed.follow("ranker")
    stage.until("tick")
    assert stage.changes.opened == 1


def test_a_service_that_has_just_begun_is_counted_from_its_first_pane(stage: Stage) -> None:
    stage.close(NOW_MS, 5.0)
    stage.close(NOW_MS + 2_000, 7.0)
    stage.feed.follow("ranker")
    wait_until(lambda: any("minute" in tick for tick in stage.of("tick")), what="the figures of a minute")
    minute = next(tick["minute"] for tick in stage.of("tick") if "minute" in tick)
    assert (minute["requests"], minute["covered_ms"]) == (2, 3_000)


def test_each_closed_pane_gives_its_point_and_the_last_all_figures(stage: Stage) -> None:
    stage.feed.follow("ranker")
    stage.until("tick")
    stage.close(NOW_MS, 5.0, 7.0)
    stage.close(NOW_MS + 3_000, 9.0)
    wait_until(lambda: stage.points().get(NOW_MS + 3_000) == 1, what="the newest point")
    points = stage.points()
    assert [points[NOW_MS + second * 1_000] for second in range(4)] == [2, None, None, 1]
    assert [tick for tick in stage.of("tick") if "minute" in tick][-1]["minute"]["requests"] == 3


def test_what_was_closed_just_before_is_sent_once_more(stage: Stage) -> None:
    """An overview that was read a moment before may lack it."""
    stage.close(NOW_MS - 3_000, 5.0)
    stage.feed.follow("ranker")
    wait_until(lambda: NOW_MS - 1_000 in stage.points(), what="the last point before")
    assert stage.points()[NOW_MS - 3_000] == 1


def test_a_revision_of_an_earlier_pane_is_said_and_shown(stage: Stage) -> None:
    """Late events: those who draw that point ask for it again, and the minute counts them."""
    stage.close(NOW_MS, 5.0)
    stage.feed.follow("ranker")
    stage.until("tick")
    stage.close(NOW_MS - 30_000, 5.0, 6.0, 7.0, revision=1)
    stage.until("reset")
    wait_until(
        lambda: [tick for tick in stage.of("tick") if "minute" in tick][-1]["minute"]["requests"] == 4,
        what="the late events in the minute",
    )


def test_a_marker_is_told_to_its_service_and_to_all(stage: Stage) -> None:
    stage.feed.follow("ranker")
    stage.feed.follow("*")
    stage.until("tick")
    facts = {"at_ms": NOW_MS, "kind": "deploy", "title": "api 2"}
    for service in ("ranker", "other"):
        marker = Marker(key=service, service=service, **facts)  # type: ignore[arg-type]  # test data by name
        stage.changes.written.put([MarkerTold(marker)])
    wait_until(lambda: len(stage.of("marker", "*")) == 2, timeout_s=20, what="both markers")
    (told,) = stage.of("marker")
    assert told["marker"] == {**facts, "key": "ranker", "url": "", "actor": ""}


def test_other_rules_are_said(stage: Stage) -> None:
    """Thresholds and the number of rules stand only in an overview: those who show them ask for it again."""
    stage.feed.follow("ranker")
    stage.until("tick")
    rule = PublishedRule(name="slow", on="request", severity=Severity.ERROR, window_ms=10_000, when="count > 1")
    stage.rules.published = PublishedRules.of([rule], NOW_MS)
    stage.close(NOW_MS, 5.0)
    stage.until("reset")
    stage.close(NOW_MS + 1_000, 5.0)
    wait_until(lambda: stage.points().get(NOW_MS + 1_000) == 1, what="the next pane")
    assert len(stage.of("reset")) == 1


def test_cursors_that_were_set_back_are_followed(stage: Stage) -> None:
    """The server's clock had been ahead: the topic is read again, and later points go."""
    stage.feed.follow("ranker")
    stage.until("tick")
    stage.panes.closed = {"ranker": NOW_MS + 3_600_000}
    stage.changes.written.put([PaneClosed("ranker", NOW_MS + 3_600_000, None)])
    wait_until(lambda: stage.of("tick")[-1]["closed_through_ms"] == NOW_MS + 3_600_000, what="the clock's slip")
    stage.panes.closed = {"ranker": NOW_MS}
    stage.close(NOW_MS + 1_000, 5.0)
    stage.until("reset")
    wait_until(lambda: stage.points().get(NOW_MS + 1_000) == 1, what="the first pane after it")
    assert stage.of("tick")[-1]["closed_through_ms"] == NOW_MS + 2_000


def test_changes_that_were_missed_are_read_again(stage: Stage) -> None:
    """After an outage of the server nothing between is lost: the state is asked for anew."""
    stage.feed.follow("ranker")
    stage.until("tick")
    stage.panes.closed = {"ranker": NOW_MS + 2_000}
    stage.panes.stored[1_000] = panes_of([requests((NOW_MS + 1_000, "/r", 200, 5.0))])
    stage.changes.written.put([ChangesMissed()])
    stage.until("reset")
    wait_until(lambda: stage.points().get(NOW_MS + 1_000) == 1, what="what was closed meanwhile")


def test_while_the_server_is_away_there_are_signs_of_life(stage: Stage) -> None:
    """A client sees how old its figures are, and not a broken connection."""
    stage.feed.follow("ranker")
    before = len(stage.until("tick"))
    stage.panes.error = StreamUnavailableError("unreachable", "gone")
    ticks = stage.until("tick", before + 2)
    assert {tick["closed_through_ms"] for tick in ticks[-2:]} == {NOW_MS}


def test_a_snapshot_holds_figures_alerts_and_points(stage: Stage) -> None:
    stage.close(NOW_MS, 5.0)
    stage.alerts.held = [record(service="ranker")]
    stage.feed.follow("ranker")
    stage.feed.make_snapshot("ranker")
    wait_until(lambda: bool(stage.snapshots), what="the snapshot")
    state = stage.snapshots[0]
    assert state["minute"]["requests"] == 1
    assert [alert["id"] for alert in state["alerts"]] == [ALERT_ID]
    assert set(state["points"]) == {"1000", "10000", "60000", "3600000"}


def test_an_unforeseen_error_does_not_end_the_feed(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the topic is read again from the beginning."""
    stage.feed.follow("ranker")
    stage.until("tick")
    good, stage.panes.stored = stage.panes.stored, {1_000: [cast(StoredPane, None)]}
    stage.panes.closed = {"ranker": NOW_MS + 1_000}
    stage.changes.written.put([PaneClosed("ranker", NOW_MS + 1_000)])
    wait_until(lambda: "console.live_failed" in caplog.text, what="the error in the log")
    stage.panes.stored = good
    stage.close(NOW_MS + 1_000, 5.0)
    wait_until(lambda: stage.points().get(NOW_MS + 1_000) == 1, what="the next point")


def transition(after: AlertState) -> Transition:
    return Transition(
        transition="0" * 32,
        alert_id=ALERT_ID,
        rule="high-error-rate",
        severity=Severity.ERROR,
        service="ranker",
        labels={"route": "/predict"},
        before=AlertState.FIRING if after is AlertState.RESOLVED else AlertState.PENDING,
        after=after,
        at_ms=NOW_MS,
        episode_ms=NOW_MS - 60_000,
        actor="mira",
    )


def test_an_alert_goes_to_its_service_and_to_all(stage: Stage) -> None:
    """With its row as it is now; one that ended is shown as its entry tells it."""
    stage.feed.follow("ranker")
    stage.feed.follow("*")
    stage.until("tick")
    stage.alerts.held = [record(summary="it burns")]
    stage.changes.written.put([AlertEntry(EntryId(NOW_MS, 0), transition(AlertState.FIRING))])
    for topic in ("ranker", "*"):
        (message,) = stage.until("alert", topic=topic)
        assert (message["alert"]["summary"], message["entry_id"]) == ("it burns", f"{NOW_MS}-0")
        assert message["change"] == {"from": "pending", "to": "firing", "actor": "mira", "reason": ""}
    stage.alerts.held = []
    stage.changes.written.put([AlertEntry(EntryId(NOW_MS, 1), transition(AlertState.RESOLVED))])
    assert stage.until("alert", 2)[1]["alert"]["state"] == "resolved"


def silence(**changes: Any) -> Silence:
    facts: dict[str, Any] = {
        "silence_id": "s1",
        "matchers": parse_matchers(["service=ranker"]),
        "starts_ms": 0,
        "ends_ms": None,
        "actor": "mira",
        "comment": "looking",
        "changed_ms": 0,
    }
    return Silence(**(facts | changes))


def test_a_silence_is_said_with_what_it_mutes(stage: Stage) -> None:
    """To those who follow the service and to all; it takes the place of what was known, so a repeat does no harm."""
    stage.alerts.held = [record()]
    stage.feed.follow("ranker")
    stage.feed.follow("*")
    stage.until("tick")
    muting = silence()
    stage.silences.lay(muting)
    # Two shards say the same.
    stage.changes.written.put([SilenceChanged(entry_of(muting, "added"))] * 2)
    (message,) = stage.until("silence")
    assert [one["id"] for one in message["silences"]] == ["s1"]
    assert message["silenced"] == {ALERT_ID: ["s1"]}
    change = {"id": "s1", "what": "added", "actor": "mira", "note": "looking", "reason": ""}
    assert message["changes"] == [change]
    assert stage.until("silence", topic="*")[0]["changes"] == [change]


def test_a_silence_that_ends_by_its_time_is_said_at_that_time() -> None:
    """Nobody writes an entry before an alerter has looked."""
    clock = FakeClock(NOW_MS)
    stage = Stage(clock)
    stage.alerts.held = [record()]
    stage.feed.follow("ranker")
    stage.until("tick")
    muting = silence(starts_ms=NOW_MS, ends_ms=NOW_MS + 700)
    stage.silences.lay(muting)
    stage.changes.written.put([SilenceChanged(entry_of(muting, "added"))])
    stage.until("silence")
    clock.advance(700)
    first, second = stage.until("silence", 2)
    stage.feed.stop()
    assert (list(first["silenced"]), list(second["silenced"])) == ([ALERT_ID], [])
    assert (len(second["silences"]), second["changes"]) == (0, [])


def models(start_ms: int, *versions: str) -> Any:
    labels = [("ctr", version) for version in versions]
    kind = KINDS["model"]
    columns = [[1.0] * len(labels) for _ in kind.measures]
    return panes_of([encode_batch(kind, labels, list(range(len(labels))), [start_ms] * len(labels), columns)])[0]


def test_a_version_that_was_never_seen_is_a_release(stage: Stage) -> None:
    """The first version of a model is none, and one that comes back is none either."""
    stage.panes.stored[3_600_000] = [models(NOW_MS - 7_200_000, "6")]
    stage.panes.stored[1_000] = [models(NOW_MS - 20_000, "7")]
    stage.feed.follow("ranker")
    stage.until("tick")
    stage.panes.stored[1_000] += [models(NOW_MS, "6", "7"), models(NOW_MS + 1_000, "8")]
    stage.panes.closed = {"ranker": NOW_MS + 2_000}
    stage.changes.written.put([PaneClosed("ranker", NOW_MS + 2_000)])
    stage.until("marker")
    wait_until(lambda: stage.of("tick")[-1]["closed_through_ms"] == NOW_MS + 2_000, what="the last pane")
    assert [message["marker"]["title"] for message in stage.of("marker")] == ["ctr 8"]


def test_the_cards_show_every_service(stage: Stage) -> None:
    stage.close(NOW_MS, 5.0, 6.0)
    stage.alerts.held = [record()]
    stage.feed.follow("*")
    (card,) = stage.until("tick", topic="*")[0]["cards"]
    assert (card["service"], card["minute"]["requests"], card["firing"]) == ("ranker", 2, 1)
    assert card["minute"]["covered_ms"] == 1_000
    assert card["worst_alert"]["id"] == ALERT_ID
