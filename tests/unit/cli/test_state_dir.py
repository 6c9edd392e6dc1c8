"""Where state is kept, and that one process at a time uses it."""

import os
from pathlib import Path

import pytest

from barograph_cli.failure import USAGE, CommandError
from barograph_cli.state_dir import StateLock, default_state_dir, prepare_state_dir


def test_the_state_directory_follows_xdg() -> None:
    assert default_state_dir({"XDG_STATE_HOME": "/var/state"}, Path("/home/a")) == Path("/var/state/barograph")


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_without_a_usable_xdg_variable_it_lies_in_the_home_directory(value: str) -> None:
    """XDG says that a relative path is to be ignored."""
    expected = Path("/home/a/.local/state/barograph")
    assert default_state_dir({"XDG_STATE_HOME": value}, Path("/home/a")) == expected


def test_the_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    made = prepare_state_dir(tmp_path / "deep" / "state")
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_path_with_a_space_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--state-dir") as caught:
        prepare_state_dir(tmp_path / "my state")
    assert caught.value.exit_code == USAGE


def test_a_path_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be made"):
        prepare_state_dir(tmp_path / "file" / "below")


def test_the_second_process_learns_who_holds_the_directory(tmp_path: Path) -> None:
    """Two servers on one append-only file would destroy it."""
    first, second = StateLock(tmp_path), StateLock(tmp_path)
    first.acquire()
    with pytest.raises(CommandError, match=f"in use by process {os.getpid()}"):
        second.acquire()
    first.release()


def test_a_released_directory_can_be_taken_again(tmp_path: Path) -> None:
    first, second = StateLock(tmp_path), StateLock(tmp_path)
    first.acquire()
    first.release()
    second.acquire()
    second.release()
