"""Matchers of silences as Alertmanager has them: anchored, a missing label is the empty text, all must match."""

from typing import Final

import pytest

from barograph_core.matching.label_matcher import match_every
from barograph_core.silences.silence import SilenceError, parse_matchers

LABELS: Final = {
    "alertname": "slow",
    "service": "ranker",
    "severity": "error",
    "route": "/predict",
    "region": "eu-west",
    "job": "api",
    "path": "a.b*c",
    "quoted": 'say "hi"',
    "empty": "",
    "région": "ouest",
}
SINGLE: Final = [
    # Equal, in both directions.
    ("job=api", True),
    ("job=ap", False),
    ("job=apis", False),
    ("job=API", False),
    ("JOB=api", False),
    ("job!=api", False),
    ("job!=ap", True),
    ("job!=", True),
    ("job=", False),
    # A regular expression means the whole value.
    ("job=~api", True),
    ("job=~ap", False),
    ("job=~pi", False),
    ("job=~.*p.*", True),
    ("job=~a.*", True),
    ("job=~a.i", True),
    ("job=~[a-z]+", True),
    ("job=~[0-9]+", False),
    ("job=~api|web", True),
    ("job=~web|api", True),
    ("job=~ap|pi", False),
    ("job=~a|.pi", True),
    ("job=~^api$", True),
    ("job=~(?i)API", True),
    ("job=~API", False),
    ("job=~", False),
    ("job=~.+", True),
    ("job=~.*", True),
    ("job!~api", False),
    ("job!~ap", True),
    ("job!~ap.*", False),
    ("job!~web|api", False),
    ("job!~web", True),
    ("job!~", True),
    ("job!~.+", False),
    ("job!~.*", False),
    ("region=~eu-(west|east)", True),
    ("region=~eu-(north|east)", False),
    ("region=~eu.west", True),
    ("region=eu.west", False),
    # A label that is not there is the empty text; so is one that is empty.
    ("missing=", True),
    ("missing!=", False),
    ("missing=x", False),
    ("missing!=x", True),
    ("missing=~", True),
    ("missing=~.*", True),
    ("missing=~.+", False),
    ("missing=~x", False),
    ("missing=~x|", True),
    ("missing=~x?", True),
    ("missing!~x", True),
    ("missing!~x?", False),
    ("missing!~.+", True),
    ("missing!~.*", False),
    ("empty=", True),
    ("empty!=", False),
    ("empty=~.+", False),
    ("empty!~.+", True),
    # What other forms of ours give a meaning is plain text here.
    ("region=*", False),
    ("region=eu-*", False),
    ("path=a.b*c", True),
    ("path=a.bxc", False),
    ("job=~api", True),
    ('job="~api"', False),
    ('job="!api"', False),
    # How it may be written.
    ('job="api"', True),
    ('job = "api"', True),
    ('  job="api"  ', True),
    ('job =~ "a.*"', True),
    ('job !~ "w.*"', True),
    ('"job"="api"', True),
    ("route=/predict", True),
    ('route="/predict"', True),
    ("route=~/pre.+", True),
    ('quoted="say \\"hi\\""', True),
    ('path=~"a\\\\.b\\\\*c"', True),
    ('"région"="ouest"', True),
    ("région=ouest", True),
    ('missing=""', True),
    ('job=""', False),
]
REFUSED: Final = [
    "",
    "job",
    "=api",
    "~api",
    'job="api',
    'job="a"b"',
    "job=~[",
    "job=~(",
    "job=~*",
    "job=~a**",
    "job=~(?=a)",
    "job=~(?!a)",
    r"job=~(a)\1",
    "job=~a{1001}",
    "job=~" + "(a{1000}){1000}",
    "job=~" + "a" * 1_001,
    "x" * 129 + "=a",
]
SEVERAL: Final = [
    (["job=api", "region=~eu-.*"], True),
    (["job=api", "region=~us-.*"], False),
    (["job=web", "region=~eu-.*"], False),
    (["job=api", "job!=web"], True),
    (["job=api", "job=web"], False),
    (["job=~a.*", "job=~.*i"], True),
    (["alertname=slow", "missing="], True),
    (["alertname=slow", "missing!="], False),
    (["alertname=slow", "service=ranker", "severity=error", "route=/predict"], True),
    (["alertname=slow", "service=ranker", "severity=error", "route=/other"], False),
    (["alertname=slow", "severity=~warning|error"], True),
    (["alertname=slow", "severity!~warning|error"], False),
]


@pytest.mark.parametrize(("text", "expected"), SINGLE)
def test_a_matcher_means_what_it_means_there(text: str, expected: bool) -> None:
    assert match_every(parse_matchers([text]), LABELS) is expected


@pytest.mark.parametrize(("texts", "expected"), SEVERAL)
def test_all_matchers_must_match(texts: list[str], expected: bool) -> None:
    assert match_every(parse_matchers(texts), LABELS) is expected
    assert match_every(parse_matchers(texts[::-1]), LABELS) is expected


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_matcher_is_refused(text: str) -> None:
    """Regular expressions are those of RE2: none that backtracks, and none that takes a gigabyte."""
    with pytest.raises(SilenceError) as caught:
        parse_matchers([text])
    assert caught.value.where == "matchers"


@pytest.mark.parametrize("text", [text for text, _ in SINGLE])
def test_a_matcher_that_is_written_is_read_as_the_same(text: str) -> None:
    (matcher,) = parse_matchers([text])
    assert parse_matchers([str(matcher)]) == (matcher,)
