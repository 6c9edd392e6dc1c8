from dataclasses import replace
from typing import Any

from barograph_console.store.ports import AlertEntry
from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.by_hand import acknowledge
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition, transition_of
from barograph_core.pipeline.deliveries import Delivery
from barograph_core.server.replies import EntryId
from tests.unit.console.fakes import ALERT_ID, NOW_MS, Console, FakeAlerts, record

START = NOW_MS - 60_000
EARLIER = START - 3_600_000


def moved(before: AlertState, after: AlertState, at_ms: int, episode_ms: int, actor: str = "") -> AlertEntry:
    held = record(state=after, episode_ms=episode_ms, number=at_ms % 1_000)
    transition = transition_of(held, before=before, at_ms=at_ms, notify=True, actor=actor)
    return AlertEntry(EntryId(at_ms, 0), transition)


def sent(of: Transition, at_ms: int, result: str = "sent", channel: str = "slack") -> Delivery:
    return Delivery(EntryId(at_ms, 1), of.transition, channel, 1, result, "", at_ms)


FIRED_BEFORE = moved(AlertState.INACTIVE, AlertState.FIRING, EARLIER + 1, EARLIER)
ENDED_BEFORE = moved(AlertState.FIRING, AlertState.RESOLVED, EARLIER + 90_002, EARLIER, "tom")
PENDING = moved(AlertState.INACTIVE, AlertState.PENDING, START + 3, START)
FIRING = moved(AlertState.PENDING, AlertState.FIRING, START + 30_004, START)


def console(*entries: AlertEntry, **changes: Any) -> Console:
    held = [record(episode_ms=START, **changes)]
    deliveries = [sent(FIRING.transition, START + 30_216), sent(FIRED_BEFORE.transition, EARLIER + 300, channel="mail")]
    return Console(alerts=FakeAlerts(held=held, entries=list(entries), sent=deliveries))


ALL = console(FIRED_BEFORE, ENDED_BEFORE, PENDING, FIRING)


def get(path: str, of: Console = ALL) -> Any:
    return of.client().get(f"/api/v1/{path}").json()


def test_an_alert_tells_what_happened_to_it() -> None:
    """Its changes and what was sent of them, in the order of time, of this episode only."""
    found = get(f"alerts/{ALERT_ID}")
    assert [(row["what"], row["at_ms"] - START) for row in found["log"]] == [
        ("pending", 3),
        ("firing", 30_004),
        ("delivery", 30_216),
    ]
    delivery = found["log"][-1]
    assert (delivery["channel"], delivery["result"], delivery["delay_ms"]) == ("slack", "sent", 212)
    assert [one["channel"] for one in found["deliveries"]] == ["slack", "mail"]


def test_an_alert_tells_how_it_ended_before() -> None:
    """Who looked after it and who resolved it the last time are the first to ask."""
    given = Acknowledgement(actor="mira", at_ms=EARLIER + 5_000, until_ms=None, note="bad weights")
    firing = record(state=AlertState.FIRING, episode_ms=EARLIER)
    acked = AlertEntry(EntryId(EARLIER + 5_000, 0), acknowledge(firing, given)[1])
    (before,) = get(f"alerts/{ALERT_ID}", console(FIRED_BEFORE, acked, ENDED_BEFORE, PENDING, FIRING))["similar"]
    assert before == {
        "started_at_ms": EARLIER,
        "ended_at_ms": EARLIER + 90_002,
        "actor": "tom",
        "acked_by": "mira",
        "note": "bad weights",
        "deeds": [
            {"at_ms": EARLIER + 5_000, "what": "acknowledged", "actor": "mira", "note": "bad weights"},
            {"at_ms": EARLIER + 90_002, "what": "resolved", "actor": "tom", "note": ""},
        ],
    }


def test_the_last_three_times_are_told() -> None:
    times = [START - hours * 3_600_000 for hours in (5, 4, 3, 2)]
    entries = [
        entry
        for at_ms in times
        for entry in (
            moved(AlertState.INACTIVE, AlertState.FIRING, at_ms + 1, at_ms),
            moved(AlertState.FIRING, AlertState.RESOLVED, at_ms + 9_002, at_ms),
        )
    ]
    found = get(f"alerts/{ALERT_ID}", console(*entries, PENDING, FIRING))["similar"]
    assert [one["started_at_ms"] for one in found] == times[:0:-1]
    assert {(one["acked_by"], one["actor"], len(one["deeds"])) for one in found} == {("", "", 0)}


def test_an_alert_that_has_ended_is_found_in_its_history() -> None:
    """A link to it still works after it is resolved."""
    ended = Console(alerts=FakeAlerts(entries=[FIRED_BEFORE, ENDED_BEFORE]))
    found = get(f"alerts/{ALERT_ID}", ended)
    assert (found["state"], found["started_at_ms"], [row["what"] for row in found["log"]]) == (
        "resolved",
        EARLIER,
        ["firing", "resolved"],
    )
    assert get(f"alerts/{'0' * 16}", ended)["code"] == "unknown_alert"


def test_history_is_narrowed() -> None:
    """By person, rule, alert and time."""
    assert [one["actor"] for one in get("alerts/history?actor=tom")["entries"]] == ["tom"]
    assert get("alerts/history?rule=slow-responses")["entries"] == []
    assert len(get(f"alerts/history?alert_id={ALERT_ID}&from={START}")["entries"]) == 2
    assert len(get(f"alerts/history?to={START}")["entries"]) == 2
    assert get("alerts/history?from=soon")["code"] == "invalid_parameter"


def test_deliveries_are_narrowed_to_an_alert_or_a_channel() -> None:
    assert [one["channel"] for one in get("deliveries?channel=mail")["deliveries"]] == ["mail"]
    other = replace(FIRING, transition=replace(FIRING.transition, alert_id="f" * 16, transition="other"))
    of = console(other, FIRED_BEFORE)
    of.alerts.sent.append(sent(other.transition, START + 1))
    assert [one["channel"] for one in get(f"deliveries?alert_id={ALERT_ID}", of)["deliveries"]] == ["mail"]
    assert get("deliveries?limit=1")["next_before"] is not None


def test_episodes_of_a_service_are_listed() -> None:
    found = get("alerts/episodes?service=ranker&from=-2h")
    assert [(one["firing_ms"], one["end_ms"]) for one in found["episodes"]] == [
        (EARLIER + 1, EARLIER + 90_002),
        (START + 30_004, None),
    ]
