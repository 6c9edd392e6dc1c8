"""A matcher says which texts are meant, in the forms of the configuration file."""

import time

import pytest

from barograph_core.matching.matcher import MAX_PATTERN, Matcher, MatcherError, match_all

_TEXTS = ("", "eu", "eu-1", "us", "a\nb", "Straße", "x" * 5_000, "~eu", "!eu", "eu*", "half \ud800")


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("eu", {"eu"}),
        (["eu", "us"], {"eu", "us"}),
        (["~e.", "us*"], {"eu", "us"}),
        ("eu*", {"eu", "eu-1", "eu*"}),
        ("~eu-.*", {"eu-1"}),
        # The whole text: an expression for a part has `.*` on both sides.
        ("~e", set[str]()),
        ("~(?i)EU", {"eu"}),
        ("~a.b", {"a\nb"}),
        (r"~Stra\pLe", {"Straße"}),
        (r"~\~eu", {"~eu"}),
        ("~!eu", {"!eu"}),
        ("~", {""}),
        ("", {""}),
        ("~half .", {"half \ud800"}),
    ],
)
def test_each_form_means_what_it_says_and_its_negation_the_rest(value: object, meant: set[str]) -> None:
    matcher = Matcher.parse(value)
    assert {text for text in _TEXTS if matcher.matches(text)} == meant
    if isinstance(value, str):
        negated = Matcher.parse(f"!{value}")
        assert {text for text in _TEXTS if not negated.matches(text)} == meant


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, 'must be a text such as "eu", "eu-*", "~eu-.*" or "!eu", or a list of texts, not 7'),
        ([], "or a list of texts, not []"),
        (["eu", 7], "or a list of texts, not ['eu', 7]"),
        (["eu", "!us"], 'write one "!~a|b" instead'),
        ("~(eu", "'~(eu' is no regular expression of RE2: missing ): (eu"),
        ("~eu(?=x)", "invalid perl operator: (?="),
        (r"~(a)\1", r"invalid escape sequence: \1"),
        ("~((((a{100}){9}){9}){9}){9}", "no regular expression of RE2"),
        ("x" * (MAX_PATTERN + 1), "is longer than 1,000 characters"),
        (["x"] * 101, "has more than 100 texts"),
    ],
)
def test_a_mistake_is_named_with_its_mend(value: object, words: str) -> None:
    """What would take unbounded memory or time is a mistake too."""
    with pytest.raises(MatcherError) as caught:
        Matcher.parse(value)
    assert words in str(caught.value)


@pytest.mark.parametrize("pattern", ["~(a+)+b", "~(a|aa)*b", "~(.*a){20}b", "~a*a*a*a*a*a*a*a*b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    """``re`` would take years for each of these: alerters match labels that come from outside."""
    matcher = Matcher.parse(pattern)
    begun = time.process_time()
    assert not matcher.matches("a" * 10_000)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("value", "is_regex", "is_equal", "meant"),
    [
        ("eu", False, True, {"eu"}),
        ("eu*", False, True, {"eu*"}),
        ("!eu", False, True, {"!eu"}),
        ("~eu", False, True, {"~eu"}),
        ("eu-.*|us", True, True, {"eu-1", "us"}),
        ("!eu|~eu", True, True, {"!eu", "~eu"}),
        ("", False, True, {""}),
        ("", False, False, set(_TEXTS) - {""}),
        (".+", True, False, {""}),
    ],
)
def test_matchers_of_alertmanager_mean_the_same(value: str, *, is_regex: bool, is_equal: bool, meant: set[str]) -> None:
    """Its values are literal where they are no expressions."""
    matcher = Matcher.of_alertmanager(value, is_regex=is_regex, is_equal=is_equal)
    assert {text for text in _TEXTS if matcher.matches(text)} == meant
    assert Matcher.parse(matcher.source) == matcher


@pytest.mark.parametrize(
    ("wide", "narrow", "does"),
    [
        ("eu", "eu", True),
        (["eu", "us"], "eu", True),
        ("eu", ["eu", "us"], False),
        ("~e.", "eu", True),
        ("~e.", "~e[u]", False),
        ("~e.", "~e.", True),
        ("*", "~e.", True),
        ("*", "!eu", True),
        ("!eu", "us", True),
        ("!eu", "!eu", True),
        ("!~e.", "!us", False),
        ("eu", "!us", False),
    ],
)
def test_one_covers_another_only_when_that_is_certain(wide: object, narrow: object, *, does: bool) -> None:
    """A lint must not call a route unreachable that is not."""
    assert Matcher.parse(wide).covers(Matcher.parse(narrow)) is does


def test_a_label_that_is_absent_is_the_empty_text() -> None:
    """As in Prometheus and Alertmanager."""
    labels = {"team": "ml"}
    assert match_all({"team": Matcher.parse("ml"), "region": Matcher.parse("")}, labels)
    assert match_all({"region": Matcher.parse("!eu")}, labels)
    assert not match_all({"region": Matcher.parse("!")}, labels)


def test_people_read_what_is_meant() -> None:
    assert [str(Matcher.parse(value)) for value in ("eu", ["eu", "us-*"], "!~eu.*")] == [
        '"eu"',
        '"eu" or "us-*"',
        'not "~eu.*"',
    ]
