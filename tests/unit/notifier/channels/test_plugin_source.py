"""A channel of one's own is looked for in the source of its module, and nothing of the module runs."""

import sys
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from barograph_core.settings.config_file import parse_config
from barograph_notifier.channels.plugin_source import find_source_problem
from barograph_notifier.settings import check

SENDS = "    def send(self, notification, *, key, timeout_s): ...\n"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (f"class C:\n{SENDS}", ""),
        ("class C:\n    send = other", ""),
        ("class C(Base): ...", ""),
        ("@dataclass\nclass C:\n    room: str\n", ""),
        (f"try:\n    import x\nexcept ImportError:\n    class C:\n    {SENDS}", ""),
        ("from elsewhere import C", ""),
        ("from elsewhere import D as C", ""),
        ("from elsewhere import *", ""),
        ("C = make()", ""),
        ("def __getattr__(name): ...", ""),
        ("class C:\n    def post(self): ...", "'C' has no method 'send'"),
        ("def C(command): ...", "'C' is not a class"),
        ("class D: ...\nimport C.D as E", "the module 'somebodys.channels' has no 'C'"),
        (f"def f():\n    class C:\n    {SENDS}", "the module 'somebodys.channels' has no 'C'"),
        ("class C", "the module 'somebodys.channels' cannot be read as Python: SyntaxError"),
    ],
)
def test_a_class_is_judged_by_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, problem: str
) -> None:
    """What the source does not say is left to the start: an imported name, a base, an assignment."""
    package = tmp_path / "somebodys"
    package.mkdir()
    (package / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (package / "channels.py").write_text(f"{source}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_source_problem("somebodys.channels", "C") == problem
    assert not (tmp_path / "ran").exists()
    assert "somebodys" not in sys.modules


def test_the_check_runs_nothing_that_stands_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a callable of the standard library nor the module of the class nor its constructor."""
    ran = tmp_path / "ran"
    (tmp_path / "planted.py").write_text(f"open({str(ran)!r}, 'w')\nclass C:\n{SENDS}")
    monkeypatch.syspath_prepend(str(tmp_path))
    text = f"""\
[[channel]]
name = "system"
type = "python:os:system"
command = "touch {ran}"

[[channel]]
name = "process"
type = "python:subprocess:Popen"
args = ["touch", "{ran}"]

[[channel]]
name = "planted"
type = "python:planted:C"
"""
    file = tmp_path / "barograph.toml"
    file.write_text(text)
    problems = check(parse_config(text, file), {})
    assert [str(problem) for problem in problems] == [
        f"{file}:3: channel[1].type: 'system' is not a class",
        f"{file}:8: channel[2].type: 'Popen' has no method 'send'",
    ]
    assert main(["check", str(file)]) == 2
    assert not ran.exists()
    assert "planted" not in sys.modules
