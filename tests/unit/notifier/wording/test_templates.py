"""Title and body by a channel's own templates, escaped for where they go."""

import dataclasses
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest

from barograph_core.errors import Problem
from barograph_core.settings.config_file import parse_config
from barograph_notifier.channel import PreviewedChannel
from barograph_notifier.channels.console import line_of
from barograph_notifier.channels.email_message import Addresses, message_of, subject_of
from barograph_notifier.channels.pagerduty import event_of
from barograph_notifier.channels.reading import ChannelSpec, parse_channels
from barograph_notifier.notification import Notification
from barograph_notifier.wording import slack
from barograph_notifier.wording.mail import html_of
from barograph_notifier.wording.words import text_of, title_of
from tests.unit.notifier.samples import RESOLVED, made_of, notification, transition

_ENVIRON = {"SLACK": "https://hooks.slack.com/services/T/B/x"}


def read(lines: str, kind: str = "console") -> tuple[ChannelSpec | None, list[str]]:
    url = 'url = "env:SLACK"\n' if kind == "slack" else ""
    config = parse_config(f'[[channel]]\nname = "c"\ntype = "{kind}"\n{url}{lines}\n', Path("barograph.toml"))
    problems: list[Problem] = []
    return parse_channels(config, _ENVIRON, problems).get("c"), [str(problem) for problem in problems]


def filled(lines: str, given: Notification | None = None, kind: str = "console") -> Notification:
    spec, problems = read(lines, kind)
    assert problems == []
    assert spec is not None
    made, failures = spec.templates.apply(given or notification())
    assert failures == []
    return made


def test_a_template_has_every_fact_of_the_alert() -> None:
    made = filled(
        "title = \"{{ service }}: {{ rule }} at {{ label.route }} ({{ label['route'] }})\"\n"
        'body = """{{ status }} {{ severity }} {{ summary }}{{ reason }}\n'
        "{{ value | percent }} of {{ threshold }}, since {{ started }}, for {{ lasted }}\n"
        '{{ labels }} {{ contributors | join("; ") }} {{ runbook }}{{ console_url }}{{ actor }}"""'
    )
    assert title_of(made) == "ranker: high-error-rate at /predict (/predict)"
    assert text_of(made).split("\n\n")[:2] == [
        "FIRING error: ranker: high-error-rate at /predict (/predict)",
        (
            "firing error /predict: 30 % errors\n"
            "30.0 % of 0.05, since 1970-01-01 00:00:01 UTC, for 19675 d 22 h\n"
            "route=/predict instance=i1: 12 errors, 80 % https://runbooks.example/errors"
        ),
    ]


def test_a_template_may_tell_a_beginning_from_an_end() -> None:
    lines = "body = \"{% if status == 'resolved' %}Good again{% else %}Look at {{ service }}{% endif %}\""
    over = Notification.of_transition(transition(RESOLVED))
    assert [filled(lines, one).body for one in (notification(), over)] == ["Look at ranker", "Good again"]


HOSTILE = "\r\nBcc: x@example.com\x1b[2J<!here> *b* <a href='http://x'>&=?utf-8?q?=0Ax?="
EVERYTHING = 'title = "{{ service }} {{ label.values() | first }}"\nbody = "{{ summary }}\\n*{{ actor }}*"'


def test_no_value_can_be_markup_of_slack() -> None:
    """What the template itself says may be."""
    made = filled(EVERYTHING, made_of(HOSTILE), kind="slack")
    message: Any = slack.message_of(made)
    body = message["attachments"][0]["blocks"][0]["text"]["text"]
    for text in (body, str(message["text"])):
        assert "<!here>" not in text
        assert "&lt;!here&gt;" in text
        assert "*b*" not in text
    assert body.splitlines()[1].startswith("*")
    assert body.endswith("*")


def test_no_value_can_be_markup_or_code_of_html() -> None:
    html = html_of(filled(EVERYTHING, made_of(HOSTILE)))
    assert "<a href='http" not in html
    assert "&lt;a href=&#39;http://x&#39;&gt;" in html
    assert "<br>" in html


def test_no_value_can_add_a_header() -> None:
    made = filled(EVERYTHING, made_of(HOSTILE))
    assert "\n" not in subject_of(made)
    addresses = Addresses(Address("", "a", "example.com"), (Address("", "b", "example.com"),))
    message = message_of(made, addresses, key="k", now_ms=0)
    assert message["Bcc"] is None
    assert b"\nBcc:" not in message.as_bytes().partition(b"\r\n\r\n")[0]


def test_nothing_moves_the_cursor() -> None:
    """Neither a value nor the template's own text."""
    made = filled(EVERYTHING.replace("*{{", "\\u001b[31m{{"), made_of(HOSTILE))
    for text in (line_of(made), text_of(made), title_of(made)):
        assert "\x1b" not in text


def test_pagerduty_shows_them_in_its_one_line() -> None:
    event = event_of(filled('title = "T"\nbody = "one\\ntwo"'))
    payload = event["payload"]
    assert isinstance(payload, dict)
    assert payload["summary"] == "T: one two"


def test_a_webhook_has_them_next_to_the_alert() -> None:
    """Without templates the body is as before."""
    assert filled('title = "T"').to_body("k")["message"] == {"title": "T", "body": ""}
    assert "message" not in notification().to_body("k")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('title = "{{ nope }}"', "channel[1].title: unknown name 'nope'"),
        ('body = "{{ servce }}"', "channel[1].body: unknown name 'servce'; did you mean 'service'?"),
        ('body = "{% for a in"', "channel[1].body: line 1:"),
        ('body = "{{ value.__class__ }}"', "channel[1].body: cannot be rendered: SecurityError"),
        ('body = "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}"', "2,000 steps"),
        ('body = "{{ (summary * 900) ~ (summary * 900) }}"', "makes more than 10,000"),
        (f'body = "{"x" * 4_001}"', "is longer than 4,000 characters"),
    ],
)
def test_a_mistake_is_found_when_the_configuration_is_read(line: str, words: str) -> None:
    spec, problems = read(line)
    assert spec is None
    assert len(problems) == 1
    assert words in problems[0]


def test_a_template_that_fails_leaves_the_plain_words() -> None:
    """Here for want of a label: which labels alerts have is not known when the configuration is read."""
    spec, _ = read('title = "{{ label.team }}"\nbody = "{{ label.region | default(\'nowhere\') }}"')
    assert spec is not None
    made, failures = spec.templates.apply(notification())
    assert failures == ["title: UndefinedError: 'dict object' has no attribute 'team'"]
    assert (title_of(made), made.body) == (title_of(notification()), "nowhere")


@pytest.mark.parametrize(("kind", "words"), [("console", "T"), ("slack", '"text": "🔴 *T*"')])
def test_a_channel_shows_what_it_would_send(kind: str, words: str) -> None:
    spec, _ = read('title = "T"', kind)
    assert spec is not None
    assert isinstance(spec.channel, PreviewedChannel)
    made, _ = spec.templates.apply(notification())
    assert words in spec.channel.preview(made, key="k")


def test_titles_and_bodies_are_cut() -> None:
    """Targets have limits, and so have people."""
    long = dataclasses.replace(notification(), title="t" * 500, body="\n".join(["x" * 2_000] * 60))
    assert len(title_of(long)) == 200
    assert len(text_of(long)) < 60_000
