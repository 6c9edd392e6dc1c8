"""Every mistake in ``[[channel]]`` and ``[[route]]`` is named with its line and key."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from barograph_core.alerts.record import Severity
from barograph_core.errors import Problem
from barograph_core.matching.matcher import Matcher
from barograph_core.settings.config_file import ConfigFile, parse_config
from barograph_notifier.channels import plugin as plugin_module
from barograph_notifier.channels.console import ConsoleChannel
from barograph_notifier.channels.reading import ChannelSpec, parse_channels
from barograph_notifier.channels.slack import SlackBotChannel, SlackWebhookChannel
from barograph_notifier.channels.webhook import WebhookChannel
from barograph_notifier.outbox.grouping import Grouping
from barograph_notifier.posting.token_bucket import Rate
from barograph_notifier.routing.reading import parse_routes
from barograph_notifier.routing.route import Route
from tests.unit.notifier.samples import Recorder, notification


def read(
    text: str, environ: dict[str, str] | None = None
) -> tuple[dict[str, ChannelSpec], tuple[Route, ...], list[str]]:
    config = parse_config(text, Path("barograph.toml"))
    problems: list[Problem] = []
    channels = parse_channels(config, environ or {}, problems)
    routes = parse_routes(config, problems).routes
    return channels, routes, [str(problem) for problem in problems]


def test_without_configuration_everything_goes_to_the_console() -> None:
    problems: list[Problem] = []
    channels = parse_channels(ConfigFile(), {}, problems)
    assert isinstance(channels["console"].channel, ConsoleChannel)
    assert parse_routes(ConfigFile(), problems).routes == (Route(channels=("console",)),)
    assert problems == []


def test_channels_without_routes_get_everything() -> None:
    _, routes, problems = read('[[channel]]\nname="a"\ntype="console"\n[[channel]]\nname="b"\ntype="console"\n')
    assert routes == (Route(channels=("a", "b")),)
    assert problems == []


def test_a_whole_configuration_is_read() -> None:
    channels, routes, problems = read(
        """
[[channel]]
name = "hook"
type = "webhook"
url = "env:HOOK_URL"
allow_private = true
secret = "env:HOOK_SECRET"
headers = { Authorization = "env:HOOK_TOKEN", X-Team = "ml" }
timeout = "3s"

[[channel]]
name = "screen"
type = "console"

[[route]]
min_severity = "warning"
services = ["ranker", "search-*"]
rules = ["high-*"]
labels = { route = "/predict" }
channels = ["hook"]
continue = true

[[route]]
channels = ["screen"]
""",
        {"HOOK_URL": "https://hook.example:8443/in?team=1", "HOOK_SECRET": "s3cret!", "HOOK_TOKEN": "Bearer x"},
    )
    assert problems == []
    assert channels["hook"].timeout_ms == 3_000
    assert isinstance(channels["hook"].channel, WebhookChannel)
    assert routes == (
        Route(
            min_severity=Severity.WARNING,
            services=Matcher(("ranker", "search-*")),
            rules=Matcher(("high-*",)),
            labels={"route": Matcher(("/predict",))},
            channels=("hook",),
            continues=True,
        ),
        Route(number=2, channels=("screen",)),
    )


def test_every_mistake_is_named_at_once_with_line_and_key() -> None:
    channels, routes, problems = read(
        """[[channel]]
name = "a:b"
type = "webhook"
url = "ftp://x"
alow_private = true
timeout = "5"

[[channel]]
name = "chat"
type = "pigeon"
url = "env:NOT_SET"

[[channel]]
name = "chat"
type = "console"

[[channel]]

[[route]]
min_severity = "fatal"
channels = ["chta"]
services = 7
continue = 1
labels = { route = 5 }
to = "me"

