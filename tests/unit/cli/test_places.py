"""Places that cannot be used: a sentence and an exit code, whatever command meets them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from barograph_cli.__main__ import CommandEntry, main

COMMAND = (sys.executable, "-P", "-m", "barograph_cli")


def run(
    *arguments: str, stdout: int = subprocess.PIPE, environ: dict[str, str] | None = None, cwd: Path | None = None
) -> tuple[int, str, str]:
    done = subprocess.run(
        (*COMMAND, *arguments),
        check=False,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environ or {})},
        cwd=cwd,
    )
    return done.returncode, (done.stdout or b"").decode(), done.stderr.decode()


def test_a_full_disk_under_the_output_is_a_sentence() -> None:
    """Whether the text is longer than what Python holds back, or shows only when it is flushed at the end."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        for arguments in (("--help",), ("--version",)):
            code, _, error = run(*arguments, stdout=full)
            assert (code, error) == (1, "barograph: the output cannot be written: No space left on device\n")
    finally:
        os.close(full)


def test_an_output_that_is_not_utf_8_shows_other_characters_escaped(tmp_path: Path) -> None:
    code, printed, _ = run("check", environ={"PYTHONIOENCODING": "ascii"}, cwd=tmp_path)
    assert code == 0
    (tmp_path / "é.toml").write_text("")
    code, printed, error = run("check", "é.toml", environ={"PYTHONIOENCODING": "ascii"}, cwd=tmp_path)
    assert (code, printed, error) == (0, "\\xe9.toml: no mistakes\n", "")


def test_a_working_directory_that_is_gone_is_no_traceback(tmp_path: Path) -> None:
    """Commands that do not need it go on."""
    (tmp_path / "gone").mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    for arguments, code, said in (
        (("check",), 0, "no configuration file, only defaults: no mistakes"),
        (("import", "."), 1, "the working directory is gone or cannot be read"),
    ):
        (tmp_path / "gone").mkdir(exist_ok=True)
        command = ("sh", "-c", script, "sh", str(tmp_path / "gone"), *COMMAND, *arguments)
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done


def test_what_the_system_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its path, where no command knew better."""

    def refused(_argv: list[str]) -> int:
        (tmp_path / "file" / "below").mkdir()
        return 0

    (tmp_path / "file").touch()
    module = type(sys)("refusing")
    module.__dict__["run"] = refused
    monkeypatch.setitem(sys.modules, "refusing", module)
    monkeypatch.setattr("barograph_cli.__main__.COMMANDS", {"x": CommandEntry("x", "", "refusing")})
    assert main(["x"]) == 1
    assert capsys.readouterr().err == f"barograph: {tmp_path / 'file' / 'below'}: Not a directory\n"
