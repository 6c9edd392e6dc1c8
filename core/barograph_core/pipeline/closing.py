"""Panes that do not close: what the worker that closes them reports, and what a reader finds where none reports."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from barograph_core.text.foreign_json import load_foreign_json
from barograph_core.text.one_line import one_line

# A pane closes within a second of the watermark. One that waits this long is stuck, and so is a watermark that stands.
STUCK_AFTER_MS: Final = 30_000
# Life of a report, which is written again every few seconds.
REPORT_LIFE_MS: Final = 30_000
# Without a report a service may also be catching up.
_UNREPORTED_AFTER_MS: Final = 60_000
UNKNOWN_CAUSE: Final = "no cause is known"
_NO_REPORT: Final = "no aggregator of this version closes panes"
_MOST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class StuckClosing:
    """A service of which something does not close, or the watermark, which no closing can pass.

    Attributes:
        service: Empty for the watermark.
        step_ms: Of the oldest pane that does not close; 0 for the watermark, and where the service's cursor stands.
        start_ms: Start of that pane, the time at which the watermark stands, or the end of the newest closed pane.
        for_ms: How long it has not moved.
        panes: Number of such panes; 0 when the cursor or the watermark stands.
        reason: The cause where one is known, in one line.
    """

    service: str
    step_ms: int
    start_ms: int
    for_ms: int
    panes: int
    reason: str


def pack_stuck(stuck: Iterable[StuckClosing]) -> str:
    """Return the report as it lies on the server."""
    return json.dumps([asdict(one) | {"reason": one_line(one.reason)[:_MOST_REASON]} for one in stuck])


def parse_stuck(report: bytes | None) -> tuple[StuckClosing, ...] | None:
    """Read a report; ``None`` without one, and for text that is none."""
    try:
        found: Any = load_foreign_json(report or b"")
        return tuple(
            StuckClosing(
                service=one_line(str(one["service"])),
                step_ms=int(one["step_ms"]),
                start_ms=int(one["start_ms"]),
                for_ms=int(one["for_ms"]),
                panes=int(one["panes"]),
                reason=one_line(str(one["reason"]), _MOST_REASON),
            )
            for one in found
        )
    except (ValueError, KeyError, TypeError):
        return None


def find_stuck(
    report: tuple[StuckClosing, ...] | None, closed: Mapping[str, int], watermark_ms: int | None
) -> tuple[StuckClosing, ...]:
    """Return what is stuck: as reported, or without a report the services that are far behind the watermark."""
    if report is not None or watermark_ms is None:
        return report or ()
    return tuple(
        StuckClosing(service, 0, end_ms, watermark_ms - end_ms, 0, _NO_REPORT)
        for service, end_ms in sorted(closed.items())
        if watermark_ms - end_ms > _UNREPORTED_AFTER_MS
    )
