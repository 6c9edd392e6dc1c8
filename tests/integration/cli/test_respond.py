"""barograph alert, silence and mark: what whoever is on call sees and does."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from barograph_cli.__main__ import main
from barograph_core.alerts.change import Change, Cursors, Written, write_changes
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.alerts.transition import transition_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout_change import install_layout
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_entries
from tests.unit.core.alerts.samples import RECORD

ESCAPE: Final = "\x1b[2J"


class OnCall:
    """A server with alerts, and the commands."""

    def __init__(self, url: str, connection: Connection, keys: ShardKeys, capsys: pytest.CaptureFixture[str]) -> None:
        self._url, self._connection, self._keys, self._capsys = url, connection, keys, capsys
        install_layout(connection, keys.prefix, 1)
        connection.command("HSET", keys.closed, RECORD.service, 1_000)
        self._version = "0"
        self.now_ms = read_now(connection)

    def hold(self, record: AlertRecord) -> AlertRecord:
        """Write a record with its entry, as an alerter does."""
        entry = transition_of(record, before=AlertState.PENDING, at_ms=self.now_ms - 60_000, notify=True)
        change = Change(alert_id=record.alert_id, record=record, transition=entry)
        written = write_changes(
            self._connection, self._keys, RECORD.service, [change], cursors=Cursors(version=self._version)
        )
        assert isinstance(written, Written)
        self._version = written.version
        return record

    def deliver(self, record: AlertRecord, channel: str, result: str, reason: str = "") -> None:
        entry = transition_of(record, before=AlertState.PENDING, at_ms=0, notify=True)
        fields = ["transition", entry.transition, "channel", channel, "key", "k", "attempt", "1"]
        fields += ["result", result, "reason", reason, "at_ms", str(self.now_ms - 59_988)]
        self._connection.command("XADD", self._keys.deliveries, "*", *fields)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, output and complaints."""
        code = main([*arguments, "--url", self._url, "--prefix", self._keys.prefix])
        out, err = self._capsys.readouterr()
        return code, out, err

    def json(self, *arguments: str) -> Any:
        code, out, err = self.run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    def fields(self) -> list[dict[str, str]]:
        """Return the entries of the alerts stream."""
        entries = as_entries(self._connection.command("XRANGE", self._keys.alerts, "-", "+"))
        return [{name.decode(): value.decode() for name, value in one.fields.items()} for one in entries]


@pytest.fixture
def on_call(valkey_url: str, real: Connection, keys: ShardKeys, capsys: pytest.CaptureFixture[str]) -> OnCall:
    return OnCall(valkey_url, real, keys, capsys)


@pytest.fixture
def firing(on_call: OnCall) -> AlertRecord:
    return on_call.hold(replace(RECORD, fired_at_ms=on_call.now_ms - 60_000))


def test_without_alerts_it_says_so(on_call: OnCall) -> None:
    assert on_call.run("alert", "list") == (0, "Nothing is pending or firing.\n", "")
    assert on_call.json("alert", "list") == []


def test_alerts_are_listed_worst_first(on_call: OnCall, firing: AlertRecord) -> None:
    worst = on_call.hold(replace(RECORD, alert_id="c" * 16, severity=Severity.CRITICAL, rule="down"))
    pending = on_call.hold(replace(RECORD, alert_id="b" * 16, severity=Severity.CRITICAL, state=AlertState.PENDING))
    assert [one["id"] for one in on_call.json("alert", "list")] == [worst.alert_id, firing.alert_id, pending.alert_id]
    assert [one["id"] for one in on_call.json("alert", "list", "down")] == [worst.alert_id]
    assert [one["id"] for one in on_call.json("alert", "list", "route=~/pre.*", "severity!=critical")] == [
        firing.alert_id
    ]


def test_text_from_outside_reaches_no_terminal(on_call: OnCall) -> None:
    """Neither escapes nor the markup of the table's library."""
    record = replace(RECORD, rule=f"[red]{ESCAPE}", labels={"route": ESCAPE}, summary=ESCAPE)
    on_call.hold(record)
    on_call.run("alert", "ack", record.alert_id, "--note", ESCAPE, "--by", f"mira{ESCAPE}")
    on_call.run("silence", "add", f"route={ESCAPE}", "--note", ESCAPE)
    for command in (["alert", "list"], ["alert", "show", record.alert_id], ["silence", "list"]):
        _, out, _ = on_call.run(*command)
        assert "\x1b" not in out
        assert "[2J" in out
    assert "[red]" in on_call.run("alert", "list")[1]


