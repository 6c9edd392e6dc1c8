"""Entries of ``[[rule]]``, ``[[channel]]`` and ``[[route]]`` are read alike."""

from pathlib import Path

import pytest

from barograph_core.errors import Problem
from barograph_core.settings.config_file import parse_config
from barograph_core.settings.table_entry import TableEntry


def entries_of(text: str, problems: list[Problem]) -> list[TableEntry]:
    return list(TableEntry.all_of(parse_config(text, Path("barograph.toml")), "rule", problems, {"NAME": "value"}))


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "-", "x" * 64])
def test_a_name_is_what_can_name_a_service(name: str) -> None:
    """One pattern holds for all names."""
    problems: list[Problem] = []
    (entry,) = entries_of(f'[[rule]]\nname = "{name}"', problems)
    assert entry.name(set()) == name
    assert problems == []


def test_a_name_can_be_had_once() -> None:
    """A channel's and a rule's alike."""
    problems: list[Problem] = []
    taken: set[str] = set()
    for entry in entries_of('[[rule]]\nname = "a"\n[[rule]]\nname = "a"\n[[rule]]\nname = "b"', problems):
        entry.name(taken)
    assert [str(problem) for problem in problems] == ["barograph.toml:4: rule[2].name: 'a' names another rule already"]


def test_what_is_absent_is_the_default() -> None:
    """Nothing has to be written that is not meant."""
    problems: list[Problem] = []
    (entry,) = entries_of("[[rule]]", problems)
    assert (entry.text("a"), entry.given_text("b"), entry.secret("c"), entry.flag("d")) == ("", None, "", False)
    assert (entry.choice("e", ("x", "y"), default="y"), entry.duration_ms("f", minimum=1, maximum=2)) == ("y", None)
    assert (entry.texts("g"), entry.text_table("h"), entry.take_rest()) == ((), {}, {})
    assert not entry.has_problems


def test_an_empty_choice_or_duration_is_a_mistake() -> None:
    """It does not mean the default: a person forgot to fill it in."""
    problems: list[Problem] = []
    (entry,) = entries_of('[[rule]]\nseverity = ""\nfor = ""', problems)
    assert entry.choice("severity", ("x", "y"), default="x") == "x"
    assert entry.duration_ms("for", minimum=0, maximum=1) is None
    assert [problem.key for problem in problems] == ["rule[1].severity", "rule[1].for"]


def test_references_stand_for_secrets_only() -> None:
    """A plain text may well begin with ``env:``."""
    (entry,) = entries_of('[[rule]]\na = "env:NAME"\nb = { c = "env:NAME" }\n', [])
    assert (entry.text("a"), entry.secret("a")) == ("env:NAME", "value")
    assert (entry.text_table("b"), entry.text_table("b", are_secrets=True)) == ({"c": "env:NAME"}, {"c": "value"})


def test_names_and_labels_have_matchers() -> None:
    """A name is known by its characters, so that a pattern of another language is not taken for one."""
    problems: list[Problem] = []
    (entry,) = entries_of('[[rule]]\na = ["shop-*", "~x+"]\nb = { team = "ml", region = "!~eu.*" }\n', problems)
    matcher = entry.matcher("a")
    assert matcher is not None
    assert [matcher.matches(name) for name in ("shop-eu", "xx", "shop")] == [True, True, False]
    assert {name: one.source for name, one in entry.matchers("b").items()} == {"team": "ml", "region": "!~eu.*"}
    assert (entry.matcher("c"), entry.matchers("d"), problems) == (None, {}, [])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a = 1", 'a: must be a text such as "eu"'),
        ('a = "shop-[ab]"', "a: 'shop-[ab]' is no name: in one, * means any text; ~ begins a regular expression"),
        ('a = "~("', "a: '~(' is no regular expression of RE2: missing )"),
        ('b = "ml"', 'b: must be a table of matchers such as { team = "ml", region = "~eu-.*" }, not \'ml\''),
        ("b = { team = [] }", "b: team must be a text"),
    ],
)
def test_a_wrong_matcher_is_a_problem(line: str, words: str) -> None:
    problems: list[Problem] = []
    (entry,) = entries_of(f"[[rule]]\n{line}\n", problems)
    entry.matcher("a")
    entry.matchers("b")
    assert len(problems) == 1
    assert words in str(problems[0])
