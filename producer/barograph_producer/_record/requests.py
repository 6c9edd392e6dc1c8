"""The hot path of requests: a call in the host's thread appends one flat record and does nothing else."""

from collections.abc import Callable, Mapping

from barograph_core.events.kinds import ERROR_STATUS
from barograph_producer._record.buffer import Buffer, SlowPath
from barograph_producer._record.event_time import EventTime, make_hold
from barograph_producer._record.generated import Stamp
from barograph_producer._record.request_keys import RequestKeys, cut_text
from barograph_producer._record.signatures import BindRequest, RecordBoundRequest, RecordRequest, RecordSampledRequest


def make_request_recorders(
    buffer: Buffer,
    keys: RequestKeys,
    turn_away: SlowPath,
    ring: Callable[[], None],
    wake_slow_ms: float,
    stamp_s: Stamp,
    event_time: EventTime,
) -> tuple[RecordRequest, BindRequest]:
    """Return the function that records a request, and the function that makes pre-bound recorders.

    Both read everything from their closures, because a subscript or an attribute costs 5 % of a call. The closures
    have as few variables as possible, because every call copies each of them.
    """
    is_open, limit = buffer.is_open, buffer.limit
    records, extend = buffer.records, buffer.records.extend
    hold = make_hold(buffer, turn_away, stamp_s, event_time)
    marks, resolve = keys.marks, keys.resolve
    error_status = ERROR_STATUS
    # Comparing two floats takes a third of the time of comparing a float with an int.
    wake_slow_ms = float(wake_slow_ms)

    # Not by keyword only: the interpreter has a short way for calls that leave out a positional default.
    def request(route: str, method: str, status: int, duration_ms: float, at_ms: float | None = None) -> None:
        mark: object
        try:
            mark = marks[status][method][route]
        except Exception:  # noqa: BLE001  # a new combination, or an unhashable value
            mark = resolve(route, method, status)
        try:
            if at_ms is None and is_open and len(records) < limit:
                extend((stamp_s(), mark, duration_ms))
            else:
                hold(at_ms, mark, duration_ms)
            if status >= error_status or duration_ms >= wake_slow_ms:
                ring()
        except Exception:  # noqa: BLE001  # values that cannot be compared; the packer counts them as invalid
            return

    def bind(route: str, method: str, status: int = 200) -> RecordBoundRequest:
        mark = resolve(route, method, status)
        ring_from_ms = 0.0 if _is_error(status) else wake_slow_ms

        def bound_request(duration_ms: float) -> None:
            try:
                if is_open and len(records) < limit:
                    extend((stamp_s(), mark, duration_ms))
                else:
                    hold(None, mark, duration_ms)
                if duration_ms >= ring_from_ms:
                    ring()
            except Exception:  # noqa: BLE001  # as above
                return

        return bound_request

    return request, bind


def make_sampled_request_recorder(
    buffer: Buffer,
    turn_away: SlowPath,
    ring: Callable[[], None],
    wake_slow_ms: float,
    stamp_s: Stamp,
    event_time: EventTime,
) -> RecordSampledRequest:
    """Return the function that records a request with a weight and free labels, in a buffer of wider records."""
    is_open, limit = buffer.is_open, buffer.limit
    records, extend = buffer.records, buffer.records.extend
    hold = make_hold(buffer, turn_away, stamp_s, event_time)

    def sampled_request(
        route: str,
        method: str,
        status: int,
        duration_ms: float,
        *,
        weight: int = 1,
        labels: Mapping[str, str] | None = None,
        at_ms: float | None = None,
    ) -> None:
        free: object = None
        try:
            if labels:
                free = dict(labels)  # the host may change its mapping before the record is packed
        except Exception:  # noqa: BLE001  # not a mapping; the packer counts it as invalid
            free = labels
        record = (cut_text(route), cut_text(method), status, free, weight, duration_ms)
        if at_ms is None and is_open and len(records) < limit:
            extend((stamp_s(), *record))
        else:
            hold(at_ms, *record)
        try:
            if status >= ERROR_STATUS or duration_ms >= wake_slow_ms:
                ring()
        except Exception:  # noqa: BLE001  # as in ``request``
            return

    return sampled_request


def _is_error(status: object) -> bool:
    try:
        # The comparison of an array is an array, of which ``bool`` raises.
        return bool(status >= ERROR_STATUS)  # type: ignore[operator]  # the host may pass any type
    except Exception:  # noqa: BLE001  # cannot be compared, so it is not an error
        return False
