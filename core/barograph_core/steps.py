"""The steps of the store and how long panes of each are kept: the setting ``keep``, which every stage reads."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.text.durations import format_duration, parse_duration_ms

DEFAULT_KEEP: Final = "1s:15m,10s:2h,1m:2d,1h:90d"
_COARSEST_BLOCK: Final = 24
_LEAST_OVERLAP: Final = 4
# Limit of panes in a block: a record of figures stores the pane's place in its block in 16 bits.
MAX_BLOCK_PANES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Step:
    """One resolution of the store.

    Attributes:
        step_ms: Length of a pane.
        keep_ms: How long a closed pane is kept, from its closing.
        span_ms: Length of a block, the unit in which panes are stored: one pane of the next coarser step.
    """

    step_ms: int
    keep_ms: int
    span_ms: int


def parse_keep(text: str, allowed_lateness_ms: int = 0) -> tuple[Step, ...]:
    """Read ``1s:15m,10s:2h``: steps from fine to coarse with their retention.

    Raises:
        ValueError: The text has another form; a step does not divide the next one, goes into it too often or is kept
            for less than one of it; or the coarsest step, which takes the latest events, is kept for less than the
            allowed lateness.
    """
    pairs = _read_pairs(text)
    for (fine, kept_ms), (coarse, _) in itertools.pairwise(pairs):
        _check_neighbours(fine, kept_ms, coarse)
    coarsest_ms, kept_ms = pairs[-1]
    if kept_ms < allowed_lateness_ms:
        raise ValueError(
            f"the coarsest step, of {coarsest_ms} ms, is kept {kept_ms} ms, less than the allowed lateness of "
            f"{allowed_lateness_ms} ms: events that late would have nowhere to go"
        )
    spans = [coarse for coarse, _ in pairs[1:]] + [pairs[-1][0] * _COARSEST_BLOCK]
    return tuple(Step(step, keep, span) for (step, keep), span in zip(pairs, spans, strict=True))


def check_overlaps(steps: Sequence[Step]) -> None:
    """Check that each step is kept for four of the next.

    The newest part of a window is read at the finer step until its roll-up is made: it must be there by then, and also
    when an aggregator is behind for a while.

    Raises:
        ValueError: A step is kept for less; the message says how much it needs.
    """
    for fine, coarse in itertools.pairwise(steps):
        least_ms = _LEAST_OVERLAP * coarse.step_ms
        if fine.keep_ms < least_ms:
            raise ValueError(
                f"panes of {format_duration(fine.step_ms)} are kept {format_duration(fine.keep_ms)}, less than four of "
                f"the next step: windows need them until their roll-up is made; keep them {format_duration(least_ms)}"
            )


def _read_pairs(text: str) -> list[tuple[int, int]]:
    """Return each step and its retention, both in ms."""
    pairs: list[tuple[int, int]] = []
    for item in text.split(","):
        step, separator, keep = item.strip().partition(":")
        if not separator:
            raise ValueError(f"{item!r} is not of the form step:retention, such as '1s:15m'")
        pairs.append((parse_duration_ms(step), parse_duration_ms(keep)))
    for step_ms, keep_ms in pairs:
        if not 0 < step_ms <= keep_ms:
            raise ValueError(f"step of {step_ms} ms, kept {keep_ms} ms, must be longer than 0 and no longer than kept")
    return pairs


def _check_neighbours(fine: int, kept_ms: int, coarse: int) -> None:
    if coarse <= fine or coarse % fine:
        raise ValueError(f"step of {coarse} ms is not a multiple of the finer step of {fine} ms")
    if kept_ms < coarse:
        raise ValueError(f"step of {fine} ms is kept {kept_ms} ms, less than one step of {coarse} ms")
    if coarse // fine > MAX_BLOCK_PANES:
        raise ValueError(
            f"step of {fine} ms goes {coarse // fine} times into the next, of {coarse} ms, "
            f"more than {MAX_BLOCK_PANES}: put a step between the two"
        )
