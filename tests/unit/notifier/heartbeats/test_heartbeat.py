"""Heartbeats from the configuration file, and every mistake in them."""

from pathlib import Path

import pytest

from barograph_core.errors import Problem
from barograph_core.settings.config_file import parse_config
from barograph_notifier.heartbeats.heartbeat import Heartbeat, parse_heartbeats
from barograph_notifier.settings import check


def read(text: str) -> tuple[tuple[Heartbeat, ...], list[Problem]]:
    problems: list[Problem] = []
    environ = {"PING": "https://hc-ping.com/5f0c"}
    return parse_heartbeats(parse_config(text, Path("barograph.toml")), environ, problems), problems


def test_a_heartbeat_has_an_address_and_a_period() -> None:
    """The address is often the secret: it stands in no text of it."""
    (found,), problems = read('[[heartbeat]]\nurl = "env:PING"\nevery = "1m"\n')
    assert problems == []
    assert (found.name, found.every_ms, found.timeout_ms) == ("heartbeat-1", 60_000, 10_000)
    assert "5f0c" not in repr(found) + repr(found.endpoint)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('url = "env:PING"', "every", "says how often"),
        ('every = "1m"', "url", "is missing"),
        ('url = "env:PING"\nevery = "1s"', "every", "must be 5s to 1d"),
        ('url = "ftp://x"\nevery = "1m"', "url", "http"),
        ('url = "env:NONE"\nevery = "1m"', "url", "NONE"),
        ('url = "env:PING"\nevery = "1m"\nafter = "1m"', "after", "is not a key of this heartbeat"),
    ],
)
def test_a_mistake_is_named(text: str, key: str, words: str) -> None:
    found, problems = read(f"[[heartbeat]]\n{text}\n")
    assert found == ()
    assert problems[0].key == f"heartbeat[1].{key}"
    assert words in problems[0].message


def test_two_heartbeats_have_two_names() -> None:
    _, problems = read('[[heartbeat]]\nname = "a"\nurl = "env:PING"\nevery = "1m"\n' * 2)
    assert [problem.key for problem in problems] == ["heartbeat[2].name"]


def test_check_reads_them() -> None:
    problems = check(parse_config('[[heartbeat]]\nurl = "x"\n', Path("barograph.toml")), {})
    assert {problem.key for problem in problems} == {"heartbeat[1].every", "heartbeat[1].url"} or problems
