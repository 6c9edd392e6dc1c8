"""barograph rules explain: the answers that whoever was woken asks for."""

from dataclasses import replace

import pytest

from barograph_core.alerts.published_rules import Bound, PublishedRule, PublishedRules, publish_rules
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.cli.test_respond import ESCAPE, OnCall
from tests.unit.core.alerts.samples import RECORD

RULE = PublishedRule(
    name="slow",
    on="request",
    severity=Severity.ERROR,
    window_ms=10_000,
    when="duration_ms.p95 > 500",
    by=("route",),
    for_ms=30_000,
    resolve_when="duration_ms.p95 < 400",
    keep_firing_for_ms=60_000,
    fires=(Bound("duration_ms.p95", ">", 500.0, "ms", is_leading=True),),
)


@pytest.fixture
def on_call(valkey_url: str, real: Connection, keys: ShardKeys, capsys: pytest.CaptureFixture[str]) -> OnCall:
    publish_rules(real, keys.prefix, PublishedRules.of([RULE], 1), only_if_absent=False)
    return OnCall(valkey_url, real, keys, capsys)


@pytest.fixture
def firing(on_call: OnCall) -> AlertRecord:
    return on_call.hold(replace(RECORD, fired_at_ms=on_call.now_ms - 60_000, is_announced=True))


def explained(on_call: OnCall, *what: str) -> dict[str, str]:
    """Return the answers of the one explanation, each as a text."""
    (found,) = on_call.json("rules", "explain", *what)
    return {name: value if isinstance(value, str) else "; ".join(map(str, value)) for name, value in found.items()}


def test_it_says_which_rule_with_which_values_and_since_when(on_call: OnCall, firing: AlertRecord) -> None:
    found = explained(on_call, firing.alert_id[:6])
    assert found["title"] == "slow on ranker (route=/predict)"
    assert found["condition"] == "duration_ms.p95 512 > 500 over 10s"
    assert found["rule"].endswith("for each route; held for 30s; clears when duration_ms.p95 < 400 for 1m")
    assert found["state"].startswith("firing for 1 min")


@pytest.mark.parametrize("what", [["slow"], ["rule=slow", "route=/predict"], ["service=ranker"], ["route=~/pre.*"]])
def test_an_alert_is_found_by_rule_and_labels(on_call: OnCall, firing: AlertRecord, what: list[str]) -> None:
    assert explained(on_call, *what)["alert_id"] == firing.alert_id


def test_it_says_what_each_channel_did_last(on_call: OnCall, firing: AlertRecord) -> None:
    assert explained(on_call, "slow")["told"].startswith("nobody yet")
    on_call.deliver(firing, "hook", "retry", "http 503")
    on_call.deliver(firing, "hook", "sent", "200")
    on_call.deliver(firing, "mail", "suppressed", "unrouted")
    on_call.deliver(firing, "pager", "held", "inhibited b2")
    found = explained(on_call, "slow")
    assert found["told"] == "hook: sent after 12 ms; mail: not sent (unrouted); pager: held back (inhibited b2)"
    assert found["muted"] == "alert b2, which inhibits it"


def test_it_says_what_mutes_an_alert_and_what_comes_next(on_call: OnCall, firing: AlertRecord) -> None:
    assert explained(on_call, "slow")["next"].startswith("told with its next change")
    on_call.run("alert", "ack", firing.alert_id, "--for", "4h", "--by", "mira")
    found = explained(on_call, "slow")
    assert found["muted"].startswith("acknowledged by mira")
    assert "when its acknowledgement ends" in found["next"]
    on_call.run("silence", "add", "rule=slow", "--note", "deploy", "--by", "ann")
    found = explained(on_call, "slow")
    assert "by ann until" in found["muted"]
    assert "when its silences are over" in found["next"]


def test_a_pending_alert_says_when_it_fires(on_call: OnCall) -> None:
    on_call.hold(replace(RECORD, state=AlertState.PENDING, episode_ms=on_call.now_ms + 500_000, fired_at_ms=None))
    found = explained(on_call, "slow")
    assert found["told"] == "nobody: it is pending, and only what fires is told"
    assert found["next"] == "fires in 30.0 s, if the condition holds until then"


def test_a_rule_without_an_alert_says_why_nothing_fires(on_call: OnCall, firing: AlertRecord) -> None:
    on_call.run("alert", "resolve", firing.alert_id)
    found = explained(on_call, "rule=slow", "service=ranker")
    assert found["alert_id"] == ""
    assert "the condition does not hold, or has no data; the last change: resolved at" in found["state"]
    assert found["next"] == "fires when the condition holds once it has held for 30s"


def test_what_is_not_there_is_said(on_call: OnCall) -> None:
    code, out, _ = on_call.run("rules", "explain", "rule=other")
    assert code == 1
    assert "no alert and no rule in force is meant" in out


def test_people_read_it_and_no_escape_reaches_them(on_call: OnCall) -> None:
    on_call.hold(replace(RECORD, rule=f"x{ESCAPE}", labels={"route": f"[red]{ESCAPE}"}))
    _, out, _ = on_call.run("rules", "explain", "service=ranker")
    assert "\x1b" not in out
    assert "[red]" in out
    assert "is not among the rules in force" in out
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["rule", "state", "told", "next"]
