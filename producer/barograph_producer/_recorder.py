"""The hot path: what a call in the host's thread does, one append of a flat record and nothing else."""

import functools
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from barograph_core.events import ERROR_STATUS
from barograph_producer._buffer import Buffer, SlowPath
from barograph_producer._request_keys import RequestKeys

Stamp: TypeAlias = Callable[[], float]


class RecordRequest(Protocol):
    """Record one answered request. Never raises, never waits."""

    def __call__(self, route: str, method: str, status: int, duration_ms: float) -> None: ...


class RecordBoundRequest(Protocol):
    """Record one answered request of the route, method and status it was bound to."""

    def __call__(self, duration_ms: float) -> None: ...


class BindRequest(Protocol):
    """Return ``record(duration_ms)`` for one route, method and status: the least cost in a tight loop."""

    def __call__(self, route: str, method: str, status: int = 200) -> RecordBoundRequest: ...


class RecordSampledRequest(Protocol):
    """Record one answered request that stands for ``weight`` of them, or that bears labels of your own."""

    def __call__(
        self,
        route: str,
        method: str,
        status: int,
        duration_ms: float,
        *,
        weight: int = 1,
        labels: Mapping[str, str] | None = None,
    ) -> None: ...


class RecordModel(Protocol):
    """Record one prediction of a model. Leave out what is not known."""

    def __call__(
        self,
        model: str,
        version: str = "",
        *,
        latency_ms: float | None = None,
        confidence: float | None = None,
        prediction: float | None = None,
        absolute_error: float | None = None,
    ) -> None: ...


class RecordCustom(Protocol):
    """Record one value of your own; labels are free, at most 16."""

    def __call__(self, name: str, value: float, /, **labels: str) -> None: ...


def make_request_recorders(
    buffer: Buffer,
    keys: RequestKeys,
    turn_away: SlowPath,
    ring: Callable[[], None],
    wake_slow_ms: float,
    stamp_s: Stamp,
) -> tuple[RecordRequest, BindRequest]:
    """Return the function that records a request, and the one that makes pre-bound ones.

    All they need lies in their closures, the limit too: a subscript or an attribute costs 5 % of the call. They are
    as few as can be, since each is copied in every call.
    """
    records, extend, hold = buffer.records, buffer.records.extend, functools.partial(turn_away, buffer)
    marks, resolve = keys.marks, keys.resolve
    error_status = ERROR_STATUS
    # A float compares with a float in a third of the time that it takes with an int.
    wake_slow_ms = float(wake_slow_ms)
    limit = 0

    def set_limit(new: int) -> None:
        nonlocal limit
        limit = new

    def request(route: str, method: str, status: int, duration_ms: float) -> None:
        mark: object
        try:
            mark = marks[status][method][route]
        except Exception:  # noqa: BLE001  # not seen before, or not hashable
            mark = resolve(route, method, status)
        try:
            if len(records) < limit:
                extend((stamp_s(), mark, duration_ms))
            else:
                hold((stamp_s(), mark, duration_ms))
            if status >= error_status or duration_ms >= wake_slow_ms:
                ring()
        except Exception:  # noqa: BLE001  # values that do not compare; the packer counts them as invalid
            return

    def bind(route: str, method: str, status: int = 200) -> RecordBoundRequest:
        mark = resolve(route, method, status)
        ring_from_ms = 0.0 if _is_error(status) else wake_slow_ms

        def bound_request(duration_ms: float) -> None:
            try:
                if len(records) < limit:
                    extend((stamp_s(), mark, duration_ms))
                else:
                    hold((stamp_s(), mark, duration_ms))
                if duration_ms >= ring_from_ms:
                    ring()
            except Exception:  # noqa: BLE001  # as above
                return

        return bound_request

    buffer.follow(set_limit)
    return request, bind


def make_sampled_request_recorder(
    buffer: Buffer, turn_away: SlowPath, ring: Callable[[], None], wake_slow_ms: float, stamp_s: Stamp
) -> RecordSampledRequest:
    """Return the function that records a request with a weight and free labels, in a wider buffer of its own."""
    records, extend, hold = buffer.records, buffer.records.extend, functools.partial(turn_away, buffer)
    limit = 0

    def set_limit(new: int) -> None:
        nonlocal limit
        limit = new

    def sampled_request(
        route: str,
        method: str,
        status: int,
        duration_ms: float,
        *,
        weight: int = 1,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        free: object = None
        try:
            if labels:
                free = dict(labels)  # the host may change its own before this is packed
        except Exception:  # noqa: BLE001  # not a mapping; the packer counts it as invalid
            free = labels
        record = (stamp_s(), route, method, status, free, weight, duration_ms)
        if len(records) < limit:
            extend(record)
        else:
            hold(record)
        try:
            if status >= ERROR_STATUS or duration_ms >= wake_slow_ms:
                ring()
        except Exception:  # noqa: BLE001  # as in ``request``
            return

    buffer.follow(set_limit)
    return sampled_request


def _is_error(status: object) -> bool:
    try:
        return status >= ERROR_STATUS  # type: ignore[operator]  # whatever the host gave
    except Exception:  # noqa: BLE001  # does not compare, so it is none
        return False


def make_model_recorder(buffer: Buffer, turn_away: SlowPath, stamp_s: Stamp) -> RecordModel:
    """Return the function that records a model event."""
    records, extend, hold = buffer.records, buffer.records.extend, functools.partial(turn_away, buffer)
    limit = 0

    def set_limit(new: int) -> None:
        nonlocal limit
        limit = new

    def model_event(
        model: str,
        version: str = "",
        *,
        latency_ms: float | None = None,
        confidence: float | None = None,
        prediction: float | None = None,
        absolute_error: float | None = None,
    ) -> None:
        record = (stamp_s(), model, version, latency_ms, confidence, prediction, absolute_error)
        if len(records) < limit:
            extend(record)
        else:
            hold(record)

    buffer.follow(set_limit)
    return model_event


def make_custom_recorder(buffer: Buffer, turn_away: SlowPath, stamp_s: Stamp) -> RecordCustom:
    """Return the function that records a value under a name of the host's own."""
    records, extend, hold = buffer.records, buffer.records.extend, functools.partial(turn_away, buffer)
    limit = 0

    def set_limit(new: int) -> None:
        nonlocal limit
        limit = new

    def observe(name: str, value: float, /, **labels: str) -> None:
        if len(records) < limit:
            extend((stamp_s(), name, labels, value))
        else:
            hold((stamp_s(), name, labels, value))

    buffer.follow(set_limit)
    return observe
