"""Matchers as Alertmanager writes them."""

import pytest

from barograph_core.matching.label_matcher import LabelMatcher, match_every
from barograph_core.matching.matcher import MatcherError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("route=/predict", LabelMatcher("route", "/predict")),
        ('route="/predict"', LabelMatcher("route", "/predict")),
        (' route = "/pre dict" ', LabelMatcher("route", "/pre dict")),
        ("route!=/predict", LabelMatcher("route", "/predict", is_equal=False)),
        ("route=~/a|/b", LabelMatcher("route", "/a|/b", is_regex=True)),
        ('route!~"/a.*"', LabelMatcher("route", "/a.*", is_regex=True, is_equal=False)),
        ("route=", LabelMatcher("route", "")),
        ('route="a=~b"', LabelMatcher("route", "a=~b")),
        ("route==a", LabelMatcher("route", "=a")),
        ('route="say \\"hi\\"\\\\\\n"', LabelMatcher("route", 'say "hi"\\\n')),
        ("région=eu", LabelMatcher("région", "eu")),
        ('"my label"=x', LabelMatcher("my label", "x")),
    ],
)
def test_matchers_are_read_quoted_or_not(text: str, expected: LabelMatcher) -> None:
    assert LabelMatcher.parse(text) == expected
    assert LabelMatcher.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text", ["", "route", "=x", 'route="x', 'route="x"y', "route=~(", "route=~a{1001}{1001}", "a b=c"]
)
def test_what_is_no_matcher_is_refused_in_words(text: str) -> None:
    with pytest.raises(MatcherError):
        LabelMatcher.parse(text)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("route=/a", "/a", True),
        ("route=/a", "/ab", False),
        ("route=a*", "a*", True),
        ("route=a*", "ab", False),
        ("route=~/a", "/ab", False),
        ("route=~/a.", "/ab", True),
        ("route=~a|b", "b", True),
        ("route=~a|b", "ab", False),
        ("route=~.*", "two\nlines", True),
        ("route!=/a", "/b", True),
        ("route!~/a.*", "/ab", False),
        ("route=", None, True),
        ("route!=", None, False),
        ("route!=/a", None, True),
        ("route=~.+", None, False),
        ("route=~.*", None, True),
        ("route!~/a", None, True),
    ],
)
def test_expressions_are_anchored_and_an_absent_label_is_empty(text: str, value: str | None, expected: bool) -> None:
    labels = {} if value is None else {"route": value}
    assert LabelMatcher.parse(text).matches(labels) is expected


def test_every_matcher_must_mean_the_labels() -> None:
    """Two on one label too."""
    matchers = [LabelMatcher.parse(text) for text in ("route=~/a.*", "route!=/ab", "pool=gpu")]
    assert match_every(matchers, {"route": "/ac", "pool": "gpu"})
    assert not match_every(matchers, {"route": "/ab", "pool": "gpu"})
    assert not match_every(matchers, {"route": "/ac"})
    assert match_every([], {})