[[route]]
rules = ["x"]
"""
    )
    assert channels == {}
    assert routes == ()
    assert problems == [
        "barograph.toml:2: channel[1].name: 'a:b' is not 1 to 64 of A-Z a-z 0-9 . _ -",
        "barograph.toml:6: channel[1].timeout: '5' is not a duration such as '250ms', '10s', '5m', '1h30m' or '2d'",
        "barograph.toml:4: channel[1].url: must begin with 'http://' or 'https://' and name a host",
        "barograph.toml:5: channel[1].alow_private: is not a key of this channel; did you mean 'allow_private'?",
        (
            "barograph.toml:10: channel[2].type: 'pigeon' is not a channel type of this version; "
            "known are apprise, console, email, pagerduty, python:module:Class, slack, webhook"
        ),
        "barograph.toml:14: channel[3].name: 'chat' names another channel already",
        "barograph.toml:17: channel[4].name: is missing",
        "barograph.toml:17: channel[4].type: is missing",
        "barograph.toml:20: route[1].min_severity: must be one of info, warning, error, critical, not 'fatal'",
        (
            'barograph.toml:22: route[1].services: must be a text such as "eu", "eu-*", "~eu-.*" or "!eu", '
            "or a list of texts, not 7"
        ),
        (
            'barograph.toml:24: route[1].labels: route must be a text such as "eu", "eu-*", "~eu-.*" or "!eu", '
            "or a list of texts, not 5"
        ),
        "barograph.toml:23: route[1].continue: must be true or false, not 1",
        "barograph.toml:21: route[1].channels: 'chta' is not a channel; did you mean 'chat'?",
        (
            "barograph.toml:25: route[1].to: is not a key of this route; known are active, channels, "
            "continue, labels, min_severity, mute, otherwise, rules, services, under"
        ),
        "barograph.toml:27: route[2].channels: is missing",
    ]


WEBHOOK = '[[channel]]\nname = "hook"\ntype = "webhook"\n'


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "channel[1].url: is missing"),
        ('url = ""', "channel[1].url: must not be empty"),
        ("url = 5", "channel[1].url: must be text in quotes, not what was given"),
        ('url = "https://h/"\nsecret = 5', "channel[1].secret: must be text in quotes, not what was given"),
        (
            'url = "https://h/"\nheaders = { A = 5 }',
            'channel[1].headers: must be a table of texts such as { name = "text" }, not what was given',
        ),
        ('url = "env:NOPE"', "channel[1].url: the environment variable 'NOPE' is not set"),
        ('url = "file:/no/such/file"', "channel[1].url: the file '/no/such/file' cannot be read"),
        ('url = "https://"', "channel[1].url: must begin with"),
        ('url = "https://h:99999/"', "channel[1].url: is not a URL that can be read"),
        ('url = "https://[::1/"', "channel[1].url: is not a URL that can be read"),
        ('url = "https://me:pw@h/"', "channel[1].url: must not hold a user or password"),
        ('url = "https://h/a b"', "channel[1].url: must be plain ASCII without spaces"),
        ('url = "https://h/\\r\\nX: y"', "channel[1].url: must be plain ASCII without spaces"),
        ('url = "https://h/"\nheaders = { Host = "x" }', "channel[1].headers: 'Host' is set by the webhook itself"),
        ('url = "https://h/"\nheaders = { "A b" = "x" }', "channel[1].headers: 'A b' is not a header's name"),
        ('url = "https://h/"\nheaders = { A = "x\\ny" }', "channel[1].headers: the value of 'A' must be printable"),
        ('url = "https://h/"\nheaders = { A = "env:NOPE" }', "channel[1].headers: the environment variable 'NOPE'"),
        ('url = "https://h/"\nca_file = "/no/such.pem"', "channel[1].ca_file: '/no/such.pem' cannot be read"),
        (
            'url = "https://h/"\ncert_file = "/no/such.pem"',
            "channel[1].cert_file: '/no/such.pem' and its key cannot be used: no such file or directory",
        ),
        ('url = "https://h/"\nproxy = "socks5://h"', "channel[1].proxy: must be of the form 'http://proxy:3128'"),
        ('url = "https://h/"\nkey_file = "/no.key"', "channel[1].key_file: goes with cert_file"),
        ('url = "https://h/"\nformat = "prometheus"', "channel[1].format: must be one of barograph, alertmanager"),
        ('url = "https://h/"\ntimeout = "1h"', "channel[1].timeout: must be 100ms to 2m, not '1h'"),
        ('url = "https://h/"\nallow_private = "yes"', "channel[1].allow_private: must be true or false, not 'yes'"),
    ],
)
def test_each_mistake_of_a_webhook_is_named(line: str, complaint: str) -> None:
    """The URL itself, often a secret, is never quoted."""
    channels, _, problems = read(WEBHOOK + line)
    assert channels == {}
    assert [complaint in problem for problem in problems] == [True]
    assert "me:pw" not in problems[0]


EMAIL = """[[channel]]
name = "mail"
type = "email"
host = "mail.example.com"
from = "Barograph <alerts@example.com>"
to = ["ops@example.com", "On call <night@example.com>"]
"""


def test_an_email_channel_is_read() -> None:
    """STARTTLS on the port for submission, unless told otherwise; the password stays out of every text."""
    channels, _, problems = read(
        f'{EMAIL}username = "barograph"\npassword = "env:MAIL_PASSWORD"\n', {"MAIL_PASSWORD": "s3cret-mail"}
    )
    assert problems == []
    shown = repr(channels["mail"].channel)
    assert "host='mail.example.com', port=587, security='starttls', username='barograph'" in shown
    assert "s3cret-mail" not in shown


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            'password = "s3cret"\nusername = "me"',
            'channel[1].password: is a secret: give it as "env:NAME" or "file:path"',
        ),
        ('username = "me"', "channel[1].username: and password go together"),
        (
            'username = "me"\npassword = "env:PW"\nsecurity = "none"',
            'channel[1].security: must be "starttls" or "tls": a password is never sent unencrypted',
        ),
        ('security = "ssl"', "channel[1].security: must be one of starttls, tls, none, not 'ssl'"),
        ("port = 0", "channel[1].port: must be a whole number from 1 to 65535, not 0"),
        ("port = true", "channel[1].port: must be a whole number from 1 to 65535, not True"),
        ('port = "587"', "channel[1].port: must be a whole number from 1 to 65535, not '587'"),
        ('ca_file = "/no/such.pem"', "channel[1].ca_file: '/no/such.pem' cannot be read as certificates"),
        ('user = "me"', "channel[1].user: is not a key of this channel; did you mean 'username'?"),
    ],
)
def test_each_mistake_of_an_email_channel_is_named(line: str, complaint: str) -> None:
    channels, _, problems = read(f"{EMAIL}{line}\n", {"PW": "s3cret"})
    assert channels == {}
    assert any(complaint in problem for problem in problems), problems
    assert not any("s3cret" in problem for problem in problems)


@pytest.mark.parametrize("wrong", ['from = "ops"', "to = []", 'to = ["ops"]', 'to = "ops@example.com"'])
def test_addresses_that_are_none_are_named(wrong: str) -> None:
    key = wrong.split(maxsplit=1)[0]
    lines = [line for line in EMAIL.splitlines() if not line.startswith(key)]
    channels, _, problems = read("\n".join([*lines, wrong]))
    assert channels == {}
    assert len(problems) == 1
    assert f"channel[1].{key}: " in problems[0]


SLACK = '[[channel]]\nname = "chat"\ntype = "slack"\n'
SECRETS = {"HOOK": "https://hooks.slack.com/services/T0/B0/s3cret", "TOKEN": "xoxb-s3cret", "BAD": "x\ny"}


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ('url = "env:HOOK"', "SlackWebhookChannel"),
        ('token = "env:TOKEN"\nchannel = "#alerts"', "SlackBotChannel"),
        ('token = "env:TOKEN"\nchannel = "C1"\napi_url = "https://slack-gov.com/api"', "slack-gov.com"),
    ],
)
def test_a_slack_channel_is_read(lines: str, shown: str) -> None:
    channels, _, problems = read(SLACK + lines, SECRETS)
    assert problems == []
    assert shown in repr(channels["chat"].channel)
    assert "s3cret" not in repr(channels["chat"].channel)


@pytest.mark.parametrize("target", ['url = "env:HOOK"', 'token = "env:TOKEN"\nchannel = "C1"'])
@pytest.mark.parametrize(("lines", "has_buttons"), [("", False), ("buttons = true", True)])
def test_slack_s_firings_have_buttons_where_the_entry_says_so(target: str, lines: str, has_buttons: bool) -> None:
    channels, _, problems = read(f"{SLACK}{target}\n{lines}", SECRETS)
    assert problems == []
    channel = channels["chat"].channel
    assert isinstance(channel, SlackWebhookChannel | SlackBotChannel)
    assert ("barograph_acknowledge" in channel.preview(notification(), key="k" * 32)) is has_buttons


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('url = "env:HOOK"\nbuttons = "yes"', "channel[1].buttons: must be true or false"),
        ("allow_private = true", "channel[1].url: is the address of an incoming webhook; give either it, or a bot's"),
        ('url = "env:HOOK"\ntoken = "env:TOKEN"', "channel[1].url: is the address of an incoming webhook; give either"),
        ('token = "env:TOKEN"', "channel[1].url: is the address of an incoming webhook; give either"),
        ('url = "https://hooks.slack.com/s3cret"', "channel[1].url: is a secret: give it as"),
        ('token = "xoxb-s3cret"\nchannel = "C1"', "channel[1].token: is a secret: give it as"),
        ('url = "env:HOOK"\napi_url = "https://x/"', "channel[1].api_url: goes with token and channel"),
        ('token = "env:BAD"\nchannel = "C1"', "channel[1].token: must be printable ASCII on one line"),
        ('token = "env:TOKEN"\nchannel = "C1"\napi_url = "ftp://x"', "channel[1].api_url: must begin with 'http://'"),
    ],
)
def test_each_mistake_of_a_slack_channel_is_named(lines: str, complaint: str) -> None:
    channels, _, problems = read(SLACK + lines, SECRETS)
    assert channels == {}
    assert [complaint in problem for problem in problems] == [True], problems
    assert "s3cret" not in problems[0]


PAGERDUTY = '[[channel]]\nname = "pager"\ntype = "pagerduty"\n'
KEYS = {"KEY": "0123456789abcdef0123456789abcdef", "SHORT": "abc"}


def test_a_pagerduty_channel_is_read() -> None:
    """It goes to PagerDuty unless a URL says otherwise (the EU's, a proxy)."""
    channels, _, problems = read(f'{PAGERDUTY}routing_key = "env:KEY"', KEYS)
    assert problems == []
    assert "events.pagerduty.com" in repr(channels["pager"].channel)
    channels, _, _ = read(
        f'{PAGERDUTY}routing_key = "env:KEY"\nurl = "https://events.eu.pagerduty.com/v2/enqueue"', KEYS
    )
    assert "events.eu.pagerduty.com" in repr(channels["pager"].channel)
    assert KEYS["KEY"] not in repr(channels["pager"].channel)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "channel[1].routing_key: is missing"),
        ('routing_key = "0123"', "channel[1].routing_key: is a secret: give it as"),
        ('routing_key = "env:SHORT"', "channel[1].routing_key: is not the integration key of an Events API v2"),
        ('routing_key = "env:KEY"\nurl = "ftp://x"', "channel[1].url: must begin with 'http://'"),
    ],
)
def test_each_mistake_of_a_pagerduty_channel_is_named(line: str, complaint: str) -> None:
    channels, _, problems = read(PAGERDUTY + line, KEYS)
    assert channels == {}
    assert [complaint in problem for problem in problems] == [True], problems


