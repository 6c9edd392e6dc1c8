"""Reads the time of an event that the host states, instead of the time of the call."""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from barograph_producer._record.buffer import Buffer, SlowPath

# From 1973 to 5138. Seconds lie below, microseconds above: both are slips that would count as late or as the future.
_LEAST_MS: Final = 100_000_000_000
_MOST_MS: Final = 100_000_000_000_000

EventTime: TypeAlias = Callable[[object], float | None]
Hold: TypeAlias = Callable[..., None]


class RejectInput(Protocol):
    """Counts events as invalid and stores the reason for the log. Must not raise."""

    def __call__(self, events: int, reason: str, /) -> None: ...


def make_event_time(reject_input: RejectInput) -> EventTime:
    """Return the function that converts ``at_ms`` to float seconds.

    For anything but milliseconds since the epoch it counts an invalid event and returns ``None``. It never raises.
    """

    def event_time(at_ms: object) -> float | None:
        try:
            if not isinstance(at_ms, bool) and _LEAST_MS <= at_ms <= _MOST_MS:  # type: ignore[operator]  # the host may pass any type
                return float(at_ms) / 1_000  # type: ignore[arg-type]
            reason = f"at_ms is {at_ms!r:.50}, not milliseconds since the epoch"
        except Exception:  # noqa: BLE001  # the host may pass any type
            reason = f"at_ms is of type {type(at_ms).__name__}, not milliseconds since the epoch"
        reject_input(1, reason)
        return None

    return event_time


def make_hold(buffer: Buffer, turn_away: SlowPath, stamp_s: Callable[[], float], event_time: EventTime) -> Hold:
    """Return the function that takes a record which has no room in ``buffer``, or of which the host states the time.

    It takes ``at_ms`` and the values of the record after its time. Calls without ``at_ms`` come here only when the
    buffer is full or shut, so they pay one comparison for it.
    """

    def hold(at_ms: object, *values: object) -> None:
        at_s = stamp_s() if at_ms is None else event_time(at_ms)
        if at_s is not None:
            turn_away(buffer, (at_s, *values))

    return hold
