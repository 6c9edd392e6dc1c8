"""The life of an alert: it fires, it resolves, on closed panes and open ones, on a real server."""

import json
from dataclasses import replace

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.actions import apply_by_hand
from barograph_core.alerts.by_hand import acknowledge, resolve_by_hand
from barograph_core.keyspace.layout import Layout
from barograph_core.panes.pane import Pane
from tests.integration.alerter.desk import COUNTING, RATIO, Desk
from tests.unit.alerter.build import pane_of, requests


def test_a_breach_fires_and_its_end_resolves(desk: Desk) -> None:
    """The whole life of an alert, told in two entries."""
    alerter = desk.alerter(RATIO)
    for pane in (requests(ok=10), requests(errors=30), requests(ok=10), requests(ok=10), requests(ok=10)):
        desk.close(pane)
        alerter.work()
    assert desk.told == [("inactive", "firing", True, ""), ("firing", "resolved", True, "")]
    assert desk.records() == []
    assert desk.pending_hints == 0


def test_an_open_pane_can_fire_a_count(desk: Desk) -> None:
    """Nobody waits for the pane to close when more events cannot take the breach back."""
    alerter = desk.alerter(COUNTING)
    desk.close(requests(ok=3))
    alerter.work()
    desk.add_to_open(requests(errors=3))
    desk.add_to_open(requests(errors=2))
    alerter.work()
    assert desk.told == [("inactive", "firing", True, "")]
    assert (desk.entries[0].value, desk.entries[0].threshold, desk.entries[0].summary) == (5.0, 5.0, "5 errors")


def test_an_open_pane_cannot_fire_a_ratio(desk: Desk) -> None:
    """Errors are shipped before successes: an open pane's ratio is biased."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(ok=3))
    alerter.work()
    desk.add_to_open(requests(errors=50))
    alerter.work()
    assert desk.told == []
    assert desk.pending_hints == 0


def test_each_label_set_is_an_alert_of_its_own(desk: Desk) -> None:
    """One route fires, the other does not."""
    alerter = desk.alerter(RATIO + 'by = ["route"]')
    desk.close(Pane.merge([requests(errors=5, route="/a"), requests(ok=5, route="/b")]))
    alerter.work()
    assert [entry.labels for entry in desk.entries] == [{"route": "/a"}]


def test_a_firing_names_its_contributors(desk: Desk) -> None:
    """Which routes account for the breach, the worst first."""
    alerter = desk.alerter(RATIO)
    desk.close(Pane.merge([requests(errors=1, route="/a"), requests(errors=3, route="/b"), requests(ok=1, route="/c")]))
    alerter.work()
    assert [(c.labels["route"], c.of, c.share_ratio) for c in desk.entries[0].contributors] == [
        ("/b", "errors", 0.75),
        ("/a", "errors", 0.25),
    ]


def test_contributors_and_labels_are_json_for_people_with_redis_cli(desk: Desk) -> None:
    """The entry reads without our decoder."""
    desk.close(requests(errors=9, route="/é"))
    desk.alerter(RATIO).work()
    reply = desk.connection.command("XRANGE", desk.keys.alerts, "-", "+")
    assert "contributors" in str(reply)
    told = desk.entries[0]
    plain = json.loads(dict(zip(told.to_fields()[::2], told.to_fields()[1::2], strict=True))["contributors"])
    assert plain == [{"amount": 9.0, "labels": {"method": "GET", "route": "/é"}, "of": "errors", "share_ratio": 1.0}]
    assert replace(told, actor="x").actor == "x"


def test_a_hold_passes_without_any_hint(desk: Desk) -> None:
    """A timer drives what open panes can decide."""
    alerter = desk.alerter(COUNTING + 'for = "500ms"')
    desk.close(requests(ok=1))
    alerter.work()
    desk.add_to_open(requests(errors=5), ahead=0)
    alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["pending"]
    desk.clock.advance(400)
    alerter.tick()
    assert len(desk.told) == 1
    desk.clock.advance(100)
    alerter.tick()
    assert desk.told[1:] == [("pending", "firing", True, "")]


def test_resolved_by_hand_stays_quiet_until_one_closed_pane_is_clear(desk: Desk) -> None:
    """Then the next breach is news again."""
    alerter = desk.alerter(RATIO)
    desk.close(requests(errors=90))
    alerter.work()
    apply_by_hand(
        desk.connection,
        Layout(desk.keys.prefix),
        desk.records()[0].alert_id,
        lambda record: resolve_by_hand(record, actor="ann", note="", now_ms=desk.clock.now_ms()),
    )
    desk.close(*[requests(errors=90)] * 3)
    alerter.work()
    assert len(desk.told) == 2
    desk.close(*[requests(ok=90)] * 4)
    alerter.work()
    assert desk.records() == []
    desk.close(*[requests(errors=90)] * 3)
    alerter.work()
    assert [after for _, after, _, _ in desk.told] == ["firing", "resolved", "firing"]


def test_an_acknowledgement_that_expires_is_told_once(desk: Desk) -> None:
    """By the alerter, within a look; until then nobody is reminded, though a channel was not told."""
    alerter = desk.alerter(RATIO + 'cooldown = "5m"')
    desk.close(requests(errors=90))
    alerter.work()
    given = Acknowledgement(actor="ann", at_ms=desk.clock.now_ms(), until_ms=desk.clock.now_ms() + 5_000)
    apply_by_hand(
        desk.connection,
        Layout(desk.keys.prefix),
        desk.records()[0].alert_id,
        lambda record: acknowledge(replace(record, is_announced=False), given),
    )
    desk.close(*[requests(errors=90)] * 3)
    alerter.work()
    assert [entry.flag for entry in desk.entries] == ["", "acknowledged"]
    assert desk.records()[0].ack == given
    desk.close(*[requests(errors=90)] * 6)
    alerter.work()
    alerter.tick()
    told = desk.entries[2:]
    assert [(entry.flag, entry.reason, entry.notify) for entry in told] == [("unacknowledged", "ack_expired", True)]
    assert desk.records()[0].ack is None


def test_many_alerts_at_once_are_written_in_chunks(desk: Desk) -> None:
    """500 routes breach in one pane; each is told once, and the cursor moves with the last."""
    alerter = desk.alerter(RATIO + 'by = ["route"]')
    events = {(f"/{i}", "GET", 500): [(1.0,)] for i in range(500)}
    desk.close(pane_of("request", {labels: list(values) for labels, values in events.items()}))
    alerter.work()
    assert len({entry.alert_id for entry in desk.entries}) == 500
    assert all(record.is_announced for record in desk.records())
    assert desk.state()["closed_at"] == str(desk.next_ms).encode()
