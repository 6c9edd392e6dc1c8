"""Title and body of a message about several alerts by a channel's own templates, on every channel."""

import json
from typing import Any

import pytest

from barograph_notifier.channels.console import lines_of
from barograph_notifier.channels.email_message import digest_message_of
from barograph_notifier.digest import Digest
from barograph_notifier.wording import slack
from barograph_notifier.wording.digests import digest_text
from barograph_notifier.wording.mail import html_of_digest
from tests.unit.notifier.samples import made_of
from tests.unit.notifier.wording.test_digests import ADDRESSES, STORM, alert
from tests.unit.notifier.wording.test_templates import read

_LINES = '''
digest_title = "{{ count }} in {{ label.region }}"
digest_body = """{{ counts }}; {{ firing }}, {{ resolved }}, {{ still_firing }} of {{ rule }} on {{ service }}
{% for one in alerts %}{{ one.severity }} {{ one.label.route }} {{ one.value | percent }}
{% endfor %}and {{ left_out }} more, {{ status }} {{ severity }} {{ labels }} {{ reason }}"""
'''
_BODY = [
    "1 critical, 9 error, 3 resolved; 4 others of the group still fire; 10, 3, 4 of high-error-rate on ranker",
    "critical /9 30.0 %",
    *(f"error /{number} 30.0 %" for number in range(9)),
    "and 3 more, firing critical region=eu",
]


def filled(lines: str = _LINES, given: Digest = STORM, kind: str = "console") -> Digest:
    spec, problems = read(lines, kind)
    assert problems == []
    assert spec is not None
    made, failures = spec.templates.apply_to_digest(given)
    assert failures == []
    return made


def test_a_template_has_every_fact_of_the_group_and_of_its_alerts() -> None:
    made = filled()
    head, body, links = digest_text(made).split("\n\n")
    assert head == "FIRING critical: 13 in eu"
    first, top, *others = body.splitlines()
    assert [first, top, *sorted(others)] == [_BODY[0], _BODY[1], *sorted(_BODY[2:])]
    assert links.splitlines()[-1] == "Console: https://console.example"


def test_every_channel_shows_it() -> None:
    """In place of the counts and the list of alerts."""
    made = filled('digest_title = "T {{ count }}"\ndigest_body = "line one\\nline two"')
    message: dict[str, Any] = dict(slack.digest_message_of(made))
    assert message["text"] == "🚨 *T 13*"
    first, *others = message["attachments"][0]["blocks"]
    assert first["text"]["text"] == "line one\nline two"
    assert [block["type"] for block in others] == ["context"]
    html = html_of_digest(made)
    assert "line one<br>line two</p>" in html
    assert "high-error-rate on ranker" not in html
    mail = digest_message_of(made, ADDRESSES, key="k", now_ms=0)
    assert mail["Subject"] == "[critical] T 13"
    head, *lines = lines_of(made)
    assert head.endswith("critical T 13")
    assert lines == ["    line one", "    line two"]
    assert made.to_body()["message"] == {"title": "T 13", "body": "line one\nline two"}


def test_without_templates_nothing_changes() -> None:
    assert filled("") is STORM
    assert "message" not in STORM.to_body()


def test_values_are_escaped_for_slack() -> None:
    """The template's own text may hold Slack's markup, what comes from outside may not."""
    evil = made_of("<!channel> *x*")
    given = Digest.of([(evil, "1" * 32), alert(2)])
    lines = "digest_body = '*{{ count }}* {% for one in alerts %}{{ one.rule }} {% endfor %}'"
    text = json.dumps(slack.digest_message_of(filled(lines, given, "slack")), ensure_ascii=False)
    assert "*2* " in text
    assert "<!channel>" not in text
    assert "&lt;!channel&gt; \u2217x\u2217" in text


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('digest_title = "{{ summary }}"', "digest_title: unknown name 'summary'"),
        ('digest_body = "{% for one in alerts %}{{ one.nothing }}{% endfor %}"', "digest_body: cannot be rendered"),
        ('digest_body = "{{ "', "digest_body: line 1"),
    ],
)
def test_a_mistake_is_found_when_the_configuration_is_read(lines: str, expected: str) -> None:
    _, (problem,) = read(lines)
    assert expected in problem


def test_a_template_that_fails_gives_way_to_the_plain_words() -> None:
    spec, _ = read('digest_title = "{{ label.team }}"')
    assert spec is not None
    made, (failure,) = spec.templates.apply_to_digest(STORM)
    assert (made.title, digest_text(made)) == ("", digest_text(STORM))
    assert failure.startswith("digest_title: UndefinedError")