def test_apprise_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    channels, _, problems = read('[[channel]]\nname = "any"\ntype = "apprise"\nurl = "env:U"\n', {"U": "ntfy://x"})
    assert channels == {}
    assert problems == [
        "barograph.toml:3: channel[1].type: 'apprise' needs the package apprise: pip install 'barograph[apprise]'"
    ]


def test_an_installed_package_makes_a_type_known(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("pigeon", f"{MODULE}:Plugin", "barograph.channels")

    def entry_points(group: str) -> list[EntryPoint]:
        return [point] if group == "barograph.channels" else []

    monkeypatch.setattr(plugin_module, "entry_points", entry_points)
    channels, _, problems = read('[[channel]]\nname = "p"\ntype = "pigeon"\nroom = "loft"\n')
    assert problems == []
    assert channels["p"].channel.room == "loft"  # type: ignore[attr-defined]


def grouping_of(text: str) -> tuple[Grouping | None, list[str]]:
    channels, _, problems = read(f'[[channel]]\nname = "a"\ntype = "console"\n{text}\n')
    return (channels["a"].grouping if "a" in channels else None), problems


def test_without_group_by_each_alert_is_a_message() -> None:
    grouping, problems = grouping_of("")
    assert problems == []
    assert grouping is not None
    assert grouping.is_plain


def test_a_grouping_is_read_with_its_times() -> None:
    """One duration repeats alerts of every severity; a table names severities."""
    defaults, _ = grouping_of('group_by = ["service"]')
    given, problems = grouping_of(
        'group_by = []\nwait = "30s"\ninterval = "1m"\nrepeat = { critical = "1h", error = "4h" }'
    )
    alone, _ = grouping_of('repeat = "2h"')
    assert problems == []
    assert defaults == Grouping(by=("service",), wait_ms=10_000, interval_ms=300_000)
    assert given == Grouping(
        by=(),
        wait_ms=30_000,
        interval_ms=60_000,
        repeat_ms={Severity.CRITICAL: 3_600_000, Severity.ERROR: 14_400_000},
    )
    assert alone == Grouping(repeat_ms=dict.fromkeys(Severity, 7_200_000))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('group_by = "service"', "group_by: must be a list of texts"),
        ('group_by = ["severity"]', "group_by: 'severity' may rise while an alert fires"),
        ('group_by = ["a b"]', "group_by: 'a b' is neither service, rule nor the name of a label"),
        ('group_by = ["rule", "rule"]', "group_by: names a label twice"),
        ('wait = "10s"', 'wait: goes with group_by = ["service", …]'),
        ('group_by = []\ninterval = "2d"', "interval: must be 0s to 1d, not '2d'"),
        ('repeat = "10s"', "repeat: must be 1m to 30d, not '10s'"),
        ("repeat = 5", 'repeat: must be a duration such as "4h", or a table'),
        ('repeat = { critcal = "1h" }', "repeat: 'critcal' is not a severity; did you mean 'critical'?"),
        ('repeat = { error = "soon" }', "repeat: 'soon' is not a duration"),
        ("senders = 0", "senders: must be a whole number from 1 to 64, not 0"),
    ],
)
def test_a_wrong_grouping_is_named(text: str, told: str) -> None:
    _, problems = grouping_of(text)
    assert len(problems) == 1
    assert told in problems[0]


