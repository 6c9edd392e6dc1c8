"""Reads single keys of a terminal, without Enter."""

import contextlib
import os
import select
import termios
import tty
from collections.abc import Generator
from typing import Final

_ESCAPE: Final = "\x1b"
_NAMES: Final = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left", "\x1bOA": "up", "\x1bOB": "down",
    "\x1bOC": "right", "\x1bOD": "left", "\x1b[Z": "back-tab", "\t": "tab", "\r": "enter", "\n": "enter",
    "\x7f": "backspace", "\x08": "backspace", "\x03": "q", _ESCAPE: "escape",
}  # fmt: skip


@contextlib.contextmanager
def single_keys(descriptor: int) -> Generator[None, None, None]:
    """Hand on each key of a terminal as it is pressed, and show none, until the block ends."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def read_keys(wait_s: float, descriptor: int) -> list[str]:
    """Return the keys that were pressed within ``wait_s``: characters, and names such as ``up``."""
    ready, _, _ = select.select([descriptor], [], [], wait_s)
    if not ready:
        return []
    text = os.read(descriptor, 1_024).decode(errors="replace")
    return list(_keys_of(text))


def _keys_of(text: str) -> Generator[str, None, None]:
    at = 0
    while at < len(text):
        # An arrow comes as three characters, Escape alone as one.
        longest = next((text[at : at + size] for size in (3, 1) if text[at : at + size] in _NAMES), text[at])
        yield _NAMES.get(longest, longest)
        at += len(longest)