def test_an_alert_is_acknowledged_and_shown_so(on_call: OnCall, firing: AlertRecord) -> None:
    code, out, _ = on_call.run("alert", "ack", firing.alert_id[:6], "--for", "4h", "--note", "on it", "--by", "mira")
    assert (code, out) == (0, f"{firing.alert_id}  slow on ranker (route=/predict): acknowledged\n")
    (listed,) = on_call.json("alert", "list")
    assert (listed["ack"]["actor"], listed["ack"]["note"]) == ("mira", "on it")
    assert listed["ack"]["until_ms"] - listed["ack"]["at_ms"] == 4 * 3_600_000
    assert "acknowledged" in on_call.run("alert", "list")[1]
    on_call.run("alert", "unack", firing.alert_id, "--by", "ann")
    assert [(one["flag"], one["actor"]) for one in on_call.fields()[1:]] == [
        ("acknowledged", "mira"),
        ("unacknowledged", "ann"),
    ]


def test_an_alert_is_resolved_with_a_reason(on_call: OnCall, firing: AlertRecord) -> None:
    assert on_call.run("alert", "resolve", firing.alert_id, "--note", "rolled back", "--by", "mira")[0] == 0
    assert on_call.json("alert", "list") == []
    entry = on_call.fields()[-1]
    assert (entry["to"], entry["reason"], entry["actor"], entry["note"]) == (
        "resolved",
        "resolved_by_hand",
        "mira",
        "rolled back",
    )


def test_what_cannot_be_done_is_said_for_each_alert(on_call: OnCall, firing: AlertRecord) -> None:
    """And the others are done."""
    pending = on_call.hold(replace(RECORD, alert_id="b" * 16, state=AlertState.PENDING))
    code, out, _ = on_call.run("alert", "ack", pending.alert_id, firing.alert_id)
    assert code == 1
    assert "is pending, not firing" in out.splitlines()[0]
    assert out.splitlines()[1].endswith(": acknowledged")


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["alert", "show", "zzz"], 1, "no alert 'zzz'"),
        (["alert", "show", ""], 1, "no alert ''"),
        (["alert", "list", "route=~("], 2, "no regular expression"),
        (["alert", "ack", "x", "--for", "soon"], 2, "--for"),
        (["alert", "ack", "x", "--for", "0s"], 2, "over at once"),
        (["silence", "add", "service=~.+"], 2, "mute every alert"),
        (["silence", "add", "route=~("], 2, "no regular expression"),
        (["silence", "add", "route"], 2, "is no matcher"),
        (["silence", "add", "route=/x", "--until-resolved"], 2, "end at once"),
        (["silence", "add", "route=/x", "--until", "2020-01-01"], 2, "in the past"),
        (["silence", "add", "route=/x", "--start", "soon"], 2, "is no moment"),
        (["silence", "expire", "zzz"], 1, "no silence 'zzz'"),
    ],
)
def test_a_mistake_is_named(on_call: OnCall, arguments: list[str], code: int, expected: str) -> None:
    found, _, err = on_call.run(*arguments)
    assert found == code
    assert expected in err


def test_everything_about_an_alert_is_shown_in_order(on_call: OnCall, firing: AlertRecord) -> None:
    on_call.deliver(firing, "hook", "sent", "200")
    on_call.deliver(firing, "mail", "held", "inhibited b2")
    on_call.run("silence", "add", "rule=slow", "--note", "deploy", "--by", "ann")
    on_call.run("alert", "ack", firing.alert_id, "--note", "on it", "--by", "mira")
    _, out, _ = on_call.run("alert", "show", firing.alert_id)
    wanted = ["firing for 1 min", "by mira", "by ann until", "deploy", "firing\n", "hook: sent after 12 ms"]
    wanted += ["mail: held back (inhibited b2)", "acknowledged by mira: on it"]
    places = [out.find(one) for one in wanted]
    assert -1 not in places
    assert places == sorted(places)
    (shown,) = on_call.json("alert", "show", firing.alert_id)
    assert [one["result"] for one in shown["deliveries"]] == ["sent", "held"]
    assert len(shown["silenced_by"]) == 1


