"""Every mistake in ``[[channel]]`` and ``[[route]]`` is named with its line and key."""

from pathlib import Path
from typing import Any

import pytest

from barograph_core.alerts import Severity
from barograph_core.config_file import ConfigFile, parse_config
from barograph_core.errors import Problem
from barograph_notifier.channels import ChannelSpec, parse_channels, parse_routes
from barograph_notifier.console_channel import ConsoleChannel
from barograph_notifier.routing import Route
from barograph_notifier.webhook import WebhookChannel
from tests.unit.notifier.samples import Recorder


def read(
    text: str, environ: dict[str, str] | None = None
) -> tuple[dict[str, ChannelSpec], tuple[Route, ...], list[str]]:
    config = parse_config(text, Path("barograph.toml"))
    problems: list[Problem] = []
    channels = parse_channels(config, environ or {}, problems)
    routes = parse_routes(config, problems)
    return channels, routes, [str(problem) for problem in problems]


def test_without_configuration_everything_goes_to_the_console() -> None:
    problems: list[Problem] = []
    channels = parse_channels(ConfigFile(), {}, problems)
    assert isinstance(channels["console"].channel, ConsoleChannel)
    assert parse_routes(ConfigFile(), problems) == (Route(channels=("console",)),)
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
            services=("ranker", "search-*"),
            rules=("high-*",),
            labels={"route": "/predict"},
            channels=("hook",),
            continues=True,
        ),
        Route(channels=("screen",)),
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
type = "slack"
url = "env:NOT_SET"

[[channel]]
name = "chat"
type = "console"

[[channel]]

[[route]]
min_severity = "fatal"
channels = ["chta"]
services = "ranker"
continue = 1
labels = { route = 5 }
to = "me"

[[route]]
rules = []
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
            "barograph.toml:10: channel[2].type: 'slack' is not a channel type of this version; "
            "known are console, python:module:Class, webhook"
        ),
        "barograph.toml:14: channel[3].name: 'chat' names another channel already",
        "barograph.toml:17: channel[4].name: is missing",
        "barograph.toml:17: channel[4].type: is missing",
        "barograph.toml:20: route[1].min_severity: must be one of info, warning, error, critical, not 'fatal'",
        'barograph.toml:22: route[1].services: must be a list of texts such as ["one", "two"], not \'ranker\'',
        "barograph.toml:24: route[1].labels: must be a table of texts such as { name = \"text\" }, not {'route': 5}",
        "barograph.toml:23: route[1].continue: must be true or false, not 1",
        "barograph.toml:21: route[1].channels: 'chta' is not a channel; did you mean 'chat'?",
        (
            "barograph.toml:25: route[1].to: is not a key of this route; known are channels, continue, labels, "
            "min_severity, rules, services"
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
        ("python:no.such.module:Class", "", "cannot be imported: ModuleNotFoundError"),
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
