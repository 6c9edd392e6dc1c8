"""The next version, in memory: a measure more of ``model``, and a kind ``outcome``."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import pytest

from barograph_core.decode.entries import EntryDecoder
from barograph_core.events.encode import LabelSet, encode_batch, entry_fields
from barograph_core.events.kinds import KINDS, Kind, KindName, Measure
from barograph_core.panes.pane import Pane
from tests.batches import Entry
from tests.formats.write import SERVICE, STEPS

MINUTE = STEPS[2]
MODEL = KINDS["model"]
GROWN_MODEL = replace(MODEL, measures=(*MODEL.measures, Measure("cost_usd")))
OUTCOME = Kind(cast("KindName", "outcome"), ("model",), (Measure("error", is_signed=True), Measure("label_lag_ms")))


@contextmanager
def grown() -> Generator[None]:
    """Run what is inside as the next version."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS, "model", GROWN_MODEL)
        patch.setitem(KINDS, "outcome", OUTCOME)
        yield


def entry(kind: Kind, labels: LabelSet, at_ms: int, *values: float) -> Entry:
    """Return an entry of one event; the instance is named after the version that wrote it."""
    batch = encode_batch(kind, [labels], [0], [at_ms], [[value] for value in values])
    instance = f"next:1:{len(kind.measures):016x}"
    fields = entry_fields(batch, service=SERVICE, instance=instance, seq=1, through_ms=at_ms)
    return {name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()}


def grown_model(at_ms: int, cost: float) -> Entry:
    return entry(GROWN_MODEL, ("ctr", "7"), at_ms, 1.0, 0.5, 2.0, 3.0, 1.0, cost)


def outcome(at_ms: int) -> Entry:
    return entry(OUTCOME, ("ctr",), at_ms, -2.0, 60_000.0)


def pane_of(*entries: Entry, step_ms: int = MINUTE.step_ms) -> Pane:
    found = EntryDecoder().decode(entries)
    assert not found.bad
    (pane,) = Pane.of_blocks(found.blocks, step_ms).values()
    return pane


def renamed(entries: list[Entry], instance: bytes = b"next:1:reader") -> list[Entry]:
    """Return ``entries`` of another instance: decoders remember kinds by it, and these are to be looked up again."""
    return [{**fields, b"instance": instance} for fields in entries]
