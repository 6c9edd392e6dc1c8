"""Where state is kept, and that one process at a time uses it."""

import os
from pathlib import Path

import pytest

from barograph_cli.failure import USAGE, CommandError
from barograph_cli.local.state_dir import StateLock, default_state_dir, prepare_state_dir


def test_the_state_directory_follows_xdg() -> None:
    assert default_state_dir({"XDG_STATE_HOME": "/var/state"}, lambda: Path("/home/a")) == Path("/var/state/barograph")


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_without_a_usable_xdg_variable_it_lies_in_the_home_directory(value: str) -> None:
    """XDG says that a relative path is to be ignored."""
    expected = Path("/home/a/.local/state/barograph")
    assert default_state_dir({"XDG_STATE_HOME": value}, lambda: Path("/home/a")) == expected


def test_a_user_without_a_home_directory_gets_a_sentence() -> None:
    """As in a container whose user stands in no passwd file."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    with pytest.raises(CommandError, match="there is no home directory: set HOME, or name a folder with --state-dir"):
        default_state_dir({}, nowhere)
    assert default_state_dir({"XDG_STATE_HOME": "/var/state"}, nowhere) == Path("/var/state/barograph")


def test_a_state_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(CommandError, match="cannot be written: Is a directory; choose another with --state-dir"):
        StateLock(tmp_path).acquire()


def test_the_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    made = prepare_state_dir(tmp_path / "deep" / "state")
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_was_open_to_all_is_closed(tmp_path: Path) -> None:
    """Whatever its modes were; files of the user's own keep theirs, and links are not followed."""
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    (state / "server" / "deep").mkdir(parents=True)
    own = [state / "server.json", state / "server" / "deep" / "data.aof", state / "lock"]
    for file in (*own, state / "script.sh", elsewhere):
        file.write_text("")
        file.chmod(0o755)
    (state / "server" / "link").symlink_to(elsewhere)
    for folder in (state, state / "server", state / "server" / "deep"):
        folder.chmod(0o777)
    prepare_state_dir(state)
    assert {file.stat().st_mode & 0o777 for file in own} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (state, own[1].parent, own[1].parent.parent)} == {0o700}
    assert {file.stat().st_mode & 0o777 for file in (state / "script.sh", elsewhere)} == {0o755}


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
