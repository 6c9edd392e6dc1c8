"""How long a process that keeps dying waits."""

import subprocess
from pathlib import Path

import pytest

from barograph_cli.command_line import python_module
from barograph_cli.local.supervisor import RESTART, Child, ChildSpec, deaths_in_a_row, rotate_log
from barograph_core.clock import SystemClock
from tests.support import wait_until


def test_the_first_start_waits_for_nothing() -> None:
    assert RESTART.wait_ms(0) == 0


def test_each_death_doubles_the_wait_up_to_half_a_minute() -> None:
    deaths, waits = 0, list[float]()
    for _ in range(9):
        deaths = deaths_in_a_row(deaths, ran_ms=100)
        waits.append(RESTART.wait_ms(deaths))
    assert waits == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]


def test_a_process_that_ran_for_a_minute_starts_over() -> None:
    assert RESTART.wait_ms(deaths_in_a_row(7, ran_ms=60_000)) == 500


def test_a_child_imports_nothing_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` may run in a download or in /tmp: neither the stages nor what looks after the server take modules there."""
    ran = tmp_path / "ran"
    (tmp_path / "psutil.py").write_text(f"open({str(ran)!r}, 'w').write(__file__)\n")
    monkeypatch.chdir(tmp_path)
    child = Child(ChildSpec("n", "barograph_notifier", ("--help",), tmp_path / "n.log"), SystemClock(), lambda _: None)
    child.start()
    wait_until(lambda: child.exit_code() is not None)
    child.join(0)
    assert b"usage" in (tmp_path / "n.log").read_bytes()
    subprocess.run(python_module("barograph_cli.local.server_host", "--help"), check=True, stdout=subprocess.DEVNULL)
    assert not ran.exists()


def test_a_log_is_rotated_while_its_process_goes_on_writing(tmp_path: Path) -> None:
    """The process keeps the file open: two files of five megabytes, and no line of the present is lost."""
    log = tmp_path / "alerter.log"
    with log.open("ab", buffering=0) as held:
        held.write(b"x" * 5_000_000 + b"\nold\n")
        rotate_log(log)
        held.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "alerter.log.1").read_bytes().endswith(b"\nold\n")
    rotate_log(log)
    assert log.read_bytes() == b"new\n"
