"""A fresh place for each run."""

import os
from pathlib import Path

from barograph_cli.demo.place import make_place, remove_old_runs
from barograph_core.settings.server import ServerSettings


def test_each_run_has_a_directory_of_its_own(tmp_path: Path) -> None:
    place = make_place(tmp_path, ServerSettings(), host="127.0.0.1", port=None, is_named=False)
    assert place.directory.parent == tmp_path / "demo"
    assert place.settings.prefix == "baro"


def test_on_a_named_server_each_run_has_keys_of_its_own(tmp_path: Path) -> None:
    """Old cooldowns and alerts must not reach into a new run."""
    place = make_place(tmp_path, ServerSettings(), host="127.0.0.1", port=None, is_named=True)
    assert place.keys.events.startswith("demo-")


def test_old_runs_are_removed_but_for_the_newest(tmp_path: Path) -> None:
    for name in ("1", "2", "3", "4"):
        (tmp_path / name).mkdir()
    remove_old_runs(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "4"]


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "lock").write_text(f"{os.getpid()}\n")
    remove_old_runs(tmp_path, 0)
    assert (tmp_path / "1").is_dir()
