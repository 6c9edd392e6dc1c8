"""``barograph rules test``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from barograph_cli.__main__ import main

TEXT = """
[[rule]]
name = "r"
on = "custom"
window = "1m"
when = "value.max > 5"
[[test]]
name = "rises"
series = [{ on = "custom", value = "1 9" }]
expect = [{ at = "1m", rule = "r", state = "inactive" }, { at = "2m", rule = "r", value = 9 }]
"""


def test_tests_that_hold_end_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.toml"
    file.write_text(TEXT)
    assert main(["rules", "test", str(file)]) == 0
    assert capsys.readouterr().out == "1 test, 2 expectations, 0 failed\n"


def test_a_difference_ends_with_1_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.toml"
    file.write_text(TEXT.replace("value = 9", "value = 8"))
    assert main(["rules", "test", str(file)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "1 test, 2 expectations, 1 failed\n"
    assert shown.err.splitlines() == [
        f"{file}: rises failed",
        f"  {file}:10: r: expected firing value 8, found firing warning value 9 'test: value.max > 5, now 9'",
    ]
    assert main(["rules", "test", str(file), "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["test"], len(row["differences"])) == ("rises", 1)


def test_a_mistake_in_the_file_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.toml"
    file.write_text(TEXT.replace('rule = "r", value', 'rule = "s", value'))
    assert main(["rules", "test", str(file)]) == 2
    assert "there is no rule 's' about service 'test'" in capsys.readouterr().err
    assert main(["rules", "test", str(tmp_path / "none.toml")]) == 2
    assert main(["rules", "tset"]) == 2
    assert main(["rules"]) == 2


def test_a_test_of_rules_loads_nothing_that_talks_to_a_server(tmp_path: Path) -> None:
    """People run it at each save: the client library alone would take as long as the test of a day."""
    file = tmp_path / "t.toml"
    file.write_text(TEXT)
    script = f"""
import sys
from barograph_cli.__main__ import main
assert main(["rules", "test", {str(file)!r}]) == 0
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {{"redis", "hiredis", "fastapi", "rich", "psutil"}}))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["1 test, 2 expectations, 0 failed", "[]"]
