"""The block that holds closed panes: its name, and the names of all fields in it.

One hash for each block: for each pane its bytes, its revision and how many instances were missing; in a block of
roll-ups also a field of figures for each series, and one that says what was missing from which pane.
"""

import json
from typing import Final, NamedTuple, cast

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import Labels
from barograph_core.keyspace.keys import pane_member, parse_pane_member
from barograph_core.text.foreign_json import load_foreign_json

# Field next to the figures, in the same form: how many instances were missing from each pane.
MISSING_FIELD: Final = "missing"
# Labels in the name of the figures of a kind as a whole. No series has them.
WHOLE: Final[Labels] = ()


class Block(NamedTuple):
    """One key of closed panes: those of a step within one pane of the next coarser. Sorts in the order of dropping."""

    step_ms: int
    start_ms: int
    service: str

    @property
    def name(self) -> str:
        return pane_member(self.service, self.step_ms, self.start_ms)

    @classmethod
    def parse(cls, name: str) -> "Block":
        """Parse the value of ``name``."""
        service, step_ms, start_ms = parse_pane_member(name)
        return cls(step_ms, start_ms, service)


class PaneFields(NamedTuple):
    """The fields of one pane in its block."""

    revision: str
    missing: str
    pane: str

    @classmethod
    def of(cls, start_ms: int) -> "PaneFields":
        """Return the names of the fields of the pane that begins at ``start_ms``."""
        return cls(f"r{start_ms}", f"m{start_ms}", str(start_ms))


def series_name(kind: str, labels: Labels) -> str:
    """Return the name of a series in its blocks and on the list of its service: ``["request","/predict","POST"]``."""
    return json.dumps([kind, *labels], ensure_ascii=False, separators=(",", ":"))


def is_series_name(field: bytes) -> bool:
    """Return whether the field of this name holds the figures of a series or of a kind as a whole."""
    return field.startswith(b"[")


def parse_series_name(name: bytes) -> tuple[str, Labels] | None:
    """Return kind and labels that ``series_name`` was given; ``None`` for the name of any other field of a block.

    Raises:
        MalformedEventError: It begins as the name of a series, and is none.
    """
    if not is_series_name(name):
        return None
    try:
        parts = cast("list[object]", load_foreign_json(name))
    except ValueError as error:
        raise MalformedEventError(f"{name!r:.60} is not the name of a series") from error
    texts = [part for part in parts if isinstance(part, str)]
    if not texts or len(texts) < len(parts):
        raise MalformedEventError(f"{name!r:.60} is not the name of a series")
    return texts[0], tuple(texts[1:])
