"""What a digest says: how many alerts, of what, and the most important ones, on every channel."""

import dataclasses
import email
import io
import json
from email.policy import default
from typing import Any, cast

import pytest

from barograph_core.alerts.record import Severity
from barograph_notifier.channels.console import ConsoleChannel
from barograph_notifier.channels.email_message import Addresses, digest_message_of, parse_address
from barograph_notifier.digest import MOST_IN_BODY, Digest
from barograph_notifier.notification import Notification
from barograph_notifier.wording.digests import digest_text, digest_title
from barograph_notifier.wording.mail import html_of_digest
from barograph_notifier.wording.slack import digest_message_of as slack_message_of
from tests.unit.notifier.samples import FIRING, RESOLVED, made_of, transition

ADDRESSES = Addresses(parse_address("alerts@example.com"), [parse_address("ops@example.com")])


def alert(
    number: int, status: object = FIRING, severity: Severity = Severity.ERROR, reason: str = ""
) -> tuple[Notification, str]:
    after = RESOLVED if status is RESOLVED else FIRING
    given = Notification.of_transition(
        transition(after, alert=f"a{number}", severity=severity, reason=reason), console="https://console.example"
    )
    return dataclasses.replace(given, labels={"route": f"/{number}", "region": "eu"}), f"{number:032}"


STORM = Digest.of(
    [
        *(alert(number) for number in range(9)),
        alert(9, severity=Severity.CRITICAL),
        *(alert(number, RESOLVED) for number in range(10, 13)),
    ],
    still_firing=4,
    console_url="https://console.example",
)


def test_the_counts_of_an_e_mail_stand_on_one_line() -> None:
    assert ">1 critical, 9 error, 3 resolved; 4 others of the group still fire</p>" in html_of_digest(STORM)


def test_the_most_important_alerts_come_first() -> None:
    """Those that fire before those that are over, the most severe first."""
    assert (STORM.alerts[0].severity, STORM.alerts[-1].status) == (Severity.CRITICAL, "resolved")
    assert (STORM.status, STORM.severity) == ("firing", Severity.CRITICAL)
    assert STORM.counts == {"critical": 1, "error": 9, "resolved": 3}


def test_the_plain_text_tells_all_in_short() -> None:
    lines = digest_text(STORM).splitlines()
    assert lines[0] == "FIRING critical: 13 alerts of high-error-rate on ranker"
    assert lines[2] == "1 critical, 9 error, 3 resolved; 4 others of the group still fire."
    assert lines[3] == "All with region=eu."
    assert lines[5] == "critical  high-error-rate on ranker (region=eu, route=/9): /predict: 30 % errors"
    assert lines[15:] == [
        "And 3 more.",
        "",
        "Runbook: https://runbooks.example/errors",
        "Console: https://console.example",
    ]


def test_a_digest_of_what_is_over_says_so() -> None:
    over = Digest.of([alert(1, RESOLVED), alert(2, RESOLVED)])
    assert over.status == "resolved"
    assert digest_text(over).startswith("RESOLVED: 2 alerts of high-error-rate on ranker\n\n2 resolved.")


def test_a_cause_that_all_share_is_told_once() -> None:
    joined = Digest.of([alert(1, reason="already_firing"), alert(2, reason="already_firing")])
    mixed = Digest.of([alert(1, reason="already_firing"), alert(2)])
    assert "They were firing already when this channel started." in digest_text(joined)
    assert "already" not in digest_text(mixed)


def test_the_key_depends_on_the_transitions_and_not_on_their_order() -> None:
    assert Digest.of([alert(1), alert(2)]).key == Digest.of([alert(2), alert(1)]).key
    assert Digest.of([alert(1), alert(2)]).key != Digest.of([alert(1), alert(3)]).key


def test_a_webhook_gets_each_alert_with_its_key() -> None:
    body = STORM.to_body()
    assert json.loads(json.dumps(body)) == body
    assert (body["version"], body["key"], body["status"], body["severity"]) == (1, STORM.key, "firing", "critical")
    assert (body["still_firing"], body["left_out"]) == (4, 0)
    first, *others = cast("list[dict[str, Any]]", body["alerts"])
    assert (first["id"], first["key"], first["status"], first["labels"]["route"]) == ("a9", f"{9:032}", "firing", "/9")
    assert len(others) == 12


def test_a_body_of_a_great_storm_has_a_bound() -> None:
    """The counts have all, the list the most important ones, and it says how many it lacks."""
    body = Digest.of([alert(number) for number in range(MOST_IN_BODY + 5)]).to_body()
    alerts = cast("list[object]", body["alerts"])
    assert (len(alerts), body["left_out"], body["counts"]) == (MOST_IN_BODY, 5, {"error": MOST_IN_BODY + 5})


def test_the_console_prints_a_line_for_each_of_the_top_below_a_headline() -> None:
    stream = io.StringIO()
    ConsoleChannel(stream).send_digest(STORM, key="", timeout_s=1.0)
    lines = stream.getvalue().splitlines()
    assert lines[0] == (
        "2023-11-14T22:13:20.123Z FIRING   critical 13 alerts of high-error-rate on ranker: "
        "1 critical, 9 error, 3 resolved; 4 others of the group still fire"
    )
    assert lines[1].startswith("    critical  high-error-rate on ranker (region=eu, route=/9): ")
    assert (len(lines), lines[-1]) == (12, "    And 3 more.")


def test_an_email_has_counts_top_and_a_subject() -> None:
    """As text and as HTML, each alert a link to its page."""
    data = digest_message_of(STORM, ADDRESSES, key=STORM.key, now_ms=1_700_000_000_000).as_bytes()
    message = email.message_from_bytes(data, policy=default)
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert message["Subject"] == "[critical] 13 alerts of high-error-rate on ranker"
    assert message["Message-ID"] == f"<{STORM.key}@example.com>"
    assert message["Importance"] == "high"
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == digest_text(STORM).splitlines()
    assert "1 critical, 9 error, 3 resolved" in html.get_content()
    assert html.get_content().count('href="https://console.example/?service=ranker&amp;alert=a') == 10


def test_a_slack_message_has_a_block_for_each_of_the_top() -> None:
    message = slack_message_of(STORM)
    assert message["text"] == "🚨 *13 alerts of high-error-rate on ranker*"
    blocks = cast("Any", message["attachments"])[0]["blocks"]
    assert len(blocks) == 12
    assert blocks[1]["text"]["text"].startswith("🚨 <https://console.example/?service=ranker&amp;alert=a9|")
    assert blocks[-1]["elements"][0]["text"].startswith("And 3 more. · <https://runbooks.example/errors|Runbook>")


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "x\r\nBcc: a@b", "\x1b[31m", "*<!channel>*"])
def test_text_from_outside_stays_text(hostile: str) -> None:
    """No line of its own, no escape, no tag, no mention."""
    digest = Digest.of([(made_of(hostile), "1" * 32), (made_of(hostile), "2" * 32)])
    html = html_of_digest(digest)
    slack = json.dumps(slack_message_of(digest))
    data = digest_message_of(digest, ADDRESSES, key="k", now_ms=0).as_bytes()
    assert "<script>" not in html
    assert "<!channel>" not in slack
    assert "\x1b" not in digest_text(digest) + digest_title(digest)
    assert email.message_from_bytes(data, policy=default)["Bcc"] is None