TWO = '[[channel]]\nname = "a"\ntype = "console"\n{}\n[[channel]]\nname = "b"\ntype = "console"\n{}\n'


def test_a_rate_and_a_fallback_are_read() -> None:
    channels, _, problems = read(TWO.format('rate = "30/m"\nfallback = "b"\nfallback_after = "1m"', ""))
    assert problems == []
    assert (channels["a"].rate, channels["a"].fallback, channels["a"].fallback_after_ms) == (
        Rate(30, 60_000),
        "b",
        60_000,
    )
    assert (channels["b"].rate, channels["b"].fallback) == (None, "")


@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        ('rate = "fast"', "", "channel[1].rate: 'fast' is not a rate such as '1/s', '30/m' or '200/h'"),
        ('rate = "0/s"', "", "channel[1].rate: '0/s' is not a rate"),
        ('fallback = "c"', "", "channel[1].fallback: 'c' is not a channel"),
        ('fallback = "a"', "", "channel[1].fallback: leads back to 'a': a chain of fallbacks must have an end"),
        ('fallback = "b"', 'fallback = "a"', "channel[1].fallback: leads back to 'a'"),
        ('fallback_after = "1m"', "", 'channel[1].fallback_after: goes with fallback = "another channel"'),
        ('fallback = "b"\nfallback_after = "10ms"', "", "channel[1].fallback_after: must be 1s to 1d, not '10ms'"),
    ],
)
def test_mistakes_of_a_rate_or_a_fallback_are_named(first: str, second: str, complaint: str) -> None:
    _, _, problems = read(TWO.format(first, second))
    assert any(complaint in problem for problem in problems), problems


