"""The range of time that the page shows."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

RANGES_S: Final = {
    "5m": 300,
    "15m": 900,
    "1h": 3_600,
    "6h": 21_600,
    "24h": 86_400,
    "7d": 7 * 86_400,
    "30d": 30 * 86_400,
    "90d": 90 * 86_400,
}
CUSTOM: Final = "custom"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range as the console reads it.

    Attributes:
        start: ``-900s``, or ms since the epoch.
        end: ``now``, or ms since the epoch; excluded.
    """

    start: str
    end: str

    @property
    def moves(self) -> bool:
        """Say whether the range ends now, so that it holds something new at each refresh."""
        return self.end == "now"

    def parameters(self) -> list[tuple[str, str]]:
        """Return the range as parameters of a request."""
        return [("from", self.start), ("to", self.end)]

    def bounds(self, now_ms: int) -> tuple[int, int]:
        """Return the beginning and the end in ms since the epoch."""
        end_ms = now_ms if self.moves else int(self.end)
        if self.start.startswith("-"):
            return end_ms - int(self.start[1:-1]) * 1_000, end_ms
        return int(self.start), end_ms


def newest(name: str) -> TimeRange:
    """Return the range that ends now and is as long as its name says."""
    return TimeRange(f"-{RANGES_S[name]}s", "now")


def between(start: datetime, end: datetime, zone: tzinfo) -> TimeRange | None:
    """Return the range between two times of a clock in ``zone``, ``None`` when it holds nothing."""
    start_ms, end_ms = (_ms(moment.replace(tzinfo=zone)) for moment in (start, end))
    return TimeRange(str(start_ms), str(end_ms)) if 0 <= start_ms < end_ms else None


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp()) * 1_000


def moment(ms: int, zone: tzinfo) -> datetime:
    """Return a time in ms since the epoch as a date and time of ``zone``."""
    return datetime.fromtimestamp(ms / 1_000, zone)
