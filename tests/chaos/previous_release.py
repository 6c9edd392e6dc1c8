"""The release before this one, built as a wheel from its commit. Raise both names with each release."""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.fleet import ROOT

NAME: Final = "0.1.0"
COMMIT: Final = "8bc3460b879f66d9ac9cb2d27448bfac29d42bce"


def unpack_previous_release(folder: Path) -> Path:
    """Build the previous release in ``folder`` and return the directory with its packages.

    A shallow clone asks its origin for the commit. Where it cannot be had, the test is skipped: also in CI, whose clone
    may have neither the history nor an origin.
    """
    if not _has_commit():
        _git("fetch", "--quiet", "--depth", "1", "origin", COMMIT)
    if not _has_commit():
        pytest.skip(f"commit {COMMIT} of release {NAME} is not in this clone: git fetch --unshallow")
    source, wheels, packages = (folder / name for name in ("source", "wheels", "packages"))
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", COMMIT).stdout)) as archive:
        archive.extractall(source, filter="data")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
    subprocess.run(build, cwd=source, check=True, timeout=120, capture_output=True)
    (wheel,) = wheels.glob("barograph-*.whl")
    zipfile.ZipFile(wheel).extractall(packages)  # noqa: S202  # our own
    return packages


def _has_commit() -> bool:
    return _git("cat-file", "-e", f"{COMMIT}^{{commit}}").returncode == 0


def _git(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["git", *arguments], cwd=ROOT, check=False, timeout=120, capture_output=True)