def test_a_channel_may_leave_resolutions_out() -> None:
    channels, _, problems = read('[[channel]]\nname = "a"\ntype = "console"\nsend_resolved = false\n')
    assert problems == []
    assert not channels["a"].sends_resolved


class Plugin(Recorder):
    """What a person may write."""

    def __init__(self, room: str, token: str = "") -> None:
        super().__init__()
        self.room, self.token = room, token


class Mute:
    pass


MODULE = __name__


def plugin(kind: str, extra: str = "") -> tuple[Any, list[str]]:
    channels, _, problems = read(f'[[channel]]\nname = "mine"\ntype = "{kind}"\n{extra}', {"TOKEN": "t0"})
    return (channels["mine"].channel if channels else None), problems


def test_a_class_of_ones_own_is_a_channel() -> None:
    """The entry's other keys are its arguments, secrets resolved."""
    made, problems = plugin(f"python:{MODULE}:Plugin", 'room = "ops"\ntoken = "env:TOKEN"\ntimeout = "1s"')
    assert problems == []
    assert (made.room, made.token) == ("ops", "t0")


@pytest.mark.parametrize(
    ("kind", "extra", "complaint"),
    [
        ("python:nowhere", "", "is not of the form 'python:module:Class'"),
        ("python:no.such.module:Class", "", "there is no module 'no.such.module'"),
        ("python:os:system", "", "'system' is not a class"),
        ("python:subprocess:Popen", 'args = ["false"]', "'Popen' has no method 'send'"),
        ("python:smtplib:SMTP", 'host = "127.0.0.1"', "'send' of 'SMTP' does not take (notification, *, key,"),
        ("python:this.:s", "", "is not of the form 'python:module:Class'"),
        (f"python:{MODULE}:Nothing", "", "has no 'Nothing'"),
        (f"python:{MODULE}:Plugin", "", "'Plugin' refuses its settings: TypeError"),
        (f"python:{MODULE}:Mute", "", "'Mute' has no method 'send'"),
        (f"python:{MODULE}:Plugin", 'room = "env:NOPE"', "the environment variable 'NOPE' is not set"),
    ],
)
def test_a_class_that_is_no_channel_is_named(kind: str, extra: str, complaint: str) -> None:
    made, problems = plugin(kind, extra)
    assert made is None
    assert [complaint in problem for problem in problems] == [True]