def test_a_silence_says_what_it_mutes(on_call: OnCall, firing: AlertRecord) -> None:
    code, out, _ = on_call.run("silence", "add", "rule=slow", "--for", "2h")
    silence_id, words, alert = out.splitlines()
    assert code == 0
    assert len(silence_id) == 36
    assert words.startswith("mutes 1 alert that is pending or firing now, until ")
    assert alert.split()[0] == firing.alert_id
    assert on_call.json("alert", "list")[0]["silenced_by"] == [silence_id]


def test_a_trial_writes_nothing(on_call: OnCall, firing: AlertRecord) -> None:
    code, out, _ = on_call.run("silence", "add", "rule=slow", "--dry-run")
    assert code == 0
    assert out.startswith("would mute 1 alert")
    assert firing.alert_id in out
    assert on_call.json("silence", "list") == []


def test_silences_are_listed_and_ended(on_call: OnCall) -> None:
    on_call.json("silence", "add", "rule=late", "--start", str(on_call.now_ms + 3_600_000))
    active = on_call.json("silence", "add", "rule=slow", "--note", "deploy", "--by", "mira")
    assert [one["state"] for one in on_call.json("silence", "list")] == ["active", "pending"]
    code, out, _ = on_call.run("silence", "expire", active["id"][:8], "--note", "done", "--by", "ann")
    assert (code, out) == (0, f"{active['id']}  ended; what still fires is told now\n")
    assert [one["state"] for one in on_call.json("silence", "list")] == ["pending"]
    ended = on_call.json("silence", "list", "--all")[1]
    assert (ended["state"], ended["ended_by"], ended["end_reason"]) == ("expired", "ann", "by_hand")
    assert on_call.run("silence", "expire", active["id"])[0] == 1


def test_a_deploy_is_marked_once_for_each_key(on_call: OnCall) -> None:
    """A build that is started again sends the same key."""
    told = on_call.json("mark", "deploy", "api 2.15", "--service", "ranker", "--key", "run-17", "--by", "ci")
    assert (told["kind"], told["title"], told["actor"]) == ("deploy", "api 2.15", "ci")
    assert abs(told["at_ms"] - on_call.now_ms) < 60_000
    again = on_call.json("mark", "deploy", "api 2.15", "--service", "ranker", "--key", "run-17", "--at", "-5m")
    assert again == told
    (entry,) = on_call.fields()
    assert (entry["kind"], entry["marker"], entry["service"]) == ("marker", "deploy", "ranker")
    code, _, err = on_call.run("mark", "deploy", "api 2.16", "--service", "ranker", "--key", "run-17")
    assert (code, "stands for another marker: deploy 'api 2.15'" in err) == (1, True)


def test_a_marker_is_printed_and_shown_in_the_tail(on_call: OnCall) -> None:
    code, out, _ = on_call.run(
        "mark",
        "config",
        "pool 20",
        "--service",
        "ranker",
        "--at",
        "-5m",
        "--by",
        "mira",
        "--link",
        "https://ci.example",
    )
    assert (code, out.split("  ")[1]) == (0, "config pool 20 on ranker, by mira\n")
    line = on_call.run("tail", "alerts")[1]
    assert "config  pool 20  ranker  https://ci.example  by mira" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["deploy", "x", "--service", "rankr"],
            "--service: nothing of a service 'rankr' was ever closed; did you mean",
        ),
        (["Deploy", "x", "--service", "ranker"], "KIND: is one word such as deploy"),
        (["deploy", "", "--service", "ranker"], "TITLE: has 1 to 200"),
        (["deploy", "x", "--service", "ranker", "--link", "ftp://x"], "--link: begins with http"),
        (["deploy", "x", "--service", "ranker", "--at", "soon"], "--at: 'soon' is no moment"),
        (["deploy", "x", "--service", "ranker", "--at", "-100d"], "--at: is 20"),
    ],
)
def test_a_marker_that_nobody_can_mean_is_refused(on_call: OnCall, arguments: list[str], words: str) -> None:
    code, _, err = on_call.run("mark", *arguments)
    assert (code, words in err) == (2, True), err
    assert on_call.fields() == []
