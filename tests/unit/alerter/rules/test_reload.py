"""Rules that change while an alerter runs."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from barograph_alerter.rules.reading import parse_rules
from barograph_alerter.rules.reload import RuleReloader
from barograph_alerter.rules.rule import Rule
from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.config_file import load_config

ONE = '[[rule]]\nname = "one"\non = "request"\nwhen = "errors > 3"\n'
TWO = '[[rule]]\nname = "two"\non = "request"\nwhen = "count > 3"\n'


class File:
    """A configuration file and its reloader."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = 0
        self.write(ONE)
        self.reloader = RuleReloader(path, self.load(), self.load)

    def load(self) -> Sequence[Rule]:
        problems: list[Problem] = []
        rules = parse_rules(load_config(str(self.path), {}), problems)
        if problems:
            raise SettingsError(problems)
        return rules

    def write(self, text: str) -> None:
        self.path.write_text(text)
        # A file system may have a coarse clock.
        self._written += 1
        os.utime(self.path, ns=(self._written * 10**9, self._written * 10**9))

    def names(self) -> list[str]:
        return [rule.name for rule in self.reloader.rules]


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "barograph.toml")


def test_a_changed_file_is_taken_into_force(file: File, caplog: pytest.LogCaptureFixture) -> None:
    """Once it has stood still between two looks: an editor may be writing."""
    caplog.set_level(logging.INFO)
    file.write(ONE.replace("> 3", "> 5") + TWO)
    assert [file.reloader.look(), file.reloader.look(), file.reloader.look()] == [False, True, False]
    assert file.names() == ["one", "two"]
    (record,) = [one for one in caplog.records if one.message == "rules.reloaded"]
    assert {name: vars(record)[name] for name in ("added", "changed", "removed")} == {
        "added": ["two"],
        "changed": ["one"],
        "removed": [],
    }


def test_a_file_that_is_still_written_waits(file: File) -> None:
    file.write(ONE + "[[rule]]\n")
    assert not file.reloader.look()
    file.write(ONE + TWO)
    assert [file.reloader.look(), file.reloader.look()] == [False, True]
    assert file.reloader.problem == ""


def test_a_file_with_a_mistake_keeps_the_rules_and_says_so(file: File, caplog: pytest.LogCaptureFixture) -> None:
    """Once; and no longer when it is mended."""
    file.write(ONE + TWO.replace("count", "cont"))
    assert [file.reloader.look() for _ in range(4)] == [False] * 4
    assert file.names() == ["one"]
    assert file.reloader.problem == (
        f"{file.path}:8: rule[2].when: column 1: unknown name 'cont'; did you mean 'count'?"
    )
    assert len([one for one in caplog.records if one.message == "rules.refused"]) == 1
    file.write(ONE)
    assert [file.reloader.look(), file.reloader.look()] == [False, False]
    assert file.reloader.problem == ""


@pytest.mark.parametrize("text", ["[[rule", "", ONE])
def test_what_means_the_same_changes_nothing(file: File, text: str) -> None:
    """Nor does a file that is no TOML; an empty one has no rules."""
    file.write(text or ONE + "# a comment\n")
    assert [file.reloader.look(), file.reloader.look()] == [False, False]
    assert file.names() == ["one"]


def test_a_file_that_vanishes_keeps_the_rules(file: File) -> None:
    file.path.unlink()
    assert [file.reloader.look(), file.reloader.look(), file.reloader.look()] == [False] * 3
    assert file.names() == ["one"]
    assert "cannot be read" in file.reloader.problem


def test_a_signal_has_the_file_read_at_once(file: File) -> None:
    """Also one that looks as it did."""
    facts = file.path.stat()
    file.path.write_text(ONE.replace("> 3", "> 5"))
    os.utime(file.path, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    assert [file.reloader.look(), file.reloader.look()] == [False, False]
    file.reloader.ask()
    assert file.reloader.look()


def test_without_a_file_nothing_changes() -> None:
    reloader = RuleReloader(None, [], list)
    assert [reloader.look(), reloader.look()] == [False, False]
