"""Each root's README keeps its order, and names every setting with its default and meaning."""

import inspect
from pathlib import Path

import pytest

from barograph_aggregator.settings import AggregatorSettings
from barograph_alerter.settings import AlerterSettings
from barograph_console.settings import ConsoleSettings
from barograph_core.settings.fields import fields_of
from barograph_core.settings.load import variable_name
from barograph_core.settings.server import ServerSettings
from barograph_notifier.settings import NotifierSettings
from barograph_producer import Producer

ROOT = Path(__file__).resolve().parents[2]
ROOTS = ("core", "producer", "aggregator", "alerter", "notifier", "console", "cli")
HEADINGS = ["What it reads", "What it writes", "Settings", "How it fails", "How to run it alone"]


@pytest.mark.parametrize("root", ROOTS)
def test_a_readme_has_its_five_parts_in_order(root: str) -> None:
    """A reader finds the same answers in the same place everywhere."""
    lines = (ROOT / root / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == HEADINGS


@pytest.mark.parametrize(
    ("root", "section", "cls"),
    [
        ("core", "server", ServerSettings),
        ("aggregator", "aggregator", AggregatorSettings),
        ("alerter", "alerter", AlerterSettings),
        ("notifier", "notifier", NotifierSettings),
        ("console", "console", ConsoleSettings),
    ],
)
def test_a_readme_lists_the_settings_as_they_are(root: str, section: str, cls: type[object]) -> None:
    """No setting is undocumented, none is documented that is gone, and no default is out of date."""
    rows = [
        f"| {variable_name(section, item.name)} | {f'{item.default} ' if item.default else ''}| {item.help} |"
        for item in fields_of(cls)
    ]
    # Marks of code are a matter of layout.
    lines = (ROOT / root / "README.md").read_text(encoding="utf-8").replace("`", "").splitlines()
    assert [line for line in lines if line.startswith("| BAROGRAPH_")] == rows


def test_the_producers_readme_lists_its_arguments() -> None:
    """Every argument that is not there for tests is named, with its default."""
    told_in_words = {"service": "must be given", "url": "BAROGRAPH_URL"}
    arguments = [
        (name, told_in_words.get(name, str(parameter.default)))
        for name, parameter in inspect.signature(Producer).parameters.items()
        if name not in ("clock", "connect")
    ]
    lines = (ROOT / "producer" / "README.md").read_text(encoding="utf-8").replace("`", "").splitlines()
    table = lines[lines.index("| Argument | Default | Meaning |") + 2 :]
    rows = [line.removeprefix("| ").split(" | ") for line in table[: table.index("")]]
    assert [(row[0], row[1]) for row in rows] == arguments
